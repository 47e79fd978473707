"""What the policy can decide. Values only; the babysitter carries them out."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["brief", "nudge", "insist", "result", "limit_over", "person"]
"""What a submission says."""


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
class Interrupt:
    """End the agent's turn, with the profile's keys for that."""

    reason: str


@dataclass(frozen=True)
class Refresh:
    """Let the agent begin in a fresh context, with the brief and a summary of the results."""

    reason: str


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
    """The session has reached what it was bounded by."""

    reason: str


@dataclass(frozen=True)
class Alert:
    """Call the person; the session goes on."""

    reason: str


Action = Nothing | Submit | Answer | Interrupt | Refresh | Relaunch | Park | Finish | Alert
