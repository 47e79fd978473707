"""What the dashboard and the session's screen share: the top bar, and being handed the state."""

from textual.screen import Screen

from autoresearch_tui.format import time_of_day
from autoresearch_tui.lines import Line, line, spread, width
from autoresearch_tui.state import WindowState
from autoresearch_tui.widgets.line_view import LineView
from autoresearch_tui.widgets.machine import machine_line

TOO_SMALL = (40, 10)


class StateScreen(Screen[None]):
    """A screen that shows the window's state; the app calls `show` whenever that has changed."""

    state = WindowState()

    def show(self, state: WindowState) -> None:
        """Show a state: hand its parts to the widgets."""
        raise NotImplementedError

    def on_screen_resume(self) -> None:
        """It is on top again, or for the first time: catch up."""
        self.show(self.app.state)  # type: ignore[attr-defined]  # the app is ours; importing it here would be a circle


class TopBar(LineView):
    """The program's name on the left, the machine and the time of day on the right."""

    can_focus = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._state = WindowState()

    def show(self, state: WindowState) -> None:
        """Show the machine and the time."""
        self._state = state
        self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The line."""
        name = line((" autoresearch-tui", "strong"))
        clock = line(("   ", ""), (time_of_day(self._state.now), "quiet"), " ") if self._state.now else ()
        room = cells - width(name) - width(clock) - 4
        machine = machine_line(self._state.machine, self._state.machine_problem, room)
        return None, [spread(name, line(*machine, *clock), cells)]


class TooSmall(LineView):
    """What is shown instead of everything else in a terminal that can show nothing."""

    can_focus = False

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The line."""
        return None, [line((f"needs 80x24, has {self.app.size.width}x{self.app.size.height}", "warn"))]


def too_small(cells: int, height: int) -> bool:
    """Whether a terminal of this size can show nothing that helps."""
    return cells < TOO_SMALL[0] or height < TOO_SMALL[1]
