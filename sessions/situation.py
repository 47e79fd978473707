"""What the policy is asked about, and what it remembers between two questions. Values only."""

from dataclasses import dataclass

from sessions.detector import Detection
from sessions.profile import AtOnce
from sessions.states import AgentState, Phase


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
        urgent: whether the first of them is to reach the agent at once.
        at_once: how that is done with this agent.
        brief_pending: whether the first prompt must still be typed to this launch of the agent.
        wheel_held: whether a person types to the agent directly.
        typed_at: when she last did, on the clock of `now`; None: never.
        draft: whether she has left a text in the composer without sending it.
        wall: seconds since the epoch.
        quiet_s: seconds until the quiet hours end; None: there are none now.
        hours: for how long the session has been supervised.
        nudges: how many were typed, the first brief and the person's own left out.
        tokens: how many the agent has used, as far as its log says.
    """

    detection: Detection
    phase: Phase = Phase.RUNNING
    pending: bool = False
    experiments: int = 0
    result_untold: bool = False
    person_nudges: tuple[str, ...] = ()
    urgent: bool = False
    at_once: AtOnce = "interrupt"
    brief_pending: bool = False
    wheel_held: bool = False
    typed_at: float | None = None
    draft: bool = False
    wall: float = 0.0
    quiet_s: float | None = None
    hours: float = 0.0
    nudges: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Memory:
    """What the policy remembers from one decision to the next. A new session starts with `Memory()`.

    Attributes:
        submitted_at: when text was last submitted.
        idle_nudges: nudges and relaunches since the last new experiment or person's word.
        retries: tries since an API error or a usage limit began, and no turn ended well.
        experiments: judged when last looked.
        relaunched_at: when the agent was relaunched lately.
        interrupted_at: when its turn was last interrupted.
        question: `since` of the question that was last answered.
        answers: how often it was answered.
        answered_at: when it last was.
        alerted: what the person was last called for, so that she is called once.
    """

    submitted_at: float | None = None
    idle_nudges: int = 0
    retries: int = 0
    experiments: int = 0
    relaunched_at: tuple[float, ...] = ()
    interrupted_at: float | None = None
    question: float | None = None
    answers: int = 0
    answered_at: float = 0.0
    alerted: tuple[AgentState, float] | None = None
