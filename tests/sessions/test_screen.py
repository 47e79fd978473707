"""The screen shows what a terminal would show, and answers as a terminal would."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyghostty import Terminal

from sessions.protocol import BOLD, FAINT, INVERSE, INVISIBLE, ITALIC, STRIKE, UNDERLINE, Frame, encode
from sessions.screen import Screen

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.cast"))

RECORDED = pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)


def output_of(path: Path) -> bytes:
    events = map(json.loads, path.read_text(encoding="utf-8").splitlines()[1:])
    return "".join(data for _, kind, data in events if kind == "o").encode()


def screen(cols: int = 20, rows: int = 4, data: bytes | str = b"") -> Screen:
    made = Screen(cols, rows, lambda _reply: None)
    made.feed(data.encode() if isinstance(data, str) else data)
    return made


def answers(question: bytes, cols: int = 80, rows: int = 24) -> bytes:
    replies: list[bytes] = []
    Screen(cols, rows, replies.append).feed(question)
    return b"".join(replies)


def row(made: Screen, y: int = 0) -> tuple:
    return made.frame_since(None)[0].rows[y]


# What agents send, and what makes trouble, cut and joined at will.
soup = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.text(max_size=10).map(str.encode),
        st.sampled_from(
            [
                b"\x1b[",
                b"\x1b]",
                b"\x1bP",
                b"\x1b_",
                b"\x1b\\",
                b"\x07",
                b"\r\n",
                b"\n" * 30,
                b"\x1bc",
                b"\x1b#8",
                b"\t",
            ]
            + [
                b"\x1b[?1049h",
                b"\x1b[?1049l",
                b"\x1b[?2026h",
                b"\x1b[?2027h",
                b"\x1b[2J",
                b"\x1b[K",
                b"\x1b[3;9r",
                b"\x1b[?6h",
            ]
            + [b"\x1b[%dm" % n for n in (0, 1, 4, 7, 8, 31, 42)]
            + [b"\x1b[48;2;9;8;7m", b"\x1b[38;5;200m", b"\x1b[99999;99999H", b"\x1b[5;5H", b"\x1b[999999999b"]
            + [
                b"\x1b[4h",
                b"\x1b[9P",
                b"\x1b[9@",
                b"\x1b[3L",
                b"\x1b[3M",
                b"\x1b[5S",
                b"\x1b[5T",
                b"\x1bM",
                b"\x1b]0;title\x07",
            ]
            + [b"\x1b]8;;http://x\x07", b"\x1b[c\x1b[6n", b"\x1b]7501;state=idle\x07", b"\x1b]9;hello\x07", b"\x1b[?5h"]
            + [
                "世界👨\u200d👩\u200d👧e\u0301".encode(),
                "a\u202eb".encode(),
                b"\xff\xfe\xc3",
                b"\x1b_Ga=T,f=24,s=1,v=1;AAAA\x1b\\",
            ]
        ),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(soup, st.data())
def test_survives_any_bytes(pieces: list[bytes], data: st.DataObject) -> None:
    """Any bytes, cut anywhere and mixed with resizes, leave a safe screen, and a viewer that skips has all of it."""
    made = screen(30, 8)
    have, version = made.frame_since(None)
    for piece in pieces:
        made.feed(piece)
        if data.draw(st.integers(0, 4)) == 0:
            made.resize(data.draw(st.integers(1, 60)), data.draw(st.integers(1, 20)))
        if data.draw(st.booleans()):
            frame, version = made.frame_since(version)
            have = frame if frame.full else replace(frame, full=True, rows=have.rows | frame.rows)
    frame, _ = made.frame_since(version)
    have = frame if frame.full else replace(frame, full=True, rows=have.rows | frame.rows)
    whole, _ = made.frame_since(None)
    assert have == whole
    # A second look at the same terminal from scratch: what was called unchanged really was.
    assert whole.rows == fresh_look(made)
    text = [run[0] for runs in whole.rows.values() for run in runs]
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for one in text for c in one)
    assert Frame.from_wire(json.loads(encode({"type": "frame", "frame": whole.to_wire()}))["frame"]) == whole
    x, y, _ = whole.cursor
    assert 0 <= x < made.cols
    assert 0 <= y < made.rows
    made.close()


def fresh_look(made: Screen) -> dict:
    grid = type(made._grid)(made._terminal)
    grid.update()
    rows = dict(grid.dirty_rows())
    grid.close()
    return rows


@RECORDED
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_chunking_makes_no_difference(path: Path, data: st.DataObject) -> None:
    """A recording in any pieces, looked at in between or not, ends in the same frame, signals and answers."""
    stream = output_of(path)
    replies: list[bytes] = []
    whole = Screen(100, 30, replies.append)
    whole.feed(stream)
    pieced_replies: list[bytes] = []
    pieced = Screen(100, 30, pieced_replies.append)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=60)))
    looks = data.draw(st.booleans())
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        pieced.feed(stream[start:end])
        if looks:
            pieced.frame_since(None)
    assert pieced.frame_since(None)[0] == whole.frame_since(None)[0]
    assert (pieced.title, pieced.osc7501, pieced.bells, pieced.notifications, pieced.input_modes()) == (
        (whole.title, whole.osc7501, whole.bells, whole.notifications, whole.input_modes())
    )
    assert b"".join(pieced_replies) == b"".join(replies)


@RECORDED
def test_text_is_what_the_library_prints(path: Path) -> None:
    """At many moments of a recording the rows' text is what the library's own text export says."""
    stream = output_of(path)
    made, oracle = screen(100, 30), Terminal(100, 30)
    for start in range(0, len(stream), 2003):
        made.feed(stream[start : start + 2003])
        oracle.feed(stream[start : start + 2003])
        assert (
            "\n".join(made.text()).rstrip() == "\n".join(line.rstrip() for line in oracle.text().split("\n")).rstrip()
        )


@RECORDED
def test_styles_are_what_the_library_says_cell_by_cell(path: Path) -> None:
    """The middle of a recording, run by run, has the styles that the library's slow accessor gives every cell."""
    stream = output_of(path)
    stream = stream[: len(stream) * 2 // 3]
    made, oracle = screen(100, 30, stream), Terminal(100, 30)
    oracle.feed(stream)
    compared = 0
    for y, runs in made.frame_since(None)[0].rows.items():
        x = 0
        for text, foreground, background, attributes in runs:
            for character in text:
                want = oracle.style(x, y)
                assert (foreground, attributes) == (color(want["fg"]), bits(want)), (x, y)
                assert background == color(want["bg"]) or character == " "
                compared += 1
                x += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    assert compared > 200


def color(value: tuple | None) -> object:
    if value is None:
        return None
    return value[1] if value[0] == "palette" else "#{:02x}{:02x}{:02x}".format(*value[1])


def bits(style: dict) -> int:
    named = {"bold": BOLD, "faint": FAINT, "italic": ITALIC, "underline": UNDERLINE, "inverse": INVERSE}
    named |= {"strikethrough": STRIKE, "invisible": INVISIBLE}
    return sum(bit for name, bit in named.items() if style[name])


def test_styled_row() -> None:
    """Text, colours and attributes arrive as runs that tile the row."""
    made = screen(data="a\x1b[1;31mb\x1b[0;48;2;1;2;3mc\x1b[0;7;38;5;99md")
    assert row(made) == (
        ("a", None, None, 0),
        ("b", 1, None, BOLD),
        ("c", None, "#010203", 0),
        ("d", 99, None, INVERSE),
    )


def test_erased_to_the_end_keeps_its_background() -> None:
    """A line erased in a colour shows that colour up to the edge."""
    assert row(screen(cols=6, data="a\x1b[44m\x1b[K")) == (("a", None, None, 0), ("     ", None, 4, 0))


def test_wide_characters_and_clusters() -> None:
    """Wide characters stand once, accents stay with their letter."""
    assert screen(data="世e\u0301x").text()[0] == "世e\u0301x"


def test_wide_character_at_the_edge_wraps() -> None:
    """A wide character that does not fit leaves a gap of one blank."""
    assert screen(cols=3, data="ab世").text()[:2] == ("ab", "世")


def test_invisible_text_is_not_shown() -> None:
    """What the terminal hides is neither text for the detector nor sent to viewers."""
    made = screen(data="a\x1b[8msecret\x1b[0mb")
    assert (made.text()[0], "secret" in str(made.frame_since(None))) == ("a      b", False)


def test_direction_marks_do_not_disguise() -> None:
    """A right-to-left override in the agent's text does not reach a viewer."""
    assert screen(data="a\u202eb").text()[0] == "ab"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (b"\x1b[c", b"\x1b[?62;22c"),
        (b"\x1b[6n", b"\x1b[1;1R"),
        (b"\x1b[?u", b"\x1b[?0u"),
        (b"\x1b[18t", b"\x1b[8;24;80t"),
        (b"\x1b[?996n", b"\x1b[?997;1n"),
        (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
        (b"\x1b]11;?\x1b\\", b"\x1b]11;rgb:1010/1010/1010\x1b\\"),
        (b"\x1b]10;?\x07", b"\x1b]10;rgb:d0d0/d0d0/d0d0\x07"),
    ],
)
def test_answers_queries(question: bytes, answer: bytes) -> None:
    """What agents ask at their start is answered within the same call."""
    assert answers(question) == answer


def test_says_no_to_images_and_keeps_its_title_to_itself() -> None:
    """No viewer shows images, so none are promised; a title that the agent chose is not typed back to it."""
    assert answers(b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b]0;rm -rf\x07\x1b[21t\x1b]52;c;?\x07") == b""


def test_resize_tells_an_agent_that_asked() -> None:
    """With in-band size reports on, a resize is reported at once."""
    replies: list[bytes] = []
    made = Screen(80, 24, replies.append)
    made.feed(b"\x1b[?2048h")
    replies.clear()
    made.resize(100, 30)
    assert (replies, made.cols, made.rows) == ([b"\x1b[48;30;100;480;800t"], 100, 30)


def test_reply_that_cannot_be_delivered_costs_no_output() -> None:
    """When `on_reply` raises, its error reaches the caller and what was fed is on the screen."""

    def refuse(_reply: bytes) -> None:
        raise BrokenPipeError

    made = Screen(20, 4, refuse)
    with pytest.raises(BrokenPipeError):
        made.feed(b"a\x1b[cb")
    made.feed(b"c")
    assert made.text()[0] == "abc"


def test_signals_besides_the_screen() -> None:
    """Bells, notifications, the title and the state that Codex reports are taken, and cleaned."""
    made = screen(data="\x07\x07\x1b]9;one\x07\x1b]777;notify;two;three\x07\x1b]2;a\u202e title\x07")
    made.feed(b"\x1b]7501;state=working:app=codex\x1b\\\x1b]7501;state=idle\x07")
    assert (made.bells, made.notifications, made.title, made.osc7501) == (
        2,
        ["one", "two: three"],
        "a title",
        "state=idle",
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 120))
@example(51)
def test_notifications_are_capped(count: int) -> None:
    """However many there are, the newest 50 are kept."""
    made = screen(data="".join(f"\x1b]9;n{n}\x07" for n in range(count)))
    assert made.notifications == [f"n{n}" for n in range(count)][-50:]


def test_modes_are_seen() -> None:
    """Bracketed paste, the alternate screen and synchronised drawing are reported while they are on."""
    made = screen()
    assert (made.bracketed_paste, made.alternate_screen, made.synchronized) == (False, False, False)
    made.feed(b"\x1b[?2004h\x1b[?1049h\x1b[?2026h")
    assert (made.bracketed_paste, made.alternate_screen, made.synchronized) == (True, True, True)


def test_input_modes_carry_over() -> None:
    """A fresh terminal that is fed the input modes is in the modes that the agent asked for."""
    made = screen(data="\x1b[?1h\x1b[?1002h\x1b[?1006h\x1b[?1004h\x1b[?2004h\x1b[>5u")
    other = screen(data=made.input_modes())
    assert (other.input_modes(), screen().input_modes()) == (made.input_modes(), b"")
    assert made.input_modes() == b"\x1b[?1h\x1b[?1002h\x1b[?1004h\x1b[?1006h\x1b[?2004h\x1b[>5u"


def test_version_grows_only_with_what_shows() -> None:
    """Output that changes nothing visible is no new version; a new character is."""
    made = screen(data="abc")
    before = made.version
    made.feed(b"\x1b[?2004h\rabc\x1b]7501;state=idle\x07")
    assert made.version == before
    made.feed(b"d")
    assert made.version > before


def test_frame_holds_only_what_changed() -> None:
    """A viewer that is up to date gets the one row that changed."""
    made = screen(data="one\r\ntwo\r\nthree")
    _, version = made.frame_since(None)
    made.feed(b"\x1b[2;1HTWO")
    frame, _ = made.frame_since(version)
    assert (frame.full, list(frame.rows)) == (False, [1])


def test_rows_are_looked_at_once() -> None:
    """After a look, only rows that were written to are looked at again; a look at a still screen costs no row."""
    made = screen(data="one\r\ntwo\r\nthree")
    made.frame_since(None)
    made.feed(b"!")
    made._grid.update()
    assert [y for y, _ in made._grid.dirty_rows()] == [2]
    made._grid.update()
    assert list(made._grid.dirty_rows()) == []


def test_resize_sends_everything() -> None:
    """After a resize a viewer's old version gets every row in the new size."""
    made = screen(data="one\r\ntwo")
    _, version = made.frame_since(None)
    made.resize(30, 6)
    frame, _ = made.frame_since(version)
    assert (frame.full, frame.cols, frame.rows_total, len(frame.rows)) == (True, 30, 6, 6)
    assert frame.rows[0] == (("one", None, None, 0),)


def test_scrollback_is_wrapped_back_in() -> None:
    """A taller screen gets its earlier rows back, more of them than the library's own limit would hold."""
    made = screen(80, 24, "".join(f"line {n}\r\n" for n in range(1500)))
    made.resize(80, 80)
    assert "line 1430" in made.text()
    assert made._terminal.get("scrollback_max_bytes", "size_t") > 1 << 20


@pytest.mark.parametrize("cut", [b"", b"\x1b]0;half", b"\x1bPhalf", b"\x1b_half", b"\x1b[12", b"\xe4\xb8"])
def test_reset_leaves_nothing_of_the_old_agent(cut: bytes) -> None:
    """After a reset, also in the middle of a sequence, all is as on a new screen, and viewers see it change."""
    made = screen(data="\x1b[?2004h\x1b[?1049h\x1b[?1002h\x1b[>5u\x1b[?2026h\x1b[?25l\x1b[31mtext\x07\x1b]2;title\x07")
    made.feed(b"\x1b]9;note\x07\x1b]7501;state=idle\x07" + cut)
    before = made.version
    made.reset()
    assert made.version > before
    new = screen()
    for one in (made, new):
        one.feed(b"new")
    assert made.frame_since(None)[0] == new.frame_since(None)[0]
    assert (made.input_modes(), made.osc7501, made.bells, made.notifications, made.title) == (b"", "", 0, [], "")
    assert (made.bracketed_paste, made.alternate_screen, made.synchronized) == (False, False, False)


@RECORDED
def test_a_repaint_is_the_screen_again(path: Path) -> None:
    """At many moments a blank screen that is fed the repaint shows the same text and is in the same modes."""
    stream = output_of(path)
    made = screen(100, 30)
    for start in range(0, len(stream), max(2003, len(stream) // 40)):
        made.feed(stream[start : start + max(2003, len(stream) // 40)])
        if (repaint := made.repaint()) is None:
            continue
        again = screen(100, 30, repaint)
        assert again.text() == made.text()
        assert again.frame_since(None)[0].cursor == made.frame_since(None)[0].cursor
        assert (again.title, again.osc7501, again.input_modes(), again.alternate_screen, again.bracketed_paste) == (
            (made.title, made.osc7501, made.input_modes(), made.alternate_screen, made.bracketed_paste)
        )
        again.close()


def test_a_repaint_has_colours_and_no_scrollback() -> None:
    """Styles come along; what has scrolled away does not."""
    made = screen(20, 4, "".join(f"line {n}\r\n" for n in range(30)) + "\x1b[1;31mred\x1b[0m 世")
    repaint = made.repaint()
    assert repaint is not None
    assert screen(20, 4, repaint).frame_since(None)[0].rows == made.frame_since(None)[0].rows
    assert b"line 20" not in repaint


@pytest.mark.parametrize("cut", [b"\x1b", b"\x1b[3", b"\x1b]0;half", b"\x1bPq"])
def test_an_open_sequence_cannot_be_repainted(cut: bytes) -> None:
    """In the middle of a sequence there is no repaint; before it there is."""
    made = screen(data=b"text\x1b[1m")
    assert made.repaint() is not None
    made.feed(cut)
    assert made.repaint() is None


def test_many_screens_can_be_dropped() -> None:
    """Screens that are closed, or only let go, free their memory without harm to the others."""
    kept = screen(data="kept")
    for n in range(50):
        other = screen(data=f"{n}")
        assert other.text()[0] == str(n)
        if n % 2:
            other.close()
    assert kept.text()[0] == "kept"
