"""A recording holds what was shown and typed, stays within its bounds, and never harms the session."""

import asyncio
import errno
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions import recording
from sessions.agent import Agent
from sessions.cast import Event, read_cast
from sessions.recording import CastRecorder
from sessions.screen import Screen

_RECORDINGS = Path(__file__).parents[1] / "recordings"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "casts"


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.cast"))


def events_of(folder: Path) -> list[Event]:
    return [event for file in files_of(folder) for event in read_cast(file).events()]


def test_what_happened_is_there_with_its_time(folder: Path, clock: Clock) -> None:
    """Output, typing, sizes, launches and ends are events, timed from the file's beginning."""
    recorder = CastRecorder(folder, (100, 30), clock)
    recorder.output(b"a\x1b[31mb")
    clock.now += 1.5
    recorder.typed(b"\r")
    recorder.resized(80, 24)
    recorder.ended(-9)
    recorder.close()
    assert [(one.at, one.kind, one.data) for one in events_of(folder)] == [
        (0.0, "o", "a\x1b[31mb"), (1.5, "i", "\r"), (1.5, "r", "80x24"), (1.5, "x", "-9"),
    ]  # fmt: skip
    assert read_cast(folder / "0001.cast").size == (100, 30)


def test_it_is_for_its_owner_alone(folder: Path, clock: Clock) -> None:
    """The directory is 0700 and each file 0600, whatever the mask."""
    mask = os.umask(0)
    try:
        recorder = CastRecorder(folder, (80, 24), clock)
        recorder.output(b"a")
        recorder.close()
    finally:
        os.umask(mask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(one.stat().st_mode) for one in files_of(folder)] == [0o600]


def test_nothing_is_made_before_something_happens(folder: Path, clock: Clock) -> None:
    """A recorder that saw nothing leaves nothing behind."""
    recorder = CastRecorder(folder, (80, 24), clock)
    recorder.flush()
    recorder.close()
    assert not folder.exists()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.lists(st.integers(0, 160), max_size=12))
def test_characters_survive_any_cut(tmp_path_factory: pytest.TempPathFactory, text: str, cuts: list[int]) -> None:
    """Reads that end in the middle of a character lose nothing."""
    folder = tmp_path_factory.mktemp("one")
    data = text.encode("utf-8", "replace")
    recorder = CastRecorder(folder, (80, 24), Clock())
    places = sorted(min(cut, len(data)) for cut in cuts)
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        recorder.output(data[start:end])
    recorder.close()
    assert "".join(one.data for one in events_of(folder)) == data.decode()


def test_the_disk_is_written_once_a_second(folder: Path, clock: Clock) -> None:
    """Within a second nothing is written; the next look after it writes, without new output."""
    recorder = CastRecorder(folder, (80, 24), clock)
    recorder.output(b"a")
    recorder.flush_when_due()
    assert files_of(folder)[0].stat().st_size == 0
    clock.now += 1.0
    recorder.flush_when_due()
    assert [one.data for one in events_of(folder)] == ["a"]


def test_a_flood_is_written_before_it_fills_the_memory(folder: Path, clock: Clock) -> None:
    """However fast an agent writes, no more than a quarter of a MiB waits for the second to end."""
    recorder = CastRecorder(folder, (80, 24), clock)
    for _ in range(40):
        recorder.output(b"x" * 65536)
    assert files_of(folder)[0].stat().st_size > 40 * 65536 - (512 << 10)


def _recorded(folder: Path, stream: bytes, limit_bytes: int, keep: int, piece: int) -> Screen:
    """Record a stream as an agent would, and return the screen that it left."""
    screen = Screen(100, 30, on_reply=lambda _reply: None)
    recorder = CastRecorder(folder, (100, 30), Clock(), limit_bytes, keep)
    recorder.repaint = screen.repaint
    for start in range(0, len(stream), piece):
        recorder.output(stream[start : start + piece])
        screen.feed(stream[start : start + piece])
    recorder.close()
    assert recorder.trouble == ""
    return screen


def _played(file: Path) -> Screen:
    screen = Screen(100, 30, on_reply=lambda _reply: None)
    for event in read_cast(file).events():
        if event.kind == "o":
            screen.feed(event.data.encode())
    return screen


@pytest.mark.parametrize("name", ["codex-reprompt-100x30", "claude-main-100x30"])
@pytest.mark.parametrize("piece", [997, 3001])
def test_the_newest_file_replays_by_itself(folder: Path, name: str, piece: int) -> None:
    """Of a recording that was cut at arbitrary bytes, the last file alone ends in the agent's screen and signals."""
    events = read_cast(_RECORDINGS / f"{name}.cast").events()
    stream = "".join(event.data for event in events if event.kind == "o").encode()
    stream = stream[: len(stream) * 3 // 4]
    screen = _recorded(folder, stream, limit_bytes=20_000, keep=100, piece=piece)
    files = files_of(folder)
    assert len(files) > 2
    again = _played(files[-1])
    assert again.text() == screen.text()
    assert (again.title, again.osc7501, again.input_modes(), again.alternate_screen) == (
        (screen.title, screen.osc7501, screen.input_modes(), screen.alternate_screen)
    )


def test_a_file_begins_between_two_sequences(folder: Path) -> None:
    """Where a file is full in the middle of an escape sequence, the sequence is finished there first."""
    title = b"\x1b]2;" + b"t" * 50 + b"\x07"
    stream = (b"x" * 3 + title) * 200
    _recorded(folder, stream, limit_bytes=1000, keep=100, piece=7)
    for file in files_of(folder)[1:]:
        text = "\n".join(_played(file).text())
        assert "t" not in text


def test_an_endless_sequence_does_not_fill_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that never ends a sequence gets another file all the same."""
    monkeypatch.setattr(recording, "_OVERRUN_BYTES", 5000)
    _recorded(folder, b"\x1b]2;" + b"t" * 50_000, limit_bytes=1000, keep=3, piece=100)
    assert len(files_of(folder)) == 3
    assert max(file.stat().st_size for file in files_of(folder)) < 8000


def test_size_and_number_are_bounded(folder: Path) -> None:
    """Files stop at their limit, the oldest go, and numbers go on, also those of an earlier supervisor."""
    _recorded(folder, b"0123456789" * 3000, limit_bytes=4000, keep=3, piece=100)
    first = [one.name for one in files_of(folder)]
    assert len(first) == 3
    assert all(one.stat().st_size < 6000 for one in files_of(folder))
    _recorded(folder, b"x" * 100, limit_bytes=4000, keep=3, piece=100)
    assert [one.name for one in files_of(folder)][:2] == first[1:]
    assert len(files_of(folder)) == 3


def test_a_new_launch_is_a_blank_terminal(folder: Path, clock: Clock) -> None:
    """A launch leaves nothing of the agent before: no text, title, mode or signal, nor half a character."""
    recorder = CastRecorder(folder, (100, 30), clock)
    recorder.output(b"old\x1b]2;title\x07\x1b]7501;state=idle\x07\x1b[?2004h\x1b]0;half \xe4\xb8")
    recorder.launched()
    recorder.output(b"new")
    recorder.close()
    screen = _played(folder / "0001.cast")
    assert (screen.text()[0], screen.title, screen.osc7501, screen.bracketed_paste) == ("new", "", "", False)


def test_a_full_disk_costs_the_recording_alone(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses is told once, in one line; afterwards everything goes on without the recording."""
    recorder = CastRecorder(folder, (80, 24), clock)
    recorder.output(b"a")
    recorder.flush()

    def refuse(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", refuse)
    recorder.output(b"b")
    recorder.flush()
    assert recorder.trouble == f"the recording has ended: {folder}: No space left on device"
    monkeypatch.undo()
    recorder.output(b"c")
    recorder.typed(b"d")
    recorder.resized(90, 30)
    recorder.launched()
    recorder.ended(0)
    recorder.close()
    assert [one.data for one in events_of(folder)] == ["a"]
    assert len(files_of(folder)) == 1


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path, clock: Clock) -> None:
    """Where the folder cannot be made the recorder says so and takes everything in silence."""
    (tmp_path / "casts").write_text("a file")
    recorder = CastRecorder(tmp_path / "casts", (80, 24), clock)
    recorder.output(b"a")
    recorder.close()
    assert "the recording has ended" in recorder.trouble
    assert "\n" not in recorder.trouble


def test_a_clock_that_jumps_back_makes_no_negative_time(folder: Path, clock: Clock) -> None:
    """Should the clock run backwards, events stay in order."""
    recorder = CastRecorder(folder, (80, 24), clock)
    recorder.output(b"a")
    clock.now -= 100.0
    recorder.output(b"b")
    recorder.close()
    lines = (folder / "0001.cast").read_text().splitlines()[1:]
    assert [json.loads(line)[0] for line in lines] == [0.0, 0.0]


async def test_an_agent_is_recorded_but_not_a_persons_keys(folder: Path, tmp_path: Path) -> None:
    """What it writes and what the supervisor presses is recorded; the keys of one who has the wheel are not."""
    recorder = CastRecorder(folder, (80, 24))
    agent = Agent(lambda: None, recorder)
    seen = asyncio.Event()
    agent.on_stir = lambda: seen.set() if "got pressed" in agent.last_words() else None
    agent.launch(["sh", "-c", "stty -echo; echo ready; read a; read b; echo got $b; sleep 60"], tmp_path, os.environ)
    agent.write(b"secret\r")
    agent.press(b"pressed\r")
    agent.resize(100, 30)
    async with asyncio.timeout(20):
        await seen.wait()
    await agent.hang_up()
    recorder.close()
    events = events_of(folder)
    assert [one.data for one in events if one.kind == "i"] == ["pressed\r"]
    assert "ready" in "".join(one.data for one in events if one.kind == "o")
    assert [one.data for one in events if one.kind == "r"] == ["100x30"]
