"""A frame as the bytes that draw it on a real terminal: what the one who takes the wheel sees first. Pure."""

from typing import Final

from sessions.protocol import BOLD, FAINT, INVERSE, INVISIBLE, ITALIC, STRIKE, UNDERLINE, Color, Frame, Row

_SGR: Final = ((BOLD, 1), (FAINT, 2), (ITALIC, 3), (UNDERLINE, 4), (INVERSE, 7), (INVISIBLE, 8), (STRIKE, 9))


def repaint(frame: Frame) -> bytes:
    """Clear the terminal and draw a full frame with its cursor. Input modes are `Screen.input_modes`'s business."""
    drawn = "".join(f"\x1b[{y + 1};1H{_row(row)}" for y, row in frame.rows.items() if row)
    x, y, shown = frame.cursor
    return f"\x1b[0m\x1b[H\x1b[2J{drawn}\x1b[0m\x1b[{y + 1};{x + 1}H\x1b[?25{'h' if shown else 'l'}".encode()


def _row(row: Row) -> str:
    return "".join(
        f"\x1b[{';'.join(['0', *_attributes(bits), *_color(fg, 38), *_color(bg, 48)])}m{text}"
        for text, fg, bg, bits in row
    )


def _attributes(bits: int) -> list[str]:
    return [str(code) for bit, code in _SGR if bits & bit]


def _color(color: Color, layer: int) -> list[str]:
    if color is None:
        return []
    if isinstance(color, int):
        return [str(layer), "5", str(color)]
    return [str(layer), "2", *(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))]
