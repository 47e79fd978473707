"""Judgement: what to do about the agent now. Pure: values and a clock reading in, an action and a memory out.

It decides that something is typed, never what it says (`sessions.wording`) nor how (the babysitter). The caller
carries an action out before it asks again, and asks again whenever something changed or `Nothing.until` has come.

- A person goes first: paused, parked, finished, the wheel in her hand or her keys just typed mean hands off.
- Text goes only to an agent that waits (or whose API failed a while ago), never into a menu or a start-up screen, and
  into work only if a person wants that.
- While an experiment runs or is queued a stopped agent is left alone; only a person's nudge and the first brief go in.
- Progress is a new experiment, not new text. Without one the words change, then the context, then the session parks.
"""

from dataclasses import replace
from typing import Final

from sessions.actions import Action, Alert, Answer, Finish, Interrupt, Nothing, Park, Refresh, Relaunch, Submit
from sessions.bounds import Limits, reached
from sessions.detector import STALLED, Detection
from sessions.situation import Memory, Situation
from sessions.states import AgentState, Phase

# Approvals may be queued behind each other: a question that stays is answered so often, then the person is called.
MAX_ANSWERS: Final = 3


def forgiven(memory: Memory) -> Memory:
    """What to remember after a person said "resume": her word counts like progress."""
    return replace(memory, idle_nudges=0, retries=0, relaunched_at=(), question=None, answers=0, alerted=None)


def decide(memory: Memory, situation: Situation, limits: Limits, now: float) -> tuple[Action, Memory]:
    """What to do now, and what to remember of it.

    Args:
        memory: what the decision before returned; `Memory()` at first.
        situation: what is the case.
        limits: what binds.
        now: seconds on the clock of `Detection.since` and `Situation.typed_at`.
    """
    detection = situation.detection
    if situation.experiments > memory.experiments:
        memory = replace(memory, idle_nudges=0, retries=0)
    if detection.state is AgentState.WAITING:
        memory = replace(memory, retries=0)
    memory = replace(memory, experiments=situation.experiments)
    if (wait := _hands_off(situation, limits, now)) is not None:
        return wait, memory
    if detection.held_since is not None:
        return _wait_for_a_look(memory, detection, limits, now)
    bound = reached(limits, situation.experiments, situation.hours, situation.nudges, situation.tokens)
    if bound and not situation.pending and not situation.person_nudges and _is_at_rest(detection.state):
        return Finish(bound), memory
    match detection.state:
        case AgentState.STARTING:
            return _start(memory, detection, limits, now)
        case AgentState.WORKING:
            return _reach(memory, situation, limits, now)
        case AgentState.EXITED:
            return _revive(memory, detection, limits, now)
        case AgentState.ASKING:
            return _answer(memory, detection, limits, now)
        case AgentState.LIMITED if detection.answer is not None:  # a menu, into which nothing may be typed
            return _answer(memory, detection, limits, now)
        case AgentState.WAITING | AgentState.FAILING | AgentState.LIMITED:
            return _prompt(memory, situation, limits, now)


def _hands_off(situation: Situation, limits: Limits, now: float) -> Nothing | None:
    if situation.phase is not Phase.RUNNING:
        return Nothing(f"the session is {situation.phase}")
    if situation.wheel_held:
        return Nothing("a person has the wheel")
    if situation.typed_at is not None:
        reason, patience_s = "a person has just typed", limits.after_typing_s
        if situation.draft:
            reason, patience_s = "a person has left a text half typed", limits.draft_s
        if now < situation.typed_at + patience_s:
            return Nothing(reason, situation.typed_at + patience_s)
    if situation.quiet_s is not None and not situation.person_nudges:
        return Nothing("these are quiet hours", now + situation.quiet_s)
    return None


def _is_at_rest(state: AgentState) -> bool:
    return state not in {AgentState.STARTING, AgentState.WORKING}


def _start(memory: Memory, detection: Detection, limits: Limits, now: float) -> tuple[Action, Memory]:
    if now < detection.since + limits.starting_s:
        return Nothing("the agent is starting", detection.since + limits.starting_s), memory
    seconds = f"{limits.starting_s:g} s"
    return _call(memory, detection, f"the agent has shown nothing that we know for {seconds}; take the wheel and look")


def _wait_for_a_look(memory: Memory, detection: Detection, limits: Limits, now: float) -> tuple[Action, Memory]:
    """A viewer or a picker lies over the agent's screen: what is typed now would go there."""
    held_since = now if detection.held_since is None else detection.held_since
    if now < held_since + limits.held_s:
        return Nothing("something lies over the agent's screen", held_since + limits.held_s), memory
    opened = replace(detection, since=held_since)  # called once each time that something is opened
    return _call(memory, opened, f"something has lain over the agent's screen for {limits.held_s:g} s; close it")


def _reach(memory: Memory, situation: Situation, limits: Limits, now: float) -> tuple[Action, Memory]:
    """The agent works, which only a person's wish may disturb."""
    if not (situation.person_nudges and situation.urgent):
        return Nothing("the agent is working"), memory
    if (wait := _cooling(memory, limits, now)) is not None:
        return wait, memory
    if situation.at_once == "type" or situation.detection.background:  # then its composer is free
        return Submit("person"), replace(memory, submitted_at=now, idle_nudges=0)
    return _interrupt(memory, "a nudge that cannot wait", limits, now)


def _interrupt(memory: Memory, reason: str, limits: Limits, now: float) -> tuple[Action, Memory]:
    if memory.interrupted_at is not None and now < memory.interrupted_at + limits.interrupt_patience_s:
        return Nothing("the turn was interrupted", memory.interrupted_at + limits.interrupt_patience_s), memory
    return Interrupt(reason), replace(memory, interrupted_at=now)


def _revive(memory: Memory, detection: Detection, limits: Limits, now: float) -> tuple[Action, Memory]:
    lately = tuple(at for at in memory.relaunched_at if at > now - limits.relaunch_window_s)
    if len(lately) >= limits.max_relaunches:
        return Park(f"the agent keeps ending ({len(lately)} relaunches in a minute): {detection.evidence}"), memory
    if memory.idle_nudges >= limits.max_idle_nudges:
        return Park(_no_progress(memory)), memory
    memory = replace(memory, relaunched_at=(*lately, now), idle_nudges=memory.idle_nudges + 1)
    return Relaunch(f"the agent ended: {detection.evidence}"), memory


def _answer(memory: Memory, detection: Detection, limits: Limits, now: float) -> tuple[Action, Memory]:
    allowed = limits.answer_approvals or detection.state is AgentState.LIMITED
    if not allowed or detection.answer is None:
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


def _cooling(memory: Memory, limits: Limits, now: float) -> Nothing | None:
    if memory.submitted_at is not None and now < memory.submitted_at + limits.cooldown_s:
        return Nothing("text has just been submitted", memory.submitted_at + limits.cooldown_s)
    return None


def _prompt(memory: Memory, situation: Situation, limits: Limits, now: float) -> tuple[Action, Memory]:
    """The agent could be typed to: by a person's wish at once, otherwise as the rules allow."""
    detection = situation.detection
    if (wait := _cooling(memory, limits, now)) is not None:
        return wait, memory
    if situation.person_nudges:
        return Submit("person"), replace(memory, submitted_at=now, idle_nudges=0)
    if detection.state is not AgentState.WAITING:
        return _try_again(memory, situation, limits, now)
    if situation.brief_pending:
        return Submit("brief"), replace(memory, submitted_at=now)
    if situation.pending:
        return Nothing("an experiment runs or is queued"), memory
    # No stop since the last submission: it was not read, or is being read.
    submitted_at = float("-inf") if memory.submitted_at is None else memory.submitted_at
    if detection.since <= submitted_at and now < submitted_at + limits.unheard_s:
        return Nothing(
            "the agent has not shown yet that it read the last text", submitted_at + limits.unheard_s
        ), memory
    interrupted = memory.interrupted_at is not None and memory.interrupted_at >= detection.since
    if detection.rule == STALLED and not interrupted:
        return _interrupt(memory, detection.evidence, limits, now)
    return _nudge(memory, situation, limits, now)


def _nudge(memory: Memory, situation: Situation, limits: Limits, now: float) -> tuple[Action, Memory]:
    """A stop without a reason: the next rung of the ladder."""
    rung, most = memory.idle_nudges, limits.max_idle_nudges
    if rung >= most:
        return Park(_no_progress(memory)), memory
    memory = replace(memory, submitted_at=now, idle_nudges=rung + 1)
    if situation.result_untold:
        return Submit("result"), memory
    if rung == limits.refresh_at:
        return Refresh(_no_progress(memory)), memory
    return Submit("insist" if rung >= limits.insist_at else "nudge"), memory


def _try_again(memory: Memory, situation: Situation, limits: Limits, now: float) -> tuple[Action, Memory]:
    """Its API fails, or a usage limit holds: call the person, and try again when there is hope."""
    detection = situation.detection
    action, memory = _call(memory, detection, f"the agent is {detection.state}: {detection.evidence}")
    if isinstance(action, Alert):
        return action, memory
    if situation.pending and not situation.brief_pending:
        return Nothing("an experiment runs or is queued"), memory
    if (ready_at := _ready_at(memory, situation, limits, now)) > now:
        return Nothing(f"the agent is {detection.state}; the next try comes later", ready_at), memory
    if memory.retries >= limits.max_retries:
        return Park(f"the agent is {detection.state} after {memory.retries} tries: {detection.evidence}"), memory
    memory = replace(memory, submitted_at=now, retries=memory.retries + 1)
    if situation.brief_pending:
        return Submit("brief"), memory
    if detection.state is AgentState.LIMITED:
        return Submit("limit_over"), memory
    return Submit("result" if situation.result_untold else "nudge"), memory


def _ready_at(memory: Memory, situation: Situation, limits: Limits, now: float) -> float:
    """When trying again may help: at the reset where one is known, else later with every failure."""
    detection = situation.detection
    submitted_at = memory.submitted_at if memory.submitted_at is not None else float("-inf")
    last = max(detection.since, submitted_at)
    if detection.state is AgentState.FAILING:
        return last + min(limits.failing_s * 2.0**memory.retries, limits.failing_most_s)
    reset = detection.reset
    if reset is None:
        return last + limits.limited_s
    # Whichever clock comes first: the wall's may be set back, the other stands still while the machine sleeps.
    left = min(reset.at - situation.wall, detection.reset_by - now) + reset.margin_s
    return max(now + left, submitted_at + limits.unheard_s)


def _no_progress(memory: Memory) -> str:
    return f"nudged {memory.idle_nudges} times without a new experiment"
