"""A picture knows what a viewer lacks."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sessions.picture import Picture
from sessions.protocol import Frame, Row

SIZE = (10, 4)
CURSOR = (0, 0, True)


def row(text: str) -> Row:
    return ((text, None, None, 0),) if text else ()


changes = st.lists(
    st.tuples(
        st.sampled_from([(10, 4), (12, 6)]),
        st.tuples(st.integers(0, 9), st.integers(0, 3), st.booleans()),
        st.sampled_from(["", "one", "two"]),
        st.dictionaries(st.integers(0, 3), st.sampled_from(["", "a", "b"]), max_size=4),
    ),
    max_size=8,
)


@given(changes, st.data())
def test_viewer_that_skips_ends_up_with_the_whole_picture(steps: list, data: st.DataObject) -> None:
    """Whichever versions a viewer skips, putting each frame over what it has gives what a new viewer gets."""
    picture, have, version = Picture(), Frame(True, 0, 0, CURSOR, ""), None
    for size, cursor, title, rows in steps:
        picture.show(size, cursor, title, ((y, row(text)) for y, text in rows.items()))
        if data.draw(st.booleans()):
            frame, version = picture.frame_since(version), picture.version
            have = frame if frame.full else replace(frame, full=True, rows=have.rows | frame.rows)
    frame = picture.frame_since(version)
    have = frame if frame.full else replace(frame, full=True, rows=have.rows | frame.rows)
    assert have == picture.frame_since(None)


def test_same_rows_again_are_no_change() -> None:
    """A row that is called changed but looks the same costs no version and no bytes."""
    picture = Picture()
    picture.show(SIZE, CURSOR, "", [(1, row("a"))])
    before = picture.version
    picture.show(SIZE, CURSOR, "", [(1, row("a"))])
    assert (picture.version, picture.frame_since(before).rows) == (before, {})


def test_cursor_and_title_are_changes() -> None:
    """A moved cursor or a new title is a new version without rows."""
    picture = Picture()
    picture.show(SIZE, CURSOR, "", [])
    before = picture.version
    picture.show(SIZE, (1, 0, True), "t", [])
    frame = picture.frame_since(before)
    assert (picture.version > before, frame.rows, frame.cursor, frame.title) == (True, {}, (1, 0, True), "t")


def test_version_of_another_picture_gets_everything() -> None:
    """A viewer of a screen that was replaced names a version that is not ours, and gets every row."""
    picture = Picture()
    picture.show(SIZE, CURSOR, "", [])
    frame = picture.frame_since(picture.version + 5)
    assert (frame.full, len(frame.rows)) == (True, 4)
