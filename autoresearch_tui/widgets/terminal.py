"""The agent's live terminal: rows of styled runs, painted as they come. Only rows that changed are painted again.

It emulates nothing (the supervisor does) and sends nothing: typing to the agent is taking the wheel.
"""

from functools import lru_cache
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from autoresearch_tui.activity import not_nudged
from autoresearch_tui.changes import Link
from autoresearch_tui.state import AgentScreen, SessionView
from autoresearch_tui.themes import palette
from harness.text import clean
from sessions.protocol import BOLD, FAINT, INVERSE, INVISIBLE, ITALIC, STRIKE, UNDERLINE, Color, Row

_NOTE: Final = "agent-terminal--note"


class AgentTerminal(Widget, can_focus=True):
    """The agent's screen, or the part around its cursor where the panel is smaller."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {_NOTE}
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "app.wheel", "take the wheel")]

    class Resized(Message):
        """The panel has another size now: columns and rows."""

        def __init__(self, size: Size) -> None:
            super().__init__()
            self.cells: Final = size

    class Moved(Message):
        """Another part of the agent's screen shows."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._screen: AgentScreen | None = None
        self._note = ""
        self._origin = (0, 0)
        self._held = ""
        self.cropped = ""

    def show(self, view: SessionView) -> None:
        """Show a session's screen; where there is none, say why."""
        note = "" if view.screen is not None else _why_dark(view)
        held = not_nudged(view)
        if held != self._held:
            self._held = held
            self._subtitle()
        before, after = self._screen, view.screen
        if after is before and note == self._note:
            return
        self._screen, self._note = after, note
        origin = self._wanted_origin()
        same_place = origin == self._origin and before is not None and after is not None
        self._origin = origin
        self._say_what_is_cropped()
        if not same_place or before is None or after is None or len(before.rows) != len(after.rows):
            self.refresh()
            return
        changed = {y for y, row in enumerate(after.rows) if row is not before.rows[y] and row != before.rows[y]}
        if before.cursor != after.cursor:
            changed |= {before.cursor[1], after.cursor[1]}
        top = origin[1]
        regions = [Region(0, y - top, self.size.width, 1) for y in changed if 0 <= y - top < self.size.height]
        if regions:
            self.refresh(*regions)

    def _wanted_origin(self) -> tuple[int, int]:
        """The screen's cell in the panel's upper left corner: moved no further than the cursor needs."""
        if self._screen is None:
            return (0, 0)
        x, y, shown = self._screen.cursor
        left, top = self._origin
        return (
            _scrolled(left, x if shown else 0, self._screen.width, self.size.width),
            _scrolled(top, y if shown else self._screen.height - 1, self._screen.height, self.size.height),
        )

    def _say_what_is_cropped(self) -> None:
        screen = self._screen
        left, top = self._origin
        parts: list[str] = []
        if screen is not None and screen.height > self.size.height:
            parts.append(f"rows {top + 1}–{top + self.size.height} of {screen.height}")
        if screen is not None and screen.width > self.size.width:
            parts.append(f"columns {left + 1}–{left + self.size.width} of {screen.width}")
        text = f"cropped: {', '.join(parts)}" if parts else ""
        if text != self.cropped:
            self.cropped = text
            self._subtitle()
            self.post_message(self.Moved())

    def _subtitle(self) -> None:
        held = f"no nudge: {self._held}" if self._held else ""
        self.border_subtitle = Content("  ·  ".join(filter(None, (held, self.cropped))))

    def on_resize(self, event: Resize) -> None:
        """The agent gets the panel's size; until it has drawn itself anew, this is what there is."""
        self._origin = self._wanted_origin()
        self._say_what_is_cropped()
        self.refresh()
        if event.size.width and event.size.height:
            self.post_message(self.Resized(self.size))

    def render_line(self, y: int) -> Strip:
        """Textual's line API: the strip at row `y` of the widget."""
        cells = self.size.width
        base = self.rich_style
        if self._screen is None:
            note = f" {self._note}" if y == 0 else ""
            style = base + self.get_component_rich_style(_NOTE, partial=True)
            return Strip([Segment(note, style)]).crop_extend(0, cells, base)
        left, top = self._origin
        row_number = y + top
        if row_number >= self._screen.height:
            return Strip.blank(cells, base)
        strip = row_strip(self._screen.rows[row_number], base)
        cursor_x, cursor_y, shown = self._screen.cursor
        if shown and cursor_y == row_number:
            strip = _with_cursor(strip.extend_cell_length(cursor_x + 1, base), cursor_x)
        return strip.crop_extend(left, left + cells, base)


def _scrolled(offset: int, cursor: int, size: int, room: int) -> int:
    """Where to start showing `size` cells in `room`, from where it is now, so that the cursor is seen."""
    if size <= room or room <= 0:
        return 0
    around = min(3, (room - 1) // 2)  # an agent's hints stand below its composer
    if cursor < offset:
        offset = cursor - around
    elif cursor >= offset + room:
        offset = cursor - room + 1 + around
    return max(0, min(offset, size - room))


def _why_dark(view: SessionView) -> str:
    match view.link:
        case Link.CONNECTING:
            return "connecting"
        case Link.DEAD:
            return "no supervisor: press r to resume"
        case Link.STOPPED:
            return "stopped: press r to start it again"
    return "waiting for the agent's screen"


def row_strip(row: Row, base: Style) -> Strip:
    """A row of runs as a strip; control characters, should there be any, are removed."""
    segments = [
        Segment(text if text.isprintable() else clean(text).replace("\n", " ").replace("\t", " "), base + style)
        for text, foreground, background, attributes in row
        if (style := _style(foreground, background, attributes, base)) is not None
    ]
    return Strip(segments)


@lru_cache(maxsize=2048)
def _style(foreground: Color, background: Color, attributes: int, base: Style) -> Style:
    front, back = _color(foreground), _color(background)
    if attributes & INVERSE:
        # Swapped here, so that a terminal's default colours swap to ours and not to the outer terminal's.
        front, back = back or _named(base.bgcolor), front or _named(base.color)
    if attributes & INVISIBLE:
        front = back or _named(base.bgcolor)
    return Style(
        color=front,
        bgcolor=back,
        bold=bool(attributes & BOLD) or None,
        dim=bool(attributes & FAINT) or None,
        italic=bool(attributes & ITALIC) or None,
        underline=bool(attributes & UNDERLINE) or None,
        strike=bool(attributes & STRIKE) or None,
    )


def _color(color: Color) -> str | None:
    if isinstance(color, int):
        return palette()[color] if 0 <= color < 256 else None
    if isinstance(color, str) and len(color) == 7 and color[0] == "#" and color[1:].isalnum():
        return color if all(digit in "0123456789abcdefABCDEF" for digit in color[1:]) else None
    return None


def _named(color: object) -> str | None:
    name = getattr(color, "name", None)
    return name if isinstance(name, str) and name != "default" else None


def _with_cursor(strip: Strip, x: int) -> Strip:
    """The strip with its cell `x` reversed, which is how terminals draw their cursor."""
    cells = strip.cell_length
    before, under, after = strip.crop(0, x), strip.crop(x, x + 1), strip.crop(x + 1, cells)
    reverse = Style(reverse=True)
    marked = [Segment(segment.text, (segment.style or Style()) + reverse) for segment in under]
    return Strip([*before, *marked, *after])
