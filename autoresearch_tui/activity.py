"""What a session does now, in a glyph, a few words and a tone. Pure.

The order of the cases is the order of importance: what needs a person first, then what the machine does, then
what the agent does.
"""

from dataclasses import dataclass
from typing import Final

from autoresearch_tui.changes import Link
from autoresearch_tui.format import countdown, duration, progress
from autoresearch_tui.lines import Line, Tone, line
from autoresearch_tui.run_words import subject, which_run, why_again
from autoresearch_tui.state import SessionView
from harness.result import Phase as RunPhase
from harness.text import one_line
from sessions.protocol import Running, Status
from sessions.states import AgentState, Phase

_AGENT: Final[dict[str, tuple[str, str, Tone]]] = {
    AgentState.STARTING: ("◌", "agent starting", "quiet"),
    AgentState.WORKING: ("●", "agent working", "busy"),
    AgentState.WAITING: ("◔", "agent waits", "warn"),
    AgentState.ASKING: ("?", "agent asks", "warn"),
    AgentState.FAILING: ("!", "failing", "bad"),
    AgentState.LIMITED: ("◔", "limited", "warn"),
    AgentState.EXITED: ("×", "agent exited", "bad"),
}


# What holds the babysitter back and is seen anyway.
_SEEN_ANYWAY: Final = frozenset({"the agent is starting", "the agent is working", "a person has the wheel"})
_LATER: Final = "next try later"


@dataclass(frozen=True)
class Activity:
    """A glyph, words and a tone; `detail` is what may be left out where there is little room, `why` before that."""

    glyph: str
    words: str
    tone: Tone
    detail: str = ""
    why: str = ""

    def as_line(self, *, detail: bool = True, why: bool = False) -> Line:
        """The activity as a styled line: "● training #5, 3.2/20 s"."""
        more = f", {self.detail}" if detail and self.detail else ""
        reason = f": {self.why}" if more and why and self.why else ""
        return line((f"{self.glyph} {self.words}", self.tone), more, (reason, "quiet"))


def activity(view: SessionView, now: float) -> Activity:
    """What the session does at `now` (seconds since the epoch)."""
    status = view.status
    match view.link:
        case Link.CONNECTING:
            return Activity("◌", "connecting", "quiet")
        case Link.DEAD:
            return Activity("×", "no supervisor", "bad", "r resumes it")
        case Link.STOPPED:
            finished = status is not None and status.phase == Phase.FINISHED
            return Activity("■", *_said("finished" if finished else "stopped", "quiet", status))
    if status is None:
        return Activity("◌", "connecting", "quiet")
    running = status.run_in_progress()
    match status.phase:
        case Phase.PAUSED:
            return (
                Activity("‖", "paused", "warn", run_words(running))
                if running
                else Activity("‖", *_said("paused", "warn", status))
            )
        case Phase.PARKED:
            return Activity("!", *_said("parked", "warn", status))
        case Phase.FINISHED:
            return Activity("■", *_said("finished", "good", status))
    if status.wheel:
        return Activity("▸", "someone has the wheel", "warn", run_words(running) if running else "")
    if running is not None:
        waits = running.phase == RunPhase.WAITING
        detail = ", ".join(filter(None, (_progress(running), which_run(running))))
        return Activity(
            "◌" if waits else "●", subject(running), "warn" if waits else "busy", detail, why_again(running)
        )
    return _agent(status, now)


def _agent(status: Status, now: float) -> Activity:
    glyph, words, tone = _AGENT.get(status.state, ("◌", one_line(status.state, 20), "quiet"))
    if status.state == AgentState.LIMITED and status.resets_at is not None:
        left = status.resets_at - now
        return Activity(glyph, words, tone, f"resets in {countdown(left)}" if left > 0 else "the reset is due")
    if status.state in {AgentState.LIMITED, AgentState.FAILING}:
        return Activity(glyph, words, tone, _held_back(status) or _LATER)
    if status.state == AgentState.ASKING and status.evidence:
        return Activity(glyph, *_without_echo(words, tone, one_line(status.evidence, 60)))
    since = now - status.state_since
    told = [duration(since)] if status.state_since and since >= 1 else []
    if status.state == AgentState.WAITING and (held := _held_back(status)):
        told.append(held)
    return Activity(glyph, words, tone, ": ".join(told))


def _held_back(status: Status) -> str:
    """Why nothing is typed, where that is news beside the agent's state."""
    if status.phase != Phase.RUNNING or status.wheel or status.holding in _SEEN_ANYWAY:
        return ""
    return _LATER if status.holding.endswith("comes later") else one_line(status.holding, 80)


def not_nudged(view: SessionView) -> str:
    """Why nothing is typed while the activity is an experiment, one line; empty where that is no news."""
    status = view.status
    if status is None or view.link is not Link.LIVE or status.running is None:
        return ""
    return _held_back(status)


def _progress(running: Running) -> str:
    return progress(running.spent_s, running.budget_s) if running.phase == "training" else ""


def run_words(running: Running) -> str:
    """A run in progress: "training #13 3:12/5:00"."""
    return " ".join(filter(None, (subject(running), _progress(running), which_run(running))))


def _said(word: str, tone: Tone, status: Status | None) -> tuple[str, Tone, str]:
    """A phase and its reason."""
    return _without_echo(word, tone, one_line(status.phase_reason, 80) if status is not None else "")


def _without_echo(word: str, tone: Tone, reason: str) -> tuple[str, Tone, str]:
    """Words, tone and detail; "paused" and "paused by you" are said once."""
    return (reason, tone, "") if reason.lower().startswith(word) else (word, tone, reason)


def attention(view: SessionView) -> str:
    """What a person should look at, one line; empty where there is nothing."""
    if view.status is not None and view.link is Link.LIVE:
        return one_line(view.status.alert)
    return one_line(view.problem)


def is_told_by_state(view: SessionView) -> bool:
    """Whether what a person should look at is what the agent's state says: "the agent is limited"."""
    status = view.status
    return (
        status is not None
        and status.state in {AgentState.LIMITED, AgentState.FAILING}
        and status.alert.startswith(f"the agent is {status.state}")
    )
