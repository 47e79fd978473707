"""The window: composes the screens, owns the feed, turns keys into requests. It decides nothing.

One frozen state goes down, messages come up. Closing it leaves every session running.
"""

import time
from collections.abc import Callable
from typing import ClassVar, Final

from rich.text import Text
from textual.app import SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.screen import Screen

from autoresearch_tui.changes import Change, Link, Opened, Selected, Ticked
from autoresearch_tui.feed import Emit, Feed, LiveFeed
from autoresearch_tui.format import count_of
from autoresearch_tui.screens.dashboard import Dashboard
from autoresearch_tui.screens.frame import StateScreen
from autoresearch_tui.screens.help import HelpScreen
from autoresearch_tui.screens.session import SessionScreen
from autoresearch_tui.session_actions import SessionActions, possible
from autoresearch_tui.state import WindowState, reduce
from autoresearch_tui.themes import DARK, LIGHT
from autoresearch_tui.wheel import take_the_wheel
from autoresearch_tui.widgets.sessions_table import SessionsTable
from autoresearch_tui.widgets.terminal import AgentTerminal
from harness.text import one_line
from sessions.client import UnreachableError
from sessions.protocol import ProtocolError
from sessions.store import SessionDir, sessions_home

_BINDINGS: Final[list[BindingType]] = [
    Binding("p", "pause", "pause"),
    Binding("r", "resume", "resume"),
    Binding("N,n", "nudge", "nudge", key_display="N"),
    Binding("s", "stop", "stop"),
    Binding("e", "why", "why"),
    Binding("t", "theme", "light or dark", show=False),
    Binding("question_mark", "help", "help", key_display="?"),
    Binding("q", "detach", "detach"),
    Binding("ctrl+q", "detach", "detach", show=False, priority=True),
]


class WindowApp(SessionActions):
    """The program's window. `make_feed` gets the function that takes changes; `clock` gives seconds since the epoch."""

    CSS_PATH = "app.tcss"
    TITLE = "autoresearch-tui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = _BINDINGS

    def __init__(
        self,
        make_feed: Callable[[Emit], Feed] = LiveFeed,
        session: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.state = WindowState(now=float(int(clock())))
        self.failure: Exception | None = None
        self.feed = make_feed(self.apply)
        self._first = session
        self._clock = clock
        self._showing = False
        self._offered: tuple[object, ...] = ()
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name

    def get_default_screen(self) -> Screen[None]:
        """The dashboard is below everything."""
        return Dashboard()

    def on_mount(self) -> None:
        """Start the feed and the clock."""
        if self._first is not None:
            self._open(self._first)
        self.set_interval(1.0, self._tick)
        self.run_worker(self.feed.run(), group="feed", exit_on_error=True)

    def _tick(self) -> None:
        self.apply(Ticked(float(int(self._clock()))))
        self.ask_why()

    def apply(self, change: Change) -> None:
        """Take a change in; the screens see it at the end of this round of the event loop, with what came beside it."""
        before, self.state = self.state, reduce(self.state, change)
        if self.state is not before and not self._showing and self.is_running:
            self._showing = True
            self.call_later(self._show)

    def _show(self) -> None:
        self._showing = False
        top = next((one for one in reversed(self.screen_stack) if isinstance(one, StateScreen)), None)
        if top is not None and top.is_mounted:
            top.show(self.state)
        offered = (bool(self.state.sessions), *possible(self.state.current))
        if offered != self._offered:  # the footer is made anew for this, so not with every frame
            self._offered = offered
            self.refresh_bindings()

    # Where the person is.

    def _open(self, session: str) -> None:
        self.apply(Opened(session))
        self.feed.open(session, None)
        self.push_screen(SessionScreen(session))

    def action_open(self) -> None:
        """Open the session under the cursor."""
        if self.state.selected is not None and self.state.opened is None:
            self._open(self.state.selected)

    def action_leave(self) -> None:
        """Back to the dashboard."""
        if isinstance(self.screen, SessionScreen):
            self.feed.open(None, None)
            self.apply(Opened(None))
            self.pop_screen()

    def on_sessions_table_moved(self, message: SessionsTable.Moved) -> None:
        """Keys act on another session now."""
        self.apply(Selected(message.session))

    def on_agent_terminal_resized(self, message: AgentTerminal.Resized) -> None:
        """The agent shall have the panel's size."""
        if self.state.opened is not None:
            self.feed.open(self.state.opened, (message.cells.width, message.cells.height))

    def action_wheel(self) -> None:
        """Give the terminal to the open session's agent until the person lets go."""
        view = self.state.session(self.state.opened)
        if view is None:
            return
        self.feed.open(view.id, None)  # nobody reads frames here meanwhile
        try:
            with self.suspend():
                ended = take_the_wheel(SessionDir(sessions_home() / view.id))
        except (UnreachableError, ProtocolError, SuspendNotSupported) as error:
            ended = str(error)
        if ended:
            self.notify(one_line(ended, 300), severity="warning", markup=False)
        panel = self.screen.query_one(AgentTerminal).size
        self.feed.open(view.id, (panel.width, panel.height))

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(HelpScreen(in_session=self.state.opened is not None))

    def action_theme(self) -> None:
        """Light or dark."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_detach(self) -> None:
        """Close the window and leave everything running."""
        running = sum(1 for one in self.state.sessions if one.link is Link.LIVE)
        kept = f"{count_of(running, 'session keeps', 'sessions keep')} running; `autoresearch-tui attach` comes back"
        self.exit(message=Text(f"detached: {kept}" if running else "detached: no session is running"))

    def _fatal_error(self) -> None:
        """Textual's hook for an unhandled error: end without a traceback; `run_window` hands the error on."""
        self.failure = self._exception
        self._close_messages_no_wait()


def run_window(session: str | None) -> int:
    """Open the window on a session (None: on all) and return the exit code once the person has detached.

    Raises:
        Exception: an error in the window itself, for the command line to report.
    """
    app = WindowApp(session=session)
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0
