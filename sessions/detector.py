"""Judgement: what the agent is doing, from what its terminal shows. Pure: no clock, no I/O.

In order of trust: the process is gone; the profile's rules, as the profile orders them (OSC 7501, the title, the
rows at the bottom); then, for agents of which silence says something, whether the screen has been changing.
`waiting` is never the fall-through: without evidence the agent keeps the state that it had.
"""

import signal
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from harness.text import one_line
from sessions.profiles import Profile, Rule
from sessions.states import AgentState

# Every agent that was measured draws something at least every 0.65 s while it works, also during a silent command.
# One that says it works but has drawn nothing for so long hangs, or left something in the background for good.
STALLED_S: Final = 15 * 60.0


@dataclass(frozen=True)
class View:
    """What the detector sees at one moment.

    Attributes:
        rows: the screen's text, top to bottom, as displayed.
        title: of the window.
        osc7501: the payload of the last OSC 7501 ("" where there was none).
        bracketed_paste: whether the application has switched mode 2004 on.
        alternate_screen: whether it draws on the alternate screen.
        changed_at: when the visible screen or title last changed, on the supervisor's monotonic clock.
        exit_status: of the agent's process; None while it lives; negative for a signal.
        busy_children: whether processes below the agent are running something (and are no part of it).
    """

    rows: tuple[str, ...]
    title: str = ""
    osc7501: str = ""
    bracketed_paste: bool = False
    alternate_screen: bool = False
    changed_at: float = 0.0
    exit_status: int | None = None
    busy_children: bool = False


@dataclass(frozen=True)
class Detection:
    """What the agent is doing, since when, and why we think so.

    Attributes:
        state: the settled state.
        since: when it began, on the supervisor's monotonic clock.
        rule: name of the rule that said so.
        evidence: the text that it matched, one line, cleaned.
        answer: the rule's safe answer, for `asking`.
        candidate: a state seen since `candidate_since` that has not settled yet.
    """

    state: AgentState
    since: float
    rule: str = ""
    evidence: str = ""
    answer: str | None = None
    candidate: AgentState | None = None
    candidate_since: float = 0.0


class _Finding(NamedTuple):
    """What one look says, before it has settled; `since` when, if its evidence reaches back."""

    state: AgentState
    rule: str
    evidence: str
    answer: str | None = None
    since: float | None = None


def detect(profile: Profile, view: View, previous: Detection | None, now: float) -> Detection:
    """Judge one moment. Call it whenever the view changes, and a few times a second while it does not.

    Args:
        profile: the agent's.
        view: what its terminal shows.
        previous: the judgement before; None right after the launch.
        now: seconds on the clock of `view.changed_at`.
    """
    if previous is None:
        previous = Detection(AgentState.STARTING, now, "launched", "the agent has shown nothing that we know")
    if view.exit_status is not None:
        if previous.state is AgentState.EXITED:
            return previous
        return Detection(AgentState.EXITED, now, "process ended", _obituary(view.exit_status))
    found = _look(profile, view, now)
    if found is None:
        return replace(previous, candidate=None, candidate_since=0.0)
    if found.state is previous.state:
        if found.rule == previous.rule and previous.candidate is None:
            return previous  # with the evidence it began with: a spinner's ticks are no news
        return Detection(found.state, previous.since, found.rule, found.evidence, found.answer)
    if found.state is AgentState.WORKING:  # a blip of it costs nothing, and a submission must be seen to start
        return Detection(found.state, now, found.rule, found.evidence)
    if previous.candidate is not found.state:
        previous = replace(previous, candidate=found.state, candidate_since=now if found.since is None else found.since)
    if now - previous.candidate_since < profile.settle_s:
        return previous
    return Detection(found.state, previous.candidate_since, found.rule, found.evidence, found.answer)


def _look(profile: Profile, view: View, now: float) -> _Finding | None:
    """What this view is evidence of, if of anything."""
    quiet = now - view.changed_at
    for rule in profile.rules:
        evidence = _match(rule, view) if quiet >= rule.quiet_s else None
        if evidence is not None:
            if rule.state is AgentState.WORKING and quiet >= STALLED_S:
                return _stalled(view, evidence)
            return _Finding(
                rule.state, rule.name, evidence, rule.answer, since=view.changed_at if rule.quiet_s else None
            )
    # A screen on which nothing was drawn yet says nothing.
    if profile.quiet_s is None or not any(map(str.strip, view.rows)):
        return None
    if quiet < profile.quiet_s:
        return _Finding(AgentState.WORKING, "screen changes", "the screen is changing")
    if view.busy_children:
        return _stalled(view, "a command that runs") if quiet >= STALLED_S else None
    evidence = f"screen unchanged for {profile.quiet_s:g} s, no command running"
    return _Finding(AgentState.WAITING, "quiet", evidence, since=view.changed_at)


def _stalled(view: View, despite: str) -> _Finding:
    evidence = f"screen unchanged for {STALLED_S / 60:.0f} min, despite: {despite}"
    return _Finding(AgentState.WAITING, "stalled", evidence, since=view.changed_at)


def _match(rule: Rule, view: View) -> str | None:
    """The text that the rule matched, or None."""
    match rule.source:
        case "osc7501":
            texts: tuple[str, ...] = (view.osc7501,)
        case "title":
            texts = (view.title,)
        case "screen":
            drawn = tuple(row for row in view.rows if row.strip())
            texts = drawn[-rule.bottom :] if rule.bottom else drawn
    # From the bottom up: what stands lower was drawn for now, what stands higher may be history.
    for text in reversed(texts):
        if text and rule.pattern.search(text):
            return one_line(text)
    return None


def _obituary(status: int) -> str:
    if status >= 0:
        return f"it ended with exit code {status}"
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"
