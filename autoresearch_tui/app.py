"""The window: composes the screens, owns the feed, turns keys into requests. It decides nothing.

One frozen state goes down, messages come up. Closing it leaves every session running.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from autoresearch_tui.feed import Emit, Feed, LiveFeed
from autoresearch_tui.format import count_of
from autoresearch_tui.screens.dashboard import Dashboard
from autoresearch_tui.screens.dialogs import NudgeDialog, StopDialog
from autoresearch_tui.screens.frame import StateScreen
from autoresearch_tui.screens.help import HelpScreen
from autoresearch_tui.screens.session import SessionScreen
from autoresearch_tui.state import Change, Link, Opened, Selected, SessionView, Ticked, WindowState, reduce
from autoresearch_tui.themes import DARK, LIGHT
from autoresearch_tui.widgets.sessions_table import SessionsTable
from autoresearch_tui.widgets.terminal import AgentTerminal
from harness.errors import ClearError
from harness.text import one_line
from sessions.client import RefusedError, UnreachableError
from sessions.states import Phase

_BINDINGS: Final[list[BindingType]] = [
    Binding("p", "pause", "pause"),
    Binding("r", "resume", "resume"),
    Binding("N,n", "nudge", "nudge", key_display="N"),
    Binding("s", "stop", "stop"),
    Binding("t", "theme", "light or dark", show=False),
    Binding("question_mark", "help", "help", key_display="?"),
    Binding("q", "detach", "detach"),
    Binding("ctrl+q", "detach", "detach", show=False, priority=True),
]


class WindowApp(App[None]):
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
        self._feed = make_feed(self.apply)
        self._first = session
        self._clock = clock
        self._showing = False
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
        self.run_worker(self._feed.run(), group="feed", exit_on_error=True)

    def _tick(self) -> None:
        self.apply(Ticked(float(int(self._clock()))))

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
        self.refresh_bindings()

    # Where the person is.

    def _open(self, session: str) -> None:
        self.apply(Opened(session))
        self._feed.open(session, None)
        self.push_screen(SessionScreen(session))

    def action_open(self) -> None:
        """Open the session under the cursor."""
        if self.state.selected is not None and self.state.opened is None:
            self._open(self.state.selected)

    def action_leave(self) -> None:
        """Back to the dashboard."""
        if isinstance(self.screen, SessionScreen):
            self._feed.open(None, None)
            self.apply(Opened(None))
            self.pop_screen()

    def on_sessions_table_moved(self, message: SessionsTable.Moved) -> None:
        """Keys act on another session now."""
        self.apply(Selected(message.session))

    def on_agent_terminal_resized(self, message: AgentTerminal.Resized) -> None:
        """The agent shall have the panel's size."""
        if self.state.opened is not None:
            self._feed.open(self.state.opened, (message.cells.width, message.cells.height))

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

    # What the person asks of a session.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have nothing to act on are not offered."""
        if action in {"pause", "resume", "nudge", "stop"}:
            return action in set(_possible(self.state.current))
        if action == "open":
            return bool(self.state.sessions)
        return super().check_action(action, parameters)

    def action_pause(self) -> None:
        """Pause the session."""
        self._ask("pause")

    def action_resume(self) -> None:
        """Resume the session, or start its supervisor again."""
        view = self.state.current
        if view is not None:
            self._run(view.id, self._feed.resume(view.id), "")

    def action_nudge(self) -> None:
        """Ask for a text and send it to the agent."""
        view = self.state.current
        if view is None:
            return
        agent = one_line(view.spec.agent, 20) if view.spec is not None else "the agent"
        self.push_screen(NudgeDialog(view.id, agent), lambda text: self._nudge(view.id, text))

    def _nudge(self, session: str, text: str | None) -> None:
        if text:
            self._run(session, self._feed.request(session, "nudge", text=text), "nudge")

    def action_stop(self) -> None:
        """Ask whether it is meant, and stop the session."""
        view = self.state.current
        if view is None:
            return
        running = view.status.run_in_progress() if view.status is not None else None
        lost = f" Experiment #{running.number}, which is in progress, is aborted." if running is not None else ""
        text = f"Its agent and its supervisor end.{lost} Results and commits stay; r starts it again."
        self.push_screen(StopDialog(view.id, text), lambda sure: self._ask("stop", view.id) if sure else None)

    def _ask(self, verb: str, session: str | None = None) -> None:
        name = session or (self.state.current.id if self.state.current is not None else None)
        if name is not None:
            self._run(name, self._feed.request(name, verb), verb)

    def _run(self, session: str, request: Awaitable[Any], verb: str) -> None:
        async def work() -> None:
            try:
                answer = await request
            except (RefusedError, UnreachableError, ClearError) as error:
                if verb != "stop" or isinstance(error, RefusedError):
                    self.notify(one_line(str(error), 300), severity="error", markup=False)
                return
            if verb == "nudge" and isinstance(answer, dict):
                self.notify(f"{session}: {one_line(str(answer.get('when', 'sent')))}", markup=False)

        self.run_worker(work(), group="requests")

    def _fatal_error(self) -> None:
        """Textual's hook for an unhandled error: end without a traceback; `run_window` hands the error on."""
        self.failure = self._exception
        self._close_messages_no_wait()


def _possible(view: SessionView | None) -> Iterator[str]:
    """The requests that a session can be asked now."""
    if view is None:
        return
    if view.link in {Link.DEAD, Link.STOPPED}:
        yield "resume"
    elif view.link is Link.LIVE:
        phase = view.status.phase if view.status is not None else ""
        yield "resume" if phase in {Phase.PAUSED, Phase.PARKED} else "pause"
        yield from ("nudge", "stop")


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
