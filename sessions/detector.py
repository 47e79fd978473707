"""Judgement: what the agent is doing, from what its terminal shows. Pure: no clock, no I/O."""

from dataclasses import dataclass

from sessions.states import AgentState


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
