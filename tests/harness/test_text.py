"""Untrusted text, made safe to show."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.text import clean, one_line, slug, tail

# Text with much of what a terminal obeys in it.
HOSTILE = st.text(st.sampled_from("\x1b\x9b\x9d\x07[]()PX^_\\;?0123mHJ\r\n\t\x00\u202e\u2028\ud800 ab"), max_size=60)


@settings(deadline=None)
@given(text=st.text() | HOSTILE)
@example(text="\x1b\x1b[31m[2J")
@example(text="\x1b]0;title\x07after")
@example(text="\x1b]8;;http://x\nafter")
@example(text="a\udc80b")
def test_no_control_character_gets_through(text: str) -> None:
    """What is cleaned holds no escape, no control character but newline and tab, and can be written to any file."""
    cleaned = clean(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]", cleaned)
    assert cleaned.encode().decode() == cleaned
    assert clean(cleaned) == cleaned


@settings(deadline=None)
@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("\n\täöü€漢")))
def test_plain_text_is_left_alone(text: str) -> None:
    """Nothing is taken from a text that is harmless."""
    assert clean(text) == text


def test_sequences_go_whole() -> None:
    """A colour, a title, a link and a cursor movement leave nothing behind; an open one ends with its line."""
    assert clean("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b]8;;u\x1b\\y\x1b[2A\x1b(B") == "red xy"
    assert clean("\x1b]0;never closed\nnext") == "\nnext"
    assert clean("10 %\r20 %\r\ndone") == "10 %\n20 %\ndone"


@settings(deadline=None)
@given(text=st.text() | HOSTILE, limit=st.integers(1, 50))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    """One line, no longer than asked for, and no white space around it."""
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.splitlines() in ([line], [])
    assert line == line.strip()


@settings(deadline=None)
@given(data=st.binary(max_size=300), lines=st.integers(1, 5), width=st.integers(1, 30))
def test_a_tail_is_bounded(data: bytes, lines: int, width: int) -> None:
    """Of whatever bytes, at most so many lines of so many characters."""
    got = tail(data, lines, width)
    assert len(got) <= lines
    assert all(len(line) <= width and "\x1b" not in line and "\n" not in line for line in got)


def test_a_tail_is_the_end() -> None:
    """The last lines, without the blank ones after them."""
    assert tail(b"a\nb\nc\n\n", lines=2) == ["b", "c"]
    assert tail(b"\n\n") == []


@settings(deadline=None)
@given(text=st.text(), limit=st.integers(1, 30))
def test_a_slug_names_a_file(text: str, limit: int) -> None:
    """Lower-case letters, digits and single hyphens between them, or nothing."""
    assert re.fullmatch(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*)?", slug(text, limit))
    assert len(slug(text, limit)) <= limit
