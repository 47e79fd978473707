"""Judgement, explained: why the agent is in its state, and what would make us type. Pure.

What would make us type is not written down a second time: the policy itself is asked, about situations that differ
from this one in as few things as possible.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Final, NamedTuple

from harness.result import Record
from sessions.actions import Nothing, Refresh, Relaunch, Submit
from sessions.bounds import Limits
from sessions.detector import Detection, View, seen
from sessions.policy import decide, forgiven
from sessions.profile import Profile
from sessions.situation import Memory, Situation
from sessions.states import AgentState, Phase

_MOST_CHANGES: Final = 3
_WAITS: Final = 3  # how often a change may need to be waited for


@dataclass(frozen=True)
class Explanation(Record):
    """Why, in words; every text is one line.

    Attributes:
        state: what the agent is doing.
        for_s: for how long, in seconds.
        rule: the name of what said so.
        evidence: what that saw.
        seen: each rule of the profile, in order: {"name", "says", "source", "saw"}; "saw" is None where it does not
            match now.
        reported: what the agent itself reported last, through a hook; empty where it has not.
        resets_in_s: seconds until a usage limit ends, where that is known.
        holding: why nothing is typed now; empty where something is.
        until_s: seconds until that is looked at again of its own accord, where that is known.
        would: what would have to happen for something to be typed, all of it; empty: nothing needs to.
    """

    state: str
    for_s: float
    rule: str
    evidence: str
    seen: list[dict[str, Any]] = field(default_factory=list)
    reported: str = ""
    resets_in_s: float | None = None
    holding: str = ""
    until_s: float | None = None
    would: list[str] = field(default_factory=list)


def explain(
    profile: Profile, view: View, memory: Memory, situation: Situation, limits: Limits, now: float
) -> Explanation:
    """Explain one moment; the arguments are those of `detect` and `decide`."""
    detection = situation.detection
    action, _ = decide(memory, situation, limits, now)
    held = isinstance(action, Nothing)
    until = action.until if isinstance(action, Nothing) else None
    signal = view.signal
    return Explanation(
        state=detection.state,
        for_s=max(0.0, now - detection.since),
        rule=detection.rule,
        evidence=detection.evidence,
        seen=[
            {
                "name": one.rule.name,
                "says": one.rule.state or "hold",
                "source": one.rule.source,
                "saw": one.evidence,
            }
            for one in seen(profile, view, now)
        ],
        reported="" if signal is None else f"{signal.state}, {now - signal.at:.0f} s ago: {signal.evidence}",
        resets_in_s=None if detection.reset is None else max(0.0, detection.reset.at - situation.wall),
        holding=action.reason if isinstance(action, Nothing) else "",
        until_s=None if until is None else max(0.0, until - now),
        would=would(memory, situation, limits, now) if held else [],
    )


class _Change(NamedTuple):
    """Something that could happen; what is the case, and what the policy remembers, after it."""

    words: str
    situation: Callable[[Situation, float], Situation]
    memory: Callable[[Memory], Memory] = lambda memory: memory


def would(memory: Memory, situation: Situation, limits: Limits, now: float) -> list[str]:
    """The fewest things that would have to happen for the policy to type; empty where even three would not do."""
    possible = list(_changes(situation))
    for count in range(_MOST_CHANGES + 1):
        for chosen in combinations(possible, count):
            waited = _typed_after(memory, situation, chosen, limits, now)
            if waited is not None:
                pause = [f"{waited:.0f} s pass"] if waited >= 1.0 else []
                return [one.words for one in chosen] + pause
    return []


def _typed_after(
    memory: Memory, situation: Situation, chosen: tuple[_Change, ...], limits: Limits, now: float
) -> float | None:
    """Seconds until the policy types in the situation after some changes; None where it does not."""
    at = now
    for one in chosen:
        situation, memory = one.situation(situation, at), one.memory(memory)
    for _ in range(_WAITS):
        action, memory = decide(memory, situation, limits, at)
        if isinstance(action, Submit | Refresh | Relaunch):
            return at - now
        if not isinstance(action, Nothing) or action.until is None:
            return None
        situation = replace(situation, wall=situation.wall + max(0.0, action.until - at))
        at = max(at, action.until)
    return None


_ENDS: Final = {
    AgentState.STARTING: "the agent shows that it is ready",
    AgentState.WORKING: "its turn ends",
    AgentState.ASKING: "its question is answered and its turn ends",
    AgentState.FAILING: "its API works again and its turn ends",
    AgentState.LIMITED: "its usage limit ends",
}


def _changes(situation: Situation) -> Iterator[_Change]:
    """What could happen to this situation."""
    state = situation.detection.state
    if state in _ENDS:
        yield _Change(
            _ENDS[state], lambda one, at: replace(one, detection=Detection(AgentState.WAITING, at, "supposed"))
        )
    if situation.pending:
        yield _Change("the experiment in progress ends", lambda one, _: replace(one, pending=False))
    if situation.phase is not Phase.RUNNING:
        yield _Change("you resume the session", lambda one, _: replace(one, phase=Phase.RUNNING), forgiven)
    if situation.wheel_held:
        yield _Change("the wheel is given back", lambda one, _: replace(one, wheel_held=False))
    if situation.quiet_s is not None:
        yield _Change("the quiet hours end", lambda one, _: replace(one, quiet_s=None))
