"""A session's screen: the answer on top, below it the agent, the results, the change, the machine, the timeline.

The panels keep their numbers at every size. Wide terminals show all of them; a small one, or a zoomed one, shows
the active panel alone.
"""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.events import DescendantFocus, Resize
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Footer

from autoresearch_tui.lines import Line, line, spread
from autoresearch_tui.screens.frame import StateScreen, TooSmall, too_small
from autoresearch_tui.state import SessionView, WindowState
from autoresearch_tui.widgets.answer import Answer, Attention
from autoresearch_tui.widgets.chart import Chart
from autoresearch_tui.widgets.diff import Diff
from autoresearch_tui.widgets.line_view import LineView
from autoresearch_tui.widgets.machine import Machine
from autoresearch_tui.widgets.results import Results
from autoresearch_tui.widgets.terminal import AgentTerminal
from autoresearch_tui.widgets.timeline import Timeline

# Panel's id, and its name; its number is its place here. `results` holds the chart, too.
PANELS: Final = (
    ("agent", "agent"),
    ("results-zone", "results"),
    ("diff", "diff"),
    ("machine", "machine"),
    ("timeline", "timeline"),
)

_VAST_FROM: Final = 180


def layout_for(cells: int, height: int) -> str:
    """The layout for a terminal's size: "wide" (three zones), "medium" (two columns) or "compact" (one panel)."""
    if cells >= 140 and height >= 30:
        return "wide"
    return "medium" if cells >= 100 and height >= 30 else "compact"


class PanelTabs(LineView):
    """The panels' numbers and names in one row, the active one marked; there while only one panel shows."""

    can_focus = False
    active = reactive(0)
    note = reactive("")

    def watch_active(self) -> None:
        """Another panel is active."""
        self.remake()

    def watch_note(self) -> None:
        """There is something else to say about it."""
        self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The row."""
        spans: list[Line] = []
        for i, (_id, name) in enumerate(PANELS):
            mark = "▸" if i == self.active else " "
            spans.append(line((f"{mark}{i + 1} {name}  ", "strong" if i == self.active else "quiet")))
        tabs = tuple(span for one in spans for span in one)
        return None, [spread(tabs, line((f"{self.note} ", "quiet") if self.note else ""), cells)]


class SessionScreen(StateScreen):
    """One session, opened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(i + 1), f"panel({i})", name, show=False) for i, (_id, name) in enumerate(PANELS)),
        Binding("tab", "next_panel(1)", "next panel", show=False),
        Binding("shift+tab", "next_panel(-1)", "panel before", show=False),
        Binding("z", "zoom", "zoom"),
        Binding("escape", "app.leave", "back"),
    ]

    def __init__(self, session: str) -> None:
        super().__init__()
        self._session: Final = session
        self._active = 0
        self._zoomed = False
        self._layout = ""

    def compose(self) -> ComposeResult:
        """The widgets, top to bottom."""
        yield TooSmall(id="too-small")
        yield Answer(compact=False, id="answer")
        yield Attention(id="attention")
        yield Answer(compact=True, id="spark")
        yield PanelTabs(id="tabs")
        with Container(id="zones"):
            yield AgentTerminal(id="agent", classes="panel")
            with Vertical(id="results-zone"):
                yield Chart(id="chart", classes="panel")
                yield Results(id="results", classes="panel")
            yield Diff(id="diff", classes="panel")
            yield Machine(id="machine", classes="panel")
            yield Timeline(id="timeline", classes="panel")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Name the panels and begin with the agent's."""
        for i, (name, title) in enumerate(PANELS):
            widget = self._focusable(name)
            widget.border_title = f"{i + 1} {title}"
        self.query_one(Chart).border_title = "val_bpb"
        self._activate(0)

    def _focusable(self, panel: str) -> Widget:
        return self.query_one("#results" if panel == "results-zone" else f"#{panel}")

    def on_resize(self, event: Resize) -> None:
        """Choose the layout for the new size."""
        self.set_class(too_small(event.size.width, event.size.height), "-too-small")
        self._layout = layout_for(event.size.width, event.size.height)
        for name in ("wide", "medium", "compact"):
            self.set_class(name == self._layout, f"-{name}")
        self.set_class(event.size.width >= _VAST_FROM, "-vast")
        self._show_panels()

    @property
    def _single(self) -> bool:
        return self._zoomed or self._layout == "compact"

    def _show_panels(self) -> None:
        """Show the panels that the layout has room for."""
        self.set_class(self._single, "-single")
        for i, (name, _title) in enumerate(PANELS):
            self.query_one(f"#{name}").display = not self._single or i == self._active

    def _activate(self, panel: int) -> None:
        self._active = panel % len(PANELS)
        self.query_one(PanelTabs).active = self._active
        self._show_panels()
        self.on_agent_terminal_moved()
        self._focusable(PANELS[self._active][0]).focus()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """A click makes a panel active, too."""
        for i, (name, _title) in enumerate(PANELS):
            if event.widget is self._focusable(name):
                self._active = self.query_one(PanelTabs).active = i

    def on_agent_terminal_moved(self) -> None:
        """Without a border, the tabs' row says what is cropped."""
        cropped = self.query_one(AgentTerminal).cropped if self._active == 0 else ""
        self.query_one(PanelTabs).note = cropped.removeprefix("cropped: ")

    def action_panel(self, panel: int) -> None:
        """Go to a panel by its number, from 0."""
        self._activate(panel)

    def action_next_panel(self, step: int) -> None:
        """Go to the next panel, or the one before."""
        self._activate(self._active + step)

    def action_zoom(self) -> None:
        """Give the active panel the whole screen, or end that."""
        self._zoomed = not self._zoomed
        self._show_panels()

    def show(self, state: WindowState) -> None:
        """Hand the state's parts on."""
        view = state.session(self._session) or SessionView(self._session, problem="this session is gone")
        for answer in self.query(Answer):
            answer.show(state)
        self.query_one(Attention).show(view)
        self.query_one(AgentTerminal).show(view)
        self.query_one(Chart).show(view)
        self.query_one(Results).show(view)
        self.query_one(Diff).show(view)
        self.query_one(Machine).show(state)
        self.query_one(Timeline).show(view)
