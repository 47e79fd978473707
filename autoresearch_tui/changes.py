"""What can change in the window: the words that the feed and the screens send to the reducer. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from harness.result import Experiment
from sessions.protocol import Frame, Status

if TYPE_CHECKING:  # records from modules that also measure and read: nothing of that is wanted here
    from harness.machine_sample import MachineSample
    from sessions.explanation import Explanation
    from sessions.spec import SessionSpec


class Link(StrEnum):
    """Whether a session's supervisor is there."""

    CONNECTING = "connecting"
    LIVE = "live"
    DEAD = "dead"  # it should be there and is not
    STOPPED = "stopped"  # it ended on purpose


@dataclass(frozen=True)
class Entry:
    """A line of the journal: seconds since the epoch, its kind, the rest. Texts in it are untrusted."""

    at: float
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionsFound:
    """The session directories, in order, with what they were asked to be, or why that cannot be read."""

    found: "tuple[tuple[str, SessionSpec | None, str], ...]"


@dataclass(frozen=True)
class LinkChanged:
    """The supervisor came or went."""

    session: str
    link: Link
    problem: str = ""


@dataclass(frozen=True)
class StatusArrived:
    """A new status."""

    session: str
    status: Status


@dataclass(frozen=True)
class ExperimentsRead:
    """The ledger grew by these; `afresh`: these are all."""

    session: str
    experiments: tuple[Experiment, ...]
    broken: int = 0
    afresh: bool = False


@dataclass(frozen=True)
class EntriesRead:
    """The journal grew by these; `afresh`: forget the earlier ones."""

    session: str
    entries: tuple[Entry, ...]
    afresh: bool = False


@dataclass(frozen=True)
class FrameArrived:
    """The agent's screen changed."""

    session: str
    frame: Frame


@dataclass(frozen=True)
class DiffRead:
    """The working change against the incumbent."""

    session: str
    text: str


@dataclass(frozen=True)
class MachineSampled:
    """A sample of this machine."""

    sample: "MachineSample"


@dataclass(frozen=True)
class MachineLost:
    """There are no samples, and why."""

    problem: str


@dataclass(frozen=True)
class Ticked:
    """The time."""

    now: float


@dataclass(frozen=True)
class Selected:
    """The dashboard's cursor moved."""

    session: str | None


@dataclass(frozen=True)
class Opened:
    """A session's screen was opened; None: closed."""

    session: str | None


@dataclass(frozen=True)
class WhyOpened:
    """The person wants to know why a session's agent is in its state; None: no more."""

    session: str | None


@dataclass(frozen=True)
class WhyAnswered:
    """The supervisor explained itself, or (None) why it could not be asked."""

    session: str
    explanation: "Explanation | None"
    problem: str = ""


SessionChange = LinkChanged | StatusArrived | ExperimentsRead | EntriesRead | FrameArrived | DiffRead
Change = (
    SessionChange | SessionsFound | MachineSampled | MachineLost | Ticked | Selected | Opened | WhyOpened | WhyAnswered
)
