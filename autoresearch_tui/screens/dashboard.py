"""The dashboard: every session in a line, and below it what came of the selected one."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.widgets import Footer

from autoresearch_tui.lines import Line, line
from autoresearch_tui.screens.frame import StateScreen, TooSmall, TopBar, too_small
from autoresearch_tui.state import WindowState
from autoresearch_tui.widgets.chart import Chart
from autoresearch_tui.widgets.line_view import LineView
from autoresearch_tui.widgets.sessions_table import SessionsTable
from autoresearch_tui.widgets.timeline import Timeline

# Below this height the list has the screen to itself.
_PREVIEW_FROM: Final = 20
_WIDE_FROM: Final = 100


class Empty(LineView):
    """What to do when there is no session yet."""

    can_focus = False

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The lines."""
        start: list[tuple[str, str]] = [
            ("autoresearch-tui demo", "a real session in four minutes: no key, no download, no GPU"),
            ("autoresearch-tui new --agent codex", "a session of your own; `new --help` says more"),
            ("autoresearch-tui doctor", "what this machine is missing, and what mends it"),
        ]
        lines: list[Line] = [(), line((" No session yet. From a shell:", "strong")), ()]
        for command, meaning in start:
            lines += [line("   ", (command, "accent")), line("   ", (meaning, "quiet")), ()]
        return None, lines


class Dashboard(StateScreen):
    """All sessions."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "app.open", "open")]

    def __init__(self) -> None:
        super().__init__()
        self._table_height: int | str = ""

    def compose(self) -> ComposeResult:
        """The widgets, top to bottom."""
        yield TooSmall(id="too-small")
        yield TopBar(id="top")
        yield SessionsTable(id="sessions")
        yield Empty(id="empty")
        with Horizontal(id="preview"):
            yield Chart(id="chart", classes="panel")
            yield Timeline(id="timeline", classes="panel")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Name the panels."""
        self.query_one(SessionsTable).border_title = "sessions"
        self.query_one(Chart).border_title = "val_bpb"
        self.query_one(Timeline).border_title = "timeline"
        self.query_one(SessionsTable).focus()

    def on_resize(self, event: Resize) -> None:
        """Another size has room for more or less."""
        self.set_class(too_small(event.size.width, event.size.height), "-too-small")
        self.set_class(event.size.width >= _WIDE_FROM, "-wide")
        self.set_class(event.size.height >= _PREVIEW_FROM, "-tall")
        self._fit_table(self.app.state)  # type: ignore[attr-defined]  # as in StateScreen

    def _fit_table(self, state: WindowState) -> None:
        """The list takes what it needs, and the preview the rest; the style sheet has a limit for long lists."""
        wanted = len(state.sessions) + 3 if self.has_class("-tall") else "1fr"
        if wanted != self._table_height:
            self._table_height = wanted
            self.query_one(SessionsTable).styles.height = wanted

    def show(self, state: WindowState) -> None:
        """Hand the state's parts on."""
        empty = state.scanned and not state.sessions
        self.set_class(empty, "-empty")
        self._fit_table(state)
        self.query_one(TopBar).show(state)
        self.query_one(SessionsTable).show(state)
        selected = state.session(state.selected)
        if selected is not None:
            chart = self.query_one(Chart)
            chart.border_title = f"{selected.id}: val_bpb"
            chart.show(selected)
            self.query_one(Timeline).show(selected)

    def on_click(self) -> None:
        """A click anywhere leaves the keys with the list."""
        self.query_one(SessionsTable).focus()
