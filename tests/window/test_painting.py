"""What the one who takes the wheel sees: frames painted on a real terminal."""

import json
from pathlib import Path

import pytest

from autoresearch_tui.painting import ENTER, bar, paint
from sessions.protocol import Frame, Row
from sessions.screen import Screen

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.cast"))


def feed(screen: Screen, recording: Path) -> list[tuple[Frame, int]]:
    """Play a recording into a screen; the frames that a viewer gets who looks after every tenth write."""
    frames: list[tuple[Frame, int]] = []
    version: int | None = None
    events = [json.loads(line) for line in recording.read_text().splitlines()[1:]]
    for n, (_at, kind, data) in enumerate(events):
        if kind == "o":
            screen.feed(data.encode())
        if n % 10 == 0:
            frame, version = screen.frame_since(version)
            frames.append((frame, version))
    frame, version = screen.frame_since(version)
    return [*frames, (frame, version)]


def cells(row: Row) -> list[tuple[str, object]]:
    """A row character by character, wherever its runs begin and end."""
    return [(character, style) for text, *style in row for character in text]


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_painted_frames_show_the_agents_screen(recording: Path) -> None:
    """A terminal that is painted with a recording's frames shows the same cells and cursor as the agent's."""
    agent = Screen(100, 30, on_reply=lambda _data: None)
    painted = Screen(100, 31, on_reply=lambda _data: None)
    painted.feed(ENTER.encode())
    for frame, _version in feed(agent, recording):
        painted.feed((paint(frame, 30) + bar("ours", 31, 100)).encode())
    theirs, _ = agent.frame_since(None)
    ours, _ = painted.frame_since(None)
    assert {y: cells(ours.rows[y]) for y in range(30)} == {y: cells(row) for y, row in theirs.rows.items()}
    assert "".join(run[0] for run in ours.rows[30]).startswith("ours")
    if theirs.cursor[2]:
        assert ours.cursor == theirs.cursor
    agent.close()
    painted.close()


def test_a_small_terminal_shows_the_lowest_rows() -> None:
    """With one row too few for the agent's screen its last rows are shown, where the composer is."""
    rows = {y: ((f"row {y}", None, None, 0),) for y in range(24)}
    frame = Frame(True, 80, 24, (3, 23, True), "", rows)
    small = Screen(80, 24, on_reply=lambda _data: None)
    small.feed((ENTER + paint(frame, 23) + bar("bar", 24, 80)).encode())
    text = small.text()
    assert text[0] == "row 1"
    assert text[22] == "row 23"
    assert text[23] == "bar"
    small.close()
