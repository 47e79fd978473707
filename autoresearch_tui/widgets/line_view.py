"""A widget that paints styled lines, and repaints only those that changed.

The panels differ in the lines that they make of the state; scrolling, the cursor row and the painting are here.
"""

from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from autoresearch_tui.lines import TONES, Line, fit, width

_CURSOR: Final = "line-view--cursor"


class LineView(ScrollView):
    """Lines, with an optional heading that stays and an optional cursor row.

    A subclass makes its lines in `make` and calls `remake` when what it shows has changed; they are also made again
    when the size changes, for lines are made for a width.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {_CURSOR, *(f"tone--{tone}" for tone in TONES if tone)}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False),
        Binding("k,up", "move(-1)", "Up", show=False),
        Binding("g,home", "move(-1000000)", "First", show=False),
        Binding("G,end", "move(1000000)", "Last", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
    ]
    has_cursor: ClassVar[bool] = False
    # Lines that are too long are cut with a sign, unless one can scroll to their ends.
    scrolls_sideways: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._heading: Line | None = None
        self._cursor = 0

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The heading (None: there is none) and the lines for this size, in cells."""
        raise NotImplementedError

    def remake(self) -> None:
        """Make the lines again and repaint those that differ."""
        if not self.is_mounted or not self.size:
            return
        cells, height = self.content_size
        heading, lines = self.make(cells, height)
        if len(lines) + (heading is not None) > height and self.styles.overflow_y == "auto":
            cells -= 1  # the scrollbar's
            heading, lines = self.make(cells, height)
        if not self.scrolls_sideways:
            lines = [one if width(one) <= cells else fit(one, cells) for one in lines]
        before, self._lines = self._lines, lines
        heading_changed, self._heading = heading != self._heading, heading
        self._cursor = max(0, min(self._cursor, len(lines) - 1))
        widest = max((width(one) for one in lines), default=0)
        size = Size(widest, len(lines) + self._top)
        if size != self.virtual_size:
            self.virtual_size = size
        if len(before) != len(lines) or heading_changed:
            self.refresh()
            return
        changed = [y for y, one in enumerate(lines) if one != before[y]]
        self._refresh_lines(changed)

    @property
    def _top(self) -> int:
        return 0 if self._heading is None else 1

    def _refresh_lines(self, indices: list[int]) -> None:
        offset = self.scroll_offset.y
        rows = [self._top + y - offset for y in indices]
        visible = [Region(0, y, self.size.width, 1) for y in rows if self._top <= y < self.size.height]
        if visible:
            self.refresh(*visible)

    def on_resize(self) -> None:
        """Lines are made for a width."""
        self.remake()

    def notify_style_update(self) -> None:
        """The theme changed: every colour may have."""
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Textual's line API: the strip at row `y` of the widget."""
        cells = self.size.width
        base = self.rich_style
        if self._heading is not None and y == 0:
            return self._strip(self._heading, base, 0, cells)
        index = y - self._top + self.scroll_offset.y
        if not 0 <= index < len(self._lines):
            return Strip.blank(cells, base)
        if self.has_cursor and index == self._cursor:
            base += self.get_component_rich_style(_CURSOR, partial=True)
        return self._strip(self._lines[index], base, self.scroll_offset.x, cells)

    def _strip(self, one: Line, base: Style, start: int, cells: int) -> Strip:
        segments = [
            Segment(text, base + self.get_component_rich_style(f"tone--{tone}", partial=True) if tone else base)
            for text, tone in one
        ]
        return Strip(segments).crop_extend(start, start + cells, base)

    @property
    def cursor(self) -> int:
        """The index of the cursor's line."""
        return self._cursor

    def put_cursor(self, index: int) -> None:
        """Move the cursor to a line, as far as there are lines, and scroll it into view."""
        before, self._cursor = self._cursor, max(0, min(index, len(self._lines) - 1))
        if before == self._cursor:
            return
        self._refresh_lines([before, self._cursor])
        room = self.size.height - self._top
        offset = self.scroll_offset.y
        if self._cursor < offset:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= offset + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False)

    def cursor_moved(self) -> None:
        """A hook: the person put the cursor on a line."""

    def action_move(self, lines: int) -> None:
        """Move the cursor, or scroll where there is none."""
        if self.has_cursor:
            self.put_cursor(self._cursor + lines)
            self.cursor_moved()
        else:
            self.scroll_to(y=self.scroll_offset.y + lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Move by what is visible."""
        self.action_move(pages * max(1, self.size.height - self._top - 1))

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is."""
        offset = event.get_content_offset(self)
        if self.has_cursor and offset is not None and offset.y >= self._top:
            self.put_cursor(offset.y - self._top + self.scroll_offset.y)
            self.cursor_moved()
