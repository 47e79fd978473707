"""Styled lines as plain values: what the window's pure functions produce and its widgets paint.

A line is spans of text with a tone. A tone is a meaning ("good", "bad"), never a colour: the style sheet gives it
one. Text is text: nothing in it is read as markup.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from rich.cells import cell_len, chop_cells, set_cell_size

Tone = Literal["", "strong", "quiet", "good", "warn", "bad", "busy", "accent"]
TONES: Final[tuple[Tone, ...]] = ("", "strong", "quiet", "good", "warn", "bad", "busy", "accent")

Span = tuple[str, Tone]
Line = tuple[Span, ...]
Align = Literal["left", "right"]

SEPARATOR: Final[Span] = ("  ·  ", "quiet")
_WORDS: Final = re.compile(r"\s+|\S+")


def line(*parts: str | Span) -> Line:
    """A line from texts (without a tone) and spans; empty ones are left out."""
    spans: list[Span] = [(part, "") if isinstance(part, str) else part for part in parts]
    return tuple(span for span in spans if span[0])


def plain(one: Line) -> str:
    """The line's text."""
    return "".join(text for text, _tone in one)


def width(one: Line) -> int:
    """Terminal cells that the line takes."""
    return sum(cell_len(text) for text, _tone in one)


def fit(one: Line, cells: int, align: Align = "left") -> Line:
    """The line made exactly `cells` wide: padded, or cut with an ellipsis."""
    if cells <= 0:
        return ()
    missing = cells - width(one)
    if missing >= 0:
        pad: Span = (" " * missing, "")
        return line(*one, pad) if align == "left" else line(pad, *one)
    kept: list[Span] = []
    left = cells - 1
    for text, tone in one:
        size = cell_len(text)
        if size > left:
            kept.append((set_cell_size(text, left), tone))
            break
        kept.append((text, tone))
        left -= size
    tone = kept[-1][1] if kept else ""
    return line(*kept, ("…", tone))


def wrap(one: Line, cells: int, hang: int = 0) -> list[Line]:
    """The line broken between words into lines of at most `cells`; those after the first are indented by `hang`."""
    if cells <= 0 or width(one) <= cells:
        return [one]
    indent = " " * min(hang, cells // 2)
    lines: list[list[Span]] = [[]]
    used = 0
    for text, tone in _pieces(one, max(2, cells - len(indent))):
        size = cell_len(text)
        if used + size > cells:
            if text.isspace():
                continue  # the break takes its place
            lines.append([(indent, "")])
            used = len(indent)
        lines[-1].append((text, tone))
        used += size
    return [line(*spans) for spans in lines]


def _pieces(one: Line, most: int) -> Iterator[Span]:
    """Words and the blanks between them, none wider than `most` cells."""
    for text, tone in one:
        for piece in _WORDS.findall(text):
            yield from ((part, tone) for part in chop_cells(piece, most))


def joined(parts: Sequence[Line], cells: int, separator: Span = SEPARATOR) -> Line:
    """As many of the parts as fit into `cells`, in order of importance; only the first is ever cut."""
    if not parts:
        return ()
    whole = list(parts[0] if width(parts[0]) <= cells else fit(parts[0], cells))
    used = sum(cell_len(text) for text, _tone in whole)
    for part in parts[1:]:
        more = width(part) + cell_len(separator[0])
        if not part or used + more > cells:
            continue
        whole += [separator, *part]
        used += more
    return tuple(whole)


def spread(left: Line, right: Line, cells: int) -> Line:
    """Two lines at the two ends of one; the right one gives way."""
    gap = cells - width(left) - width(right)
    if gap < 2:
        return fit(left, cells)
    return line(*left, (" " * gap, ""), *right)


def row(cells: Sequence[tuple[Line, int, Align]], gap: int = 2) -> Line:
    """A table row: each cell's line, its width and its side."""
    spans: list[Span] = []
    for i, (content, size, align) in enumerate(cells):
        if i:
            spans.append((" " * gap, ""))
        spans += fit(content, size, align)
    return tuple(spans)
