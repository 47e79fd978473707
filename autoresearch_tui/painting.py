"""Frames as the bytes that draw them on a real terminal, for the one who takes the wheel. Pure."""

from typing import Final

from sessions.protocol import BOLD, FAINT, INVERSE, INVISIBLE, ITALIC, STRIKE, UNDERLINE, Color, Frame, Row

_SGR: Final = ((BOLD, 1), (FAINT, 2), (ITALIC, 3), (UNDERLINE, 4), (INVERSE, 7), (INVISIBLE, 8), (STRIKE, 9))

# What an agent may have switched on, off again: kitty keys, mouse and its formats, focus reports, paste, cursor keys.
RESET_MODES: Final = "\x1b[<99u" + "".join(
    f"\x1b[?{mode}l" for mode in (1, 9, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004)
)
ENTER: Final = "\x1b[?1049h\x1b[?7l\x1b[0m\x1b[H\x1b[2J"
LEAVE: Final = f"{RESET_MODES}\x1b[0m\x1b[?7h\x1b[?25h\x1b[?2026l\x1b[?1049l"


def paint(frame: Frame, height: int) -> str:
    """Draw a frame's rows and put the cursor where the agent has it; as one synchronized update.

    Of a screen with more than `height` rows the lowest ones are shown: that is where agents have their composers.
    """
    hidden = max(0, frame.rows_total - height)
    clear = "\x1b[0m\x1b[2J" if frame.full else ""
    # Blank first: after the last column is drawn, "erase to the end" would take that cell along.
    rows = "".join(
        f"\x1b[{y - hidden + 1};1H\x1b[0m\x1b[2K{_row(row)}\x1b[0m" for y, row in frame.rows.items() if y >= hidden
    )
    x, y, shown = frame.cursor
    cursor = f"\x1b[{max(0, y - hidden) + 1};{x + 1}H\x1b[?25{'h' if shown and y >= hidden else 'l'}"
    return f"\x1b[?2026h\x1b[?25l{clear}{rows}{cursor}\x1b[?2026l"


def bar(text: str, row: int, cols: int) -> str:
    """Our line, below the agent's screen, in reverse; the cursor goes back to where it was."""
    return f"\x1b7\x1b[{row};1H\x1b[0;7m{text[:cols]:<{cols}}\x1b[0m\x1b8"


def _row(row: Row) -> str:
    return "".join(f"\x1b[{_sgr(fg, bg, bits)}m{text}" for text, fg, bg, bits in row)


def _sgr(fg: Color, bg: Color, bits: int) -> str:
    return ";".join(["0", *(str(code) for bit, code in _SGR if bits & bit), *_color(fg, 38), *_color(bg, 48)])


def _color(color: Color, layer: int) -> list[str]:
    if color is None:
        return []
    if isinstance(color, int):
        return [str(layer), "5", str(color)]
    return [str(layer), "2", *(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))]
