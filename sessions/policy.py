"""Judgement: what to do about the agent now. Pure: values and a clock reading in, an action and a memory out.

It decides that something is typed, never what it says (`sessions.wording`) nor how (the babysitter). The caller
carries an action out before it asks again, and asks again whenever something changed or `Nothing.until` has come.

- A person goes first: paused, parked, finished, the wheel in her hand or her keys just typed mean hands off.
- Text goes only to an agent that waits (or whose API failed a while ago), never into work, a menu or a start-up screen.
- While an experiment runs or is queued a stopped agent is left alone; only a person's nudge and the first brief go in.
- Progress is a new experiment, not new text: so many nudges without one and the session parks.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from sessions.detector import Detection
from sessions.states import AgentState, Phase

Kind = Literal["brief", "nudge", "result", "person"]

# Approvals may be queued behind each other: a question that stays is answered so often, then the person is called.
MAX_ANSWERS: Final = 3


@dataclass(frozen=True)
class Limits:
    """What the policy is bound by. Times are in seconds.

    Attributes:
        max_idle_nudges: nudges and relaunches in a row without a new experiment, then the session parks.
        max_experiments: the session finishes after as many; None: no end.
        answer_approvals: whether a profile's safe answer may be given.
        cooldown_s: between two submissions.
        after_typing_s: hands off for so long after a person's last key.
        unheard_s: the agent showed no sign of having read a submission: the next may follow after so long.
        answer_patience_s: between two answers to a question that stays.
        max_relaunches: of the agent within `relaunch_window_s`, then the session parks.
        relaunch_window_s: see there.
        failing_s: from an API error to the next try; doubles with every try without an experiment.
        limited_s: the same for a usage limit, without doubling; five tries span the usual five hours.
    """

    max_idle_nudges: int = 5
    max_experiments: int | None = None
    answer_approvals: bool = False
    cooldown_s: float = 1.0
    after_typing_s: float = 10.0
    unheard_s: float = 20.0
    answer_patience_s: float = 5.0
    max_relaunches: int = 3
    relaunch_window_s: float = 60.0
    failing_s: float = 60.0
    limited_s: float = 3600.0


@dataclass(frozen=True)
class Situation:
    """Everything that the decision depends on.

    Attributes:
        detection: what the agent does.
        phase: what the session does.
        pending: whether an experiment (or the baseline) runs or is queued.
        experiments: how many were judged, the baseline left out.
        result_untold: whether a verdict is known that the agent has not been told.
        person_nudges: what the person asked to have typed, the oldest first.
        brief_pending: whether the first prompt must still be typed to this launch of the agent.
        wheel_held: whether a person types to the agent directly.
        typed_at: when she last did, on the clock of `now`; None: never.
    """

    detection: Detection
    phase: Phase = Phase.RUNNING
    pending: bool = False
    experiments: int = 0
    result_untold: bool = False
    person_nudges: tuple[str, ...] = ()
    brief_pending: bool = False
    wheel_held: bool = False
    typed_at: float | None = None


@dataclass(frozen=True)
class Memory:
    """What the policy remembers from one decision to the next. A new session starts with `Memory()`.

    Attributes:
        submitted_at: when text was last submitted.
        idle_nudges: nudges and relaunches since the last new experiment or person's word.
        experiments: judged when last looked.
        relaunched_at: when the agent was relaunched lately.
        question: `since` of the question that was last answered.
        answers: how often it was answered.
        answered_at: when it last was.
        alerted: what the person was last called for, so that she is called once.
    """

    submitted_at: float | None = None
    idle_nudges: int = 0
    experiments: int = 0
    relaunched_at: tuple[float, ...] = ()
    question: float | None = None
    answers: int = 0
    answered_at: float = 0.0
    alerted: tuple[AgentState, float] | None = None


@dataclass(frozen=True)
class Nothing:
    """Do nothing, and why; look again at `until` even if nothing changes."""

    reason: str
    until: float | None = None


@dataclass(frozen=True)
class Submit:
    """Type a text and Enter. "person": the first of `Situation.person_nudges`."""

    kind: Kind


@dataclass(frozen=True)
class Answer:
    """Send the keys of the profile's safe answer."""

    keys: str


@dataclass(frozen=True)
class Relaunch:
    """Start the agent again: it has ended."""

    reason: str


@dataclass(frozen=True)
class Park:
    """Stop nudging and wait for the person."""

    reason: str


@dataclass(frozen=True)
class Finish:
    """The session has reached its number of experiments."""

    reason: str


@dataclass(frozen=True)
class Alert:
    """Call the person; the session goes on."""

    reason: str


Action = Nothing | Submit | Answer | Relaunch | Park | Finish | Alert


def forgiven(memory: Memory) -> Memory:
    """What to remember after a person said "resume": her word counts like progress."""
    return replace(memory, idle_nudges=0, relaunched_at=(), question=None, answers=0, alerted=None)


def decide(memory: Memory, situation: Situation, limits: Limits, now: float) -> tuple[Action, Memory]:
    """What to do now, and what to remember of it.

    Args:
        memory: what the decision before returned; `Memory()` at first.
        situation: what is the case.
        limits: what binds.
        now: seconds on the clock of `Detection.since` and `Situation.typed_at`.
    """
    if situation.experiments > memory.experiments:
        memory = replace(memory, idle_nudges=0)
    memory = replace(memory, experiments=situation.experiments)
    if (wait := _hands_off(situation, limits, now)) is not None:
        return wait, memory
    detection = situation.detection
    finished = limits.max_experiments is not None and situation.experiments >= limits.max_experiments
    if finished and not situation.pending and not situation.person_nudges and _is_at_rest(detection.state):
        return Finish(f"{situation.experiments} experiments, as asked"), memory
    match detection.state:
        case AgentState.STARTING | AgentState.WORKING:
            return Nothing(f"the agent is {detection.state}"), memory
        case AgentState.EXITED:
            return _revive(memory, detection, limits, now)
        case AgentState.ASKING:
            return _answer(memory, detection, limits, now)
        case AgentState.WAITING | AgentState.FAILING | AgentState.LIMITED:
            return _prompt(memory, situation, limits, now)


def _hands_off(situation: Situation, limits: Limits, now: float) -> Nothing | None:
    if situation.phase is not Phase.RUNNING:
        return Nothing(f"the session is {situation.phase}")
    if situation.wheel_held:
        return Nothing("a person has the wheel")
    if situation.typed_at is not None and now < situation.typed_at + limits.after_typing_s:
        return Nothing("a person has just typed", situation.typed_at + limits.after_typing_s)
    return None


def _is_at_rest(state: AgentState) -> bool:
    return state not in {AgentState.STARTING, AgentState.WORKING}


def _revive(memory: Memory, detection: Detection, limits: Limits, now: float) -> tuple[Action, Memory]:
    lately = tuple(at for at in memory.relaunched_at if at > now - limits.relaunch_window_s)
    if len(lately) >= limits.max_relaunches:
        return Park(f"the agent keeps ending ({len(lately)} relaunches in a minute): {detection.evidence}"), memory
    if memory.idle_nudges >= limits.max_idle_nudges:
        return Park(_no_progress(memory)), memory
    memory = replace(memory, relaunched_at=(*lately, now), idle_nudges=memory.idle_nudges + 1)
    return Relaunch(f"the agent ended: {detection.evidence}"), memory


def _answer(memory: Memory, detection: Detection, limits: Limits, now: float) -> tuple[Action, Memory]:
    if not limits.answer_approvals or detection.answer is None:
        return _call(memory, detection, f"the agent asks: {detection.evidence}")
    if memory.question != detection.since:
        memory = replace(memory, question=detection.since, answers=0)
    elif now < memory.answered_at + limits.answer_patience_s:
        return Nothing("the question was answered", memory.answered_at + limits.answer_patience_s), memory
    if memory.answers >= MAX_ANSWERS:
        return _call(memory, detection, f"the agent still asks after {memory.answers} answers: {detection.evidence}")
    return Answer(detection.answer), replace(memory, answers=memory.answers + 1, answered_at=now)


def _call(memory: Memory, detection: Detection, reason: str) -> tuple[Action, Memory]:
    """Alert the person, once for each time that the agent came into this state."""
    if memory.alerted == (detection.state, detection.since):
        return Nothing("the person was called"), memory
    return Alert(reason), replace(memory, alerted=(detection.state, detection.since))


def _prompt(memory: Memory, situation: Situation, limits: Limits, now: float) -> tuple[Action, Memory]:
    """The agent could be typed to: by a person's wish at once, otherwise as the rules allow."""
    detection = situation.detection
    if memory.submitted_at is not None and now < memory.submitted_at + limits.cooldown_s:
        return Nothing("text has just been submitted", memory.submitted_at + limits.cooldown_s), memory
    if situation.person_nudges:
        return Submit("person"), replace(memory, submitted_at=now, idle_nudges=0)
    if detection.state is not AgentState.WAITING:
        action, memory = _call(memory, detection, f"the agent is {detection.state}: {detection.evidence}")
        if isinstance(action, Alert):
            return action, memory
    if situation.pending and not situation.brief_pending:
        return Nothing("an experiment runs or is queued"), memory
    ready_at = _ready_at(memory, detection, limits)
    if now < ready_at:
        return Nothing(f"the agent is {detection.state}; the next try comes later", ready_at), memory
    if situation.brief_pending:
        return Submit("brief"), replace(memory, submitted_at=now)
    if memory.idle_nudges >= limits.max_idle_nudges:
        return Park(_no_progress(memory)), memory
    memory = replace(memory, submitted_at=now, idle_nudges=memory.idle_nudges + 1)
    return Submit("result" if situation.result_untold else "nudge"), memory


def _ready_at(memory: Memory, detection: Detection, limits: Limits) -> float:
    """When the supervisor may type of its own accord: at once after a stop, later where trying again may hurt."""
    submitted_at = memory.submitted_at if memory.submitted_at is not None else float("-inf")
    match detection.state:
        case AgentState.FAILING:
            return max(detection.since, submitted_at) + limits.failing_s * 2.0**memory.idle_nudges
        case AgentState.LIMITED:
            return max(detection.since, submitted_at) + limits.limited_s
    # No stop since the last submission: it was not read, or is being read.
    return submitted_at + limits.unheard_s if detection.since <= submitted_at else detection.since


def _no_progress(memory: Memory) -> str:
    return f"nudged {memory.idle_nudges} times without a new experiment"
