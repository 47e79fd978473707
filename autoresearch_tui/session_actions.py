"""What the person can ask of a session: pause, resume, nudge, stop. Keys in, requests out, refusals on the screen."""

from collections.abc import Awaitable, Iterator
from typing import Any

from textual.app import App

from autoresearch_tui.changes import Link
from autoresearch_tui.feed import Feed
from autoresearch_tui.screens.dialogs import NudgeDialog, StopDialog
from autoresearch_tui.state import SessionView, WindowState
from harness.errors import ClearError
from harness.text import one_line
from sessions.client import RefusedError, UnreachableError
from sessions.states import Phase


class SessionActions(App[None]):
    """The part of the app that asks sessions for something; `feed` passes it on."""

    state: WindowState
    feed: Feed

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have nothing to act on are not offered."""
        if action in {"pause", "resume", "nudge", "stop"}:
            return action in set(possible(self.state.current))
        if action == "wheel":
            return "nudge" in set(possible(self.state.session(self.state.opened)))
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
            self._run(view.id, self.feed.resume(view.id), "")

    def action_nudge(self) -> None:
        """Ask for a text and send it to the agent."""
        view = self.state.current
        if view is None:
            return
        agent = one_line(view.spec.agent, 20) if view.spec is not None else "the agent"
        self.push_screen(NudgeDialog(view.id, agent), lambda text: self._nudge(view.id, text))

    def _nudge(self, session: str, text: str | None) -> None:
        if text:
            self._run(session, self.feed.request(session, "nudge", text=text), "nudge")

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
            self._run(name, self.feed.request(name, verb), verb)

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


def possible(view: SessionView | None) -> Iterator[str]:
    """The requests that a session can be asked now."""
    if view is None:
        return
    if view.link in {Link.DEAD, Link.STOPPED}:
        yield "resume"
    elif view.link is Link.LIVE:
        phase = view.status.phase if view.status is not None else ""
        yield "resume" if phase in {Phase.PAUSED, Phase.PARKED} else "pause"
        yield from ("nudge", "stop")
