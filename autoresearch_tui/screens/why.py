"""Why the agent is in its state, and what would make the babysitter type: the supervisor's explanation, kept fresh."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.widgets import Footer

from autoresearch_tui.explaining import explained
from autoresearch_tui.lines import Line, line, wrap
from autoresearch_tui.screens.frame import StateScreen, TooSmall, too_small
from autoresearch_tui.state import Why, WindowState
from autoresearch_tui.widgets.answer import Answer, Attention
from autoresearch_tui.widgets.line_view import LineView


class Explained(LineView):
    """An explanation, its long lines broken."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._why: Why | None = None

    def show(self, why: Why | None) -> None:
        """Show the open explanation."""
        if why is not None and why is not self._why:
            self._why = why
            self.border_title = f"why {why.session} does what it does"
            self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The lines."""
        if self._why is None or self._why.explanation is None:
            problem = self._why.problem if self._why is not None else ""
            return None, [line((f"! {problem}", "warn") if problem else ("asking its supervisor", "quiet"))]
        paragraphs = explained(self._why.explanation)
        return None, [row for one in paragraphs for row in wrap(one.content, cells, one.hang)]


class WhyScreen(StateScreen):
    """The explanation of one session, under the same answer as on its screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,e", "app.leave_why", "back", key_display="esc")]

    def compose(self) -> ComposeResult:
        """The widgets, top to bottom."""
        yield TooSmall(id="too-small")
        yield Answer(compact=False, id="answer")
        yield Attention(id="attention")
        yield Explained(id="explained", classes="panel")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Its keys scroll."""
        self.query_one(Explained).focus()

    def on_resize(self, event: Resize) -> None:
        """Say so where nothing fits."""
        self.set_class(too_small(event.size.width, event.size.height), "-too-small")

    def show(self, state: WindowState) -> None:
        """Hand the state's parts on."""
        self.query_one(Answer).show(state)
        if state.current is not None:
            self.query_one(Attention).show(state.current)
        self.query_one(Explained).show(state.why)
