"""Judgement: what binds the policy, and whether a session has reached its end. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the policy is bound by. Times are in seconds.

    Attributes:
        max_idle_nudges: nudges and relaunches in a row without a new experiment, then the session parks.
        max_experiments: the session finishes after as many; None: no end.
        max_hours: the same for hours of supervision.
        max_nudges: the same for nudges.
        max_tokens: the same for the agent's tokens.
        answer_approvals: whether a profile's safe answer may be given.
        cooldown_s: between two submissions.
        after_typing_s: hands off for so long after a person's last key.
        draft_s: likewise, where she has left a text half typed.
        held_s: what lies over the agent's screen for so long is brought to the person's notice.
        unheard_s: the agent showed no sign of having read a submission: the next may follow after so long.
        answer_patience_s: between two answers to a question that stays.
        interrupt_patience_s: between two interruptions of a turn that goes on.
        starting_s: an agent that has shown nothing known for so long is brought to the person's notice.
        max_relaunches: of the agent within `relaunch_window_s`, then the session parks.
        relaunch_window_s: see there.
        failing_s: from an API error to the next try; doubles with every try that fails.
        failing_most_s: and grows no further than this.
        limited_s: between two tries of an agent at a usage limit that says nothing of its end.
        max_retries: tries in a row after API errors or at a usage limit, then the session parks.
    """

    max_idle_nudges: int = 5
    max_experiments: int | None = None
    max_hours: float | None = None
    max_nudges: int | None = None
    max_tokens: int | None = None
    answer_approvals: bool = False
    cooldown_s: float = 1.0
    after_typing_s: float = 10.0
    draft_s: float = 300.0
    held_s: float = 60.0
    unheard_s: float = 20.0
    answer_patience_s: float = 5.0
    interrupt_patience_s: float = 5.0
    starting_s: float = 120.0
    max_relaunches: int = 3
    relaunch_window_s: float = 60.0
    failing_s: float = 10.0
    failing_most_s: float = 900.0
    limited_s: float = 3600.0
    max_retries: int = 24

    @property
    def refresh_at(self) -> int | None:
        """The nudge in a row, from 0, in whose place the agent gets a fresh context; None: too few for that."""
        if self.max_idle_nudges < 3:
            return None
        return max(2, self.max_idle_nudges - 2)

    @property
    def insist_at(self) -> int:
        """The nudge in a row, from 0, from which on other words are used."""
        return 1 if self.refresh_at is None else min(2, self.refresh_at - 1)


def reached(limits: Limits, experiments: int, hours: float, nudges: int, tokens: int) -> str:
    """Which bound a session has reached, in words; empty where none."""
    if limits.max_experiments is not None and experiments >= limits.max_experiments:
        return f"{experiments} experiments, as asked"
    if limits.max_hours is not None and hours >= limits.max_hours:
        return f"{limits.max_hours:g} hours, as asked"
    if limits.max_nudges is not None and nudges >= limits.max_nudges:
        return f"{nudges} nudges, as asked"
    if limits.max_tokens is not None and tokens >= limits.max_tokens:
        return f"{tokens} tokens, as asked"
    return ""
