"""From an emulator row's packed cells to the styled runs that viewers get. Pure: no emulator is touched.

A packed cell is libghostty-vt's 64-bit `GhosttyCell`, of the version that pyproject.toml pins. Its layout is
not documented; the tests hold it against the library's own accessors.

    bits 0-1    content: 0 a character, 1 a character with more code points, 2 a palette colour, 3 an RGB colour
    bits 2-25   the code point, palette index or RGB (red lowest); 2 and 3 are blank cells with that background
    bits 26-41  style id, valid for this page of this screen only
    bits 42-43  width: 0 narrow, 1 wide, 2 the right half of a wide one, 3 a gap left before a wrapped wide one
"""

import unicodedata
from collections.abc import Callable
from typing import Any, Final

from sessions.protocol import BOLD, FAINT, INVERSE, INVISIBLE, ITALIC, STRIKE, UNDERLINE, Color, Row, Run

Style = tuple[Color, Color, int]
"""Foreground, background, attributes."""

PLAIN: Final[Style] = (None, None, 0)

_WITH_MORE: Final = 1
_ONLY_BACKGROUND: Final = 2
_RGB: Final = 1
_STYLE_BITS: Final = 0xFFFF << 26
_LOOK_OF_BACKGROUND: Final = _STYLE_BITS | 0x3FF_FFFF
_WIDE: Final = 1
_RIGHT_HALF: Final = 2

# GhosttyStyleColorTag
_STYLE_PALETTE: Final = 1
_STYLE_RGB: Final = 2

# What shows on a blank cell; the other attributes and the foreground do not.
_SHOWS_ON_BLANK: Final = UNDERLINE | INVERSE | STRIKE

# Controls, formats (among them the bidirectional marks, which could disguise what a row says, and the tag
# characters, which can hide a whole text), surrogates, line and paragraph separators.
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Marks that take no cell of their own; without a character to sit on they would slide onto the cell before.
_MARKS: Final = frozenset({"Mn", "Me"})
_CLUSTER_KEPT: Final = 16  # code points; the longest emoji has ten, and a cell may hold hundreds of accents
_JOINERS: Final = "\u200c\u200d"  # formats that a cluster needs to look right, and that do nothing on their own
_EMOJI_SELECTOR: Final = "\ufe0f"


class _Glyphs(dict[int, str]):
    """Code point -> what to show for it, made on first use; every Unicode text on one screen must not fill memory."""

    def __missing__(self, point: int) -> str:
        if len(self) > 20_000:
            self.clear()
        glyph = chr(point) if 0 < point <= 0x10FFFF else " "
        self[point] = glyph = " " if unicodedata.category(glyph) in _UNSAFE | _MARKS else glyph
        return glyph


_glyphs: Final = _Glyphs()


def style_of(style: Any) -> Style:
    """The library's `GhosttyStyle` as what a run carries; blinking and lines above are left out."""
    attributes = (
        BOLD * style.bold
        | FAINT * style.faint
        | ITALIC * style.italic
        | UNDERLINE * (style.underline != 0)
        | INVERSE * style.inverse
        | STRIKE * style.strikethrough
        | INVISIBLE * style.invisible
    )
    return _color(style.fg_color), _color(style.bg_color), int(attributes)


def _color(color: Any) -> Color:
    if color.tag == _STYLE_PALETTE:
        return int(color.value.palette)
    if color.tag == _STYLE_RGB:
        return f"#{color.value.rgb.r:02x}{color.value.rgb.g:02x}{color.value.rgb.b:02x}"
    return None


def cluster(text: str, *, wide: bool) -> str:
    """A cell's code points as text that is safe to show and takes the cell's width.

    Without mode 2027 the emulator gives every emoji of a joined sequence its own cells; the joiner at a cell's end
    would make a viewer draw them as one. The same goes for the selector that would widen a narrow character.
    """
    kept = [c for c in text[:_CLUSTER_KEPT] if c in _JOINERS or unicodedata.category(c) not in _UNSAFE]
    if not wide:
        kept = [c for c in kept if c != _EMOJI_SELECTOR]
    shown = "".join(kept).strip(_JOINERS)
    if not shown or unicodedata.category(shown[0]) in _MARKS:
        return "  " if wide else " "
    return shown


def runs(cells: list[int], style_at: Callable[[int], Style], cluster_at: Callable[[int], str]) -> Row:
    """A row's runs, up to its last cell that is not blank.

    Args:
        cells: the packed cells, from column 0.
        style_at: the style of the cell in a column; asked once a run, and never for one without a style.
        cluster_at: all code points of the cell in a column; asked where there are more than one.
    """
    found: list[Run] = []
    pieces: list[str] = []
    look = start = x = 0
    for x, cell in enumerate(cells):
        breadth = cell >> 42 & 3
        if breadth == _RIGHT_HALF:
            continue
        now = cell & (_LOOK_OF_BACKGROUND if cell & _ONLY_BACKGROUND else _STYLE_BITS)
        if now != look:
            if x > start:
                found.append(_run(pieces, _style(look, start, style_at), x - start))
            pieces, look, start = [], now, x
        if cell & _ONLY_BACKGROUND:
            pieces.append(" ")
        elif cell & _WITH_MORE:
            pieces.append(cluster(cluster_at(x), wide=breadth == _WIDE))
        else:
            glyph = _glyphs[cell >> 2 & 0xFF_FFFF]
            pieces.append("  " if glyph == " " and breadth == _WIDE else glyph)
    if pieces:
        found.append(_run(pieces, _style(look, start, style_at), x + 1 - start))
    return _without_blank_end(found)


def _style(look: int, x: int, style_at: Callable[[int], Style]) -> Style:
    style = style_at(x) if look & _STYLE_BITS else PLAIN
    if not look & _ONLY_BACKGROUND:
        return style
    value = look >> 2 & 0xFF_FFFF
    if not look & _RGB:
        return style[0], value & 0xFF, style[2]
    return style[0], f"#{value & 0xFF:02x}{value >> 8 & 0xFF:02x}{value >> 16:02x}", style[2]


def _run(pieces: list[str], style: Style, cells: int) -> Run:
    # What is not displayed is not sent either: neither a viewer nor the detector can then take it for text.
    text = " " * cells if style[2] & INVISIBLE else "".join(pieces)
    return text, *style


def _without_blank_end(found: list[Run]) -> Row:
    while found:
        text, foreground, background, attributes = found[-1]
        if background is not None or attributes & _SHOWS_ON_BLANK:
            break
        kept = text.rstrip(" ")
        if kept:
            found[-1] = (kept, foreground, background, attributes)
            break
        found.pop()
    return tuple(found)
