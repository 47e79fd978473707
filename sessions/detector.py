"""Judgement: what the agent is doing, from what it reports and what its terminal shows. Pure: no clock, no I/O.

In order of trust: the process is gone; what the agent itself reports through a hook; the profile's rules, as the
profile orders them (OSC 7501, the title, the rows at the bottom); then, for agents of which silence says something,
whether the screen has been changing. A process that the agent began in its turn and that still runs is work.
`waiting` is never the fall-through: without evidence the agent keeps the state that it had.
"""

import re
import signal as system_signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from harness.text import one_line
from sessions.profile import Profile, Rule
from sessions.reset_time import Reset, parse_reset
from sessions.signals import Signal
from sessions.states import AgentState

# Every agent that was measured draws something at least every 0.65 s while it works, also during a silent command.
# One that says it works but has drawn nothing for so long hangs, or left something in the background for good.
STALLED_S: Final = 15 * 60.0
STALLED: Final = "stalled"
"""The rule's name then."""

# What is drawn within this time of a hook belongs to what the hook told of; the slowest agent's title took 90 ms.
_LAG_S: Final = 0.5
# A hook that said "working" is believed so long after the last thing drawn.
_ALIVE_S: Final = 3.0
# A usage limit that is met no later than this after the end of another is the same.
_OVERDUE_S: Final = 60.0


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
        busy_children: whether a process that the agent began since the last prompt still runs.
        signal: what the agent reported last.
        local_time: the wall clock, with its zone, for the reset times of usage limits; None: they are not read.
    """

    rows: tuple[str, ...]
    title: str = ""
    osc7501: str = ""
    bracketed_paste: bool = False
    alternate_screen: bool = False
    changed_at: float = 0.0
    exit_status: int | None = None
    busy_children: bool = False
    signal: Signal | None = None
    local_time: datetime | None = None


@dataclass(frozen=True)
class Detection:
    """What the agent is doing, since when, and why we think so.

    Attributes:
        state: the settled state.
        since: when it began, on the supervisor's monotonic clock.
        rule: name of the rule that said so.
        evidence: the text that it matched, one line, cleaned.
        answer: the rule's safe answer, for `asking`; for `limited` the keys that put its menu away.
        reset_phrase: the words on the screen that say when a limit ends, for `limited`.
        reset: what they meant when they were first seen; None where they say nothing that is understood.
        reset_by: the same on the supervisor's monotonic clock, which nobody sets.
        background: whether it works in the background only, with its composer free.
        held_since: since when something lies over its screen and hides what it does; None: nothing does.
        candidate: a state seen since `candidate_since` that has not settled yet.
        level: what the terminal alone says, before any settling.
        level_since: since when.
        limit: the last usage limit, until a turn has ended well.
    """

    state: AgentState
    since: float
    rule: str = ""
    evidence: str = ""
    answer: str | None = None
    reset_phrase: str = ""
    reset: Reset | None = None
    reset_by: float = 0.0
    background: bool = False
    held_since: float | None = None
    candidate: AgentState | None = None
    candidate_since: float = 0.0
    level: AgentState | None = None
    level_since: float = 0.0
    limit: "Detection | None" = None


class _Finding(NamedTuple):
    """What one look says, before it has settled; `since` when, if its evidence reaches back."""

    state: AgentState
    rule: str
    evidence: str
    answer: str | None = None
    since: float | None = None
    background: bool = False
    reset_phrase: str = ""
    settled: bool = False


# Something lies over the screen that hides what the agent does: it does what it did before.
_HELD: Final = _Finding(AgentState.STARTING, "held", "")


class Seen(NamedTuple):
    """What a rule saw, for one who wants to know why; `evidence` is None where it did not match."""

    rule: Rule
    evidence: str | None


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
    if found is _HELD:
        since = now if previous.held_since is None else previous.held_since
        return replace(previous, candidate=None, candidate_since=0.0, held_since=since)
    if previous.held_since is not None:
        previous = replace(previous, held_since=None)
    if found is not None and found.state is not previous.level:
        previous = replace(previous, level=found.state, level_since=now)
    if view.signal is not None:
        found = _with_signal(view.signal, found, previous.level_since, view.changed_at, now)
    return _settle(profile, view, previous, found, now)


def seen(profile: Profile, view: View, now: float) -> Iterator[Seen]:
    """What each rule of the profile sees, in their order."""
    quiet = now - view.changed_at
    for rule in profile.rules:
        yield Seen(rule, _match(rule, view) if quiet >= rule.quiet_s else None)


def _settle(profile: Profile, view: View, previous: Detection, found: _Finding | None, now: float) -> Detection:
    """The judgement after a finding: a state must hold a moment before it counts."""
    if found is None:
        return replace(previous, candidate=None, candidate_since=0.0)
    if found.state is previous.state:
        same = found.rule == previous.rule and found.reset_phrase in {"", previous.reset_phrase}
        if same and previous.candidate is None:
            return previous  # with the evidence it began with: a spinner's ticks are no news
        return _judged(found, previous.since, previous, view, now)
    # A blip of work costs nothing, and a submission must be seen to start; what a hook says needs no second look.
    if found.state is AgentState.WORKING or found.settled:
        return _judged(found, now if found.since is None else found.since, previous, view, now)
    if previous.candidate is not found.state:
        previous = replace(previous, candidate=found.state, candidate_since=now if found.since is None else found.since)
    if now - previous.candidate_since < profile.settle_s:
        return previous
    return _judged(found, previous.candidate_since, previous, view, now)


def _judged(found: _Finding, since: float, previous: Detection, view: View, now: float) -> Detection:
    judged = Detection(
        found.state,
        since,
        found.rule,
        found.evidence,
        found.answer,
        reset_phrase=found.reset_phrase,
        background=found.background,
        level=previous.level,
        level_since=previous.level_since,
    )
    limit = previous if previous.state is AgentState.LIMITED else previous.limit
    if found.state is not AgentState.LIMITED:
        return judged if found.state is AgentState.WAITING else replace(judged, limit=limit)
    # "in 5 hours" counts from when it was first seen, and also when the menu that said it has been put away.
    if limit is not None and found.reset_phrase in {"", limit.reset_phrase} and _holds(limit, now):
        return replace(judged, reset_phrase=limit.reset_phrase, reset=limit.reset, reset_by=limit.reset_by)
    reset = None if view.local_time is None else parse_reset(found.reset_phrase, view.local_time)
    if reset is None or view.local_time is None:
        return judged
    return replace(judged, reset=reset, reset_by=now + reset.at - view.local_time.timestamp())


def _holds(limit: Detection, now: float) -> bool:
    """Whether a usage limit that is met can be the one that was met before."""
    return limit.reset is not None and now < limit.reset_by + limit.reset.margin_s + _OVERDUE_S


def _with_signal(
    signal: Signal, found: _Finding | None, level_since: float, changed_at: float, now: float
) -> _Finding | None:
    """What the agent's own word and its terminal say together.

    Its word stands until the terminal has changed its mind since. The end of a turn is believed against a terminal
    that shows work only if that stops drawing, and never against work in the background.
    """
    told = _Finding(signal.state, f"hook {signal.event}", signal.evidence, since=signal.at, settled=True)
    if found is None:
        return told
    if found.state is signal.state:
        return found._replace(settled=True)
    working = found.state is AgentState.WORKING
    match signal.state:
        case AgentState.WORKING:
            # A free composer may be drawn late; a question, a limit or an error that stays is there.
            drawn_at = changed_at if found.state is AgentState.WAITING else signal.at
            alive = now - max(signal.at, drawn_at) <= _ALIVE_S
            return told if alive and level_since <= signal.at else found
        case AgentState.WAITING if working and not found.background and level_since <= signal.at + _LAG_S:
            if now < signal.at + _LAG_S:
                return None
            return found if changed_at > signal.at + _LAG_S else told
        case AgentState.WAITING:
            return found  # a turn that ended in a question, a limit or an error has ended, too
    # A question or an error looks like the end of a turn on some terminals: only new work takes it back.
    if found.state is AgentState.WAITING or (working and level_since <= signal.at):
        return told
    return found


def _look(profile: Profile, view: View, now: float) -> _Finding | None:
    """What this view is evidence of, if of anything."""
    quiet = now - view.changed_at
    for rule, evidence in seen(profile, view, now):
        if evidence is None:
            continue
        if rule.state is None:
            return _HELD
        if rule.state is AgentState.WORKING and quiet >= STALLED_S:
            return _stalled(view, evidence)
        since = view.changed_at if rule.quiet_s else None
        if rule.state is AgentState.WAITING and profile.children_work and view.busy_children:
            return _in_background(view, quiet)
        phrase = _reset_phrase(rule, view)
        return _Finding(rule.state, rule.name, evidence, rule.answer, since, rule.background, phrase)
    # A screen on which nothing was drawn yet says nothing.
    if profile.quiet_s is None or not any(map(str.strip, view.rows)):
        return None
    if quiet < profile.quiet_s:
        return _Finding(AgentState.WORKING, "screen changes", "the screen is changing")
    if profile.children_work and view.busy_children:
        return _in_background(view, quiet)
    evidence = f"screen unchanged for {profile.quiet_s:g} s, no command running"
    return _Finding(AgentState.WAITING, "quiet", evidence, since=view.changed_at)


def _in_background(view: View, quiet: float) -> _Finding:
    if quiet >= STALLED_S:
        return _stalled(view, "a command that runs")
    text = "a process that it began since the last prompt still runs"
    return _Finding(AgentState.WORKING, "background process", text, background=True)


def _stalled(view: View, despite: str) -> _Finding:
    evidence = f"screen unchanged for {STALLED_S / 60:.0f} min, despite: {despite}"
    return _Finding(AgentState.WAITING, STALLED, evidence, since=view.changed_at)


def _match(rule: Rule, view: View) -> str | None:
    """The text that the rule matched, or None."""
    if any(pattern.search(text) is None for text, pattern in _conditions(rule, view)):
        return None
    # From the bottom up: what stands lower was drawn for now, what stands higher may be history.
    for text in reversed(_region(rule, view)):
        if text and rule.pattern.search(text):
            return one_line(text)
    return None


def _conditions(rule: Rule, view: View) -> Iterator[tuple[str, re.Pattern[str]]]:
    texts = {"osc7501": view.osc7501, "title": view.title}
    for source, pattern in rule.also.items():
        yield texts.get(source, ""), pattern


def _region(rule: Rule, view: View) -> tuple[str, ...]:
    match rule.source:
        case "osc7501":
            return (view.osc7501,)
        case "title":
            return (view.title,)
        case "screen":
            drawn = tuple(row for row in view.rows if row.strip())
            return drawn[-rule.bottom :] if rule.bottom else drawn


def _reset_phrase(rule: Rule, view: View) -> str:
    """The words that say when the limit ends; the lowest on the screen, where there are several."""
    if rule.reset is None:
        return ""
    found = list(rule.reset.finditer(" ".join(" ".join(row.split()) for row in _region(rule, view))))
    return one_line(found[-1]["when"] or "", 200) if found else ""


def _obituary(status: int) -> str:
    if status >= 0:
        return f"it ended with exit code {status}"
    try:
        return f"it was ended by {system_signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"
