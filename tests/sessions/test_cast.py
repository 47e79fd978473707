"""Casts are read as asciinema writes them, and what is no cast is one clear line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.cast import CastError, Event, event_line, header_line, parse_size, read_cast

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.cast"))
_V2 = '{"version": 2, "width": 100, "height": 30, "timestamp": 1795405987}\n'
_V3 = '{"version": 3, "term": {"cols": 90, "rows": 25, "type": "xterm-256color"}, "timestamp": 1795405987}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "one.cast"


def events_of(file: Path, text: str | bytes) -> list[Event]:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_cast(file).events())


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_is_read_whole(path: Path) -> None:
    """Every event of a recording arrives, with its time and its data."""
    header, *lines = path.read_text(encoding="utf-8").split("\n")
    cast = read_cast(path)
    assert cast.size == (json.loads(header)["width"], json.loads(header)["height"])
    assert cast.began_at == json.loads(header)["timestamp"]
    assert [[one.at, one.kind, one.data] for one in cast.events()] == [json.loads(line) for line in lines if line]


def test_version_3_counts_from_the_event_before(file: Path) -> None:
    """Version 3's times are intervals; its header holds the size elsewhere; comments are passed over."""
    found = events_of(file, _V3 + '[0.5, "o", "a"]\n# a note\n[0.25, "r", "80x24"]\n\n[1, "x", "0"]\n')
    assert found == [Event(0.5, "o", "a"), Event(0.75, "r", "80x24"), Event(1.75, "x", "0")]
    assert read_cast(file).size == (90, 25)


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.sampled_from("oim"), st.text(st.characters(codec=None), max_size=20)),
        max_size=20,
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple[float, str, str]]
) -> None:
    """Whatever text there is, line separators and lone halves of characters too, a written cast reads the same."""
    events = [Event(round(at, 4), kind, data) for at, kind, data in sorted(wanted, key=lambda one: one[0])]
    file = tmp_path_factory.mktemp("cast") / "one.cast"
    lines = header_line((80, 24), 1) + "".join(map(event_line, events))
    assert events_of(file, lines) == events
    assert len(lines.splitlines()) == len(events) + 1


@given(st.integers(0, 200))
def test_a_torn_tail_costs_one_event(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """A cast that was cut anywhere behind its header gives the events that were written whole."""
    events = [Event(float(n), "o", f"line {n}") for n in range(6)]
    file = tmp_path_factory.mktemp("cast") / "one.cast"
    whole = header_line((80, 24), 1) + "".join(map(event_line, events))
    kept = max(len(header_line((80, 24), 1)), len(whole) - cut)
    found = events_of(file, whole[:kept])
    assert found == events[: len(found)]
    assert len(found) >= whole[:kept].count("\n") - 1


@pytest.mark.parametrize(
    "header",
    ["", "\n", "no json\n", "[]\n", "null\n", '{"version": 1, "width": 80, "height": 24}\n', '{"version": 2}\n',
     '{"version": 3, "width": 80, "height": 24}\n', '{"version": 2, "width": "80", "height": 24}\n',
     '{"version": 2, "width": 80, "height": 100000}\n', '{"version": 2, "width": 0, "height": 24}\n',
     '{"version": 2, "width": true, "height": 24}\n', '{"version": [2], "width": 80, "height": 24}\n',
     "[" * 100_000 + "\n", "\x00\xff\x1b[2J\n"],
)  # fmt: skip
def test_a_broken_header_is_one_clear_line(file: Path, header: str) -> None:
    """What is no cast is refused in one line that names the file and line 1."""
    with pytest.raises(CastError) as refused:
        events_of(file, header)
    assert str(refused.value).startswith(f"{file}, line 1: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "line",
    ["garbage", '{"a": 1}', '["o", 1, "x"]', '[1, "o"]', '[true, "o", "x"]', '[NaN, "o", "x"]', '[Infinity, "o", "x"]',
     '[1e300, "o", "x"]', '[99999999999, "o", "x"]', '[1, "r", "100"]', '[1, "r", "99999x99999"]', '[1, "r", "٣x٣"]',
     "[" * 100_000, '[1e5, "o", ' + '"x' + "9" * 100],
)  # fmt: skip
def test_a_broken_line_names_its_number(file: Path, line: str) -> None:
    """A line in the middle that is no event is refused by file and number, after the events before it."""
    file.write_text(_V2 + '[1, "o", "a"]\n' + line + '\n[2, "o", "b"]\n', encoding="utf-8")
    events = read_cast(file).events()
    assert next(events) == Event(1.0, "o", "a")
    with pytest.raises(CastError, match=r", line 3: ") as refused:
        next(events)
    assert "\n" not in str(refused.value)


def test_an_endless_line_is_not_read_to_its_end(file: Path) -> None:
    """A line without an end costs a line's memory at most, and is refused."""
    with pytest.raises(CastError, match="line 2: longer than 8 MiB"):
        events_of(file, _V2 + '[1, "o", "' + "x" * (9 << 20))


def test_a_long_recording_of_short_intervals_has_an_end(file: Path) -> None:
    """Intervals that add up to more than a year are refused."""
    with pytest.raises(CastError, match="line 4: a time more than a year"):
        events_of(file, _V3 + '[2e7, "o", "a"]\n[1e7, "o", "b"]\n[1e7, "o", "c"]\n')


def test_time_never_runs_backwards(file: Path) -> None:
    """An event that claims to be earlier than the one before happens with it; a negative interval is none."""
    times = [one.at for one in events_of(file, _V2 + '[2, "o", "a"]\n[1, "o", "b"]\n[3, "o", "c"]\n')]
    assert times == [2.0, 2.0, 3.0]
    assert [one.at for one in events_of(file, _V3 + '[2, "o", "a"]\n[-1, "o", "b"]\n')] == [2.0, 2.0]


def test_bytes_that_are_no_text_are_replaced(file: Path) -> None:
    """Invalid UTF-8 inside a text costs its own characters alone; unknown kinds are passed over."""
    assert events_of(file, _V2.encode() + b'[1, "o", "a\xffb"]\n[2, "Z", "?"]\n') == [Event(1.0, "o", "a\ufffdb")]


def test_a_missing_file_is_one_clear_line(file: Path) -> None:
    """A file that is not there, or is a directory, is refused by name."""
    for path in (file, file.parent):
        with pytest.raises(CastError, match=f"^{path}: cannot be read: "):
            read_cast(path)


@pytest.mark.parametrize("text", ["", "80", "80x", "x24", "-1x24", "80x24x1", "0x24", "1001x24", "8 0x24", "²x24"])
def test_a_size_is_two_numbers(text: str) -> None:
    """Anything but COLSxROWS of a terminal that can be is refused."""
    assert parse_size("100x30") == (100, 30)
    with pytest.raises(ValueError, match=r"cells|COLSxROWS"):
        parse_size(text)
