"""Packed cells become runs that are safe to show and take the cells' width."""

import string
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.cells import PLAIN, Style, cluster, runs, style_of
from sessions.protocol import BOLD, INVISIBLE, UNDERLINE

RED: Style = (1, None, 0)


def packed(text: str, style: int = 0) -> list[int]:
    return [ord(character) << 2 | style << 26 for character in text]


def no_cluster(x: int) -> str:
    raise AssertionError(f"asked for a cluster in column {x}")


def no_style(x: int) -> Style:
    raise AssertionError(f"asked for a style in column {x}")


def test_plain_row_is_one_run() -> None:
    """Cells without a style need no look at any style, and blank cells at the end are left out."""
    assert runs([*packed("a b"), 0, 0], no_style, no_cluster) == (("a b", None, None, 0),)


def test_blank_row_has_no_runs() -> None:
    """Neither empty cells nor spaces make a run."""
    assert runs([0, *packed("  "), 0], no_style, no_cluster) == ()


def test_style_is_asked_once_a_run() -> None:
    """A run's style is asked in its first column and nowhere else."""
    asked: list[int] = []

    def style_at(x: int) -> Style:
        asked.append(x)
        return RED

    row = runs([*packed("ab"), *packed("cde", style=7), *packed("f")], style_at, no_cluster)
    assert (row, asked) == ((("ab", *PLAIN), ("cde", *RED), ("f", *PLAIN)), [2])


@pytest.mark.parametrize(
    ("style", "kept"), [((None, 4, 0), True), ((1, None, BOLD), False), ((None, None, UNDERLINE), True)]
)
def test_blank_end_stays_only_where_it_shows(style: Style, kept: bool) -> None:
    """Spaces at the end stay when a background or a line makes them visible."""
    row = runs([*packed("a"), *packed("  ", style=3)], lambda _x: style, no_cluster)
    assert row == ((("a", *PLAIN), ("  ", *style)) if kept else (("a", *PLAIN),))


def test_background_cells_show_their_colour() -> None:
    """Cells that hold only a background are spaces of that palette entry or direct colour."""
    assert runs([2 | 9 << 2, 3 | 0x302010 << 2], no_style, no_cluster) == ((" ", None, 9, 0), (" ", None, "#102030", 0))


def test_invisible_text_is_not_sent() -> None:
    """Text that the terminal does not display is blank for every viewer, at its width, a wide character included."""
    wide = [ord("世") << 2 | 5 << 26 | 1 << 42, 5 << 26 | 2 << 42]
    row = runs([*packed("ab", style=5), *wide, *packed("c")], lambda _x: (None, None, INVISIBLE), no_cluster)
    assert row == (("    ", None, None, INVISIBLE), ("c", *PLAIN))


@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=40), st.text(max_size=40))
def test_any_cells_make_safe_text(cells: list[int], points: str) -> None:
    """Whatever 64 bits a cell holds, no control or format character but a joiner comes out."""
    row = runs(cells, lambda _x: PLAIN, lambda _x: points)
    text = "".join(run[0] for run in row)
    assert all(character.isprintable() or character in " \u200c\u200d" or character > "\x9f" for character in text)
    assert not set(text) & set(
        map(chr, [*range(32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
    )
    text.encode()


def test_cluster_keeps_an_emoji_whole() -> None:
    """A joined emoji in one wide cell keeps its joiners."""
    assert cluster("👨\u200d👩\u200d👧", wide=True) == "👨\u200d👩\u200d👧"


def test_cluster_does_not_reach_into_its_neighbour() -> None:
    """A joiner at the cell's end and a selector that would widen a narrow cell are dropped."""
    assert (cluster("👨\u200d", wide=True), cluster("❤\ufe0f", wide=False)) == ("👨", "❤")


def test_cluster_hides_no_text() -> None:
    """Tag characters and direction marks are dropped; marks alone become a blank; a heap of accents is cut."""
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in string.ascii_lowercase)
    assert cluster("a" + tags, wide=False) == "a"
    assert cluster("a\u202e", wide=False) == "a"
    assert (cluster("\u0301", wide=False), cluster("\u0301", wide=True)) == (" ", "  ")
    assert len(cluster("e" + "\u0301" * 500, wide=False)) < 20


def test_style_takes_colours_and_attributes() -> None:
    """The library's style becomes colours as palette number or #rrggbb, and bits."""
    rgb = SimpleNamespace(tag=2, value=SimpleNamespace(rgb=SimpleNamespace(r=1, g=2, b=255)))
    palette = SimpleNamespace(tag=1, value=SimpleNamespace(palette=208))
    flags = dict.fromkeys(("faint", "italic", "inverse", "strikethrough", "invisible"), False)
    assert style_of(SimpleNamespace(fg_color=rgb, bg_color=palette, bold=True, underline=3, **flags)) == (
        "#0102ff",
        208,
        BOLD | UNDERLINE,
    )
