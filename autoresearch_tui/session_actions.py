"""What the person can ask of a session: pause, resume, nudge, stop, why. Keys in, requests out, refusals shown."""

from collections.abc import Awaitable, Iterator
from typing import Any

from textual.app import App

from autoresearch_tui.activity import run_words
from autoresearch_tui.changes import Change, Link, WhyAnswered, WhyOpened
from autoresearch_tui.feed import Feed
from autoresearch_tui.screens.dialogs import How, NudgeDialog, PauseDialog, StopDialog, Wish
from autoresearch_tui.screens.why import WhyScreen
from autoresearch_tui.state import SessionView, WindowState
from harness.errors import ClearError
from harness.result import RecordError
from harness.text import one_line
from sessions.client import RefusedError, UnreachableError
from sessions.explanation import Explanation
from sessions.states import Phase


class SessionActions(App[None]):
    """The part of the app that asks sessions for something; `feed` passes it on."""

    state: WindowState
    feed: Feed

    def apply(self, change: Change) -> None:
        """Take a change in."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have nothing to act on are not offered."""
        if action in {"pause", "resume", "nudge", "stop", "why"}:
            return action in set(possible(self.state.current))
        if action == "wheel":
            return "nudge" in set(possible(self.state.session(self.state.opened)))
        if action == "open":
            return bool(self.state.sessions)
        return super().check_action(action, parameters)

    def action_pause(self) -> None:
        """Pause the session; while an experiment is in progress, ask when."""
        view = self.state.current
        if view is None:
            return
        running = view.status.run_in_progress() if view.status is not None else None
        if running is None:
            self._ask("pause", view.id, now=False)
            return

        def pause(how: How | None) -> None:
            if how is not None:
                self._ask("pause", view.id, now=how == "now")

        self.push_screen(PauseDialog(view.id, run_words(running)), pause)

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
        self.push_screen(NudgeDialog(view.id, agent), lambda wish: self._nudge(view.id, wish))

    def _nudge(self, session: str, wish: Wish | None) -> None:
        if wish is not None:
            self._ask("nudge", session, text=wish.text, now=wish.now)

    def action_stop(self) -> None:
        """Ask whether it is meant, and stop the session."""
        view = self.state.current
        if view is None:
            return
        running = view.status.run_in_progress() if view.status is not None else None
        lost = f" Experiment #{running.number}, which is in progress, is aborted." if running is not None else ""
        text = f"Its agent and its supervisor end.{lost} Results and commits stay; r starts it again."
        self.push_screen(StopDialog(view.id, text), lambda sure: self._ask("stop", view.id) if sure else None)

    def action_why(self) -> None:
        """Show why the session's agent is in its state, and what would make the babysitter type."""
        view = self.state.current
        if view is not None:
            self.apply(WhyOpened(view.id))
            self.push_screen(WhyScreen())
            self.ask_why()

    def action_leave_why(self) -> None:
        """Back to where the person came from."""
        if isinstance(self.screen, WhyScreen):
            self.apply(WhyOpened(None))
            self.pop_screen()

    def ask_why(self) -> None:
        """Have the open explanation, if there is one, made anew; once at a time."""
        why = self.state.why
        if why is None or any(one.group == "why" and not one.is_finished for one in self.workers):
            return

        async def work() -> None:
            try:
                answer = await self.feed.request(why.session, "explain")
                self.apply(WhyAnswered(why.session, Explanation.from_dict(answer)))
            except (RefusedError, UnreachableError, ClearError, RecordError) as error:
                self.apply(WhyAnswered(why.session, None, one_line(str(error), 300)))

        self.run_worker(work(), group="why")

    def _ask(self, verb: str, session: str, **arguments: Any) -> None:
        self._run(session, self.feed.request(session, verb, **arguments), verb)

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
        yield from ("nudge", "stop", "why")
