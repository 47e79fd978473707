"""The window's frozen state and its reducer: a state and a change in, the next state out.

Pure: no Textual, no I/O, no clock (the time is a change like any other). Parts that a change does not touch keep
their identity, so that whoever paints them can see with `is` that nothing happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from harness.result import Experiment
from harness.verdict import Verdict
from sessions.protocol import Frame, Row, Status

if TYPE_CHECKING:  # records from modules that also measure and read: nothing of that is wanted here
    from harness.machine import MachineSample
    from sessions.store import SessionSpec

ENTRIES_KEPT: Final = 500
SAMPLES_KEPT: Final = 120


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
class AgentScreen:
    """The agent's terminal, whole: `rows` has `height` rows. See `sessions.protocol.Frame`."""

    width: int
    height: int
    cursor: tuple[int, int, bool]
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class SessionView:
    """All that the window knows of one session.

    Attributes:
        spec: what was asked for; None where `session.json` cannot be read, which `problem` says.
        link: whether the supervisor is there; `problem` says why not.
        status: the last one, of a living supervisor or from disk.
        experiments: the ledger, oldest first, the baseline included.
        broken: lines of the ledger that are not records.
        entries: the journal's last entries, oldest first.
        screen: the agent's terminal; None unless the session is open and live.
        diff: the working change against the incumbent; None until it was read.
    """

    id: str
    spec: "SessionSpec | None" = None
    link: Link = Link.CONNECTING
    problem: str = ""
    status: Status | None = None
    experiments: tuple[Experiment, ...] = ()
    broken: int = 0
    entries: tuple[Entry, ...] = ()
    screen: AgentScreen | None = None
    diff: str | None = None


@dataclass(frozen=True)
class WindowState:
    """Everything that is shown.

    Attributes:
        sessions: the newest last.
        scanned: whether the session directories have been looked at yet.
        selected: the id under the dashboard's cursor.
        opened: the id whose screen is open.
        machine: the last samples, oldest first.
        machine_problem: why there are no samples.
        now: seconds since the epoch, in whole seconds.
    """

    sessions: tuple[SessionView, ...] = ()
    scanned: bool = False
    selected: str | None = None
    opened: str | None = None
    machine: "tuple[MachineSample, ...]" = ()
    machine_problem: str = ""
    now: float = 0.0

    def session(self, name: str | None) -> SessionView | None:
        """The session of that id."""
        return next((one for one in self.sessions if one.id == name), None)

    @property
    def current(self) -> SessionView | None:
        """The session that keys act on: the open one, else the selected one."""
        return self.session(self.opened or self.selected)


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


SessionChange = LinkChanged | StatusArrived | ExperimentsRead | EntriesRead | FrameArrived | DiffRead
Change = SessionChange | SessionsFound | MachineSampled | MachineLost | Ticked | Selected | Opened


def reduce(state: WindowState, change: Change) -> WindowState:
    """The state after a change. A change that concerns a session which is gone changes nothing."""
    match change:
        case SessionsFound():
            return _with_sessions(state, change)
        case MachineSampled(sample):
            return replace(state, machine=(*state.machine[-SAMPLES_KEPT + 1 :], sample), machine_problem="")
        case MachineLost(problem):
            return replace(state, machine=(), machine_problem=problem)
        case Ticked(now):
            return state if now == state.now else replace(state, now=now)
        case Selected(session):
            return replace(state, selected=session)
        case Opened(session):
            return _opened(state, session)
        case _:
            return _with_session_change(state, change)


def _with_sessions(state: WindowState, change: SessionsFound) -> WindowState:
    views: list[SessionView] = []
    for name, spec, problem in change.found:
        known = state.session(name)
        if known is None:
            known = SessionView(name, spec, problem=problem)
        elif known.spec is None and spec is not None:
            known = replace(known, spec=spec, problem=problem)
        views.append(known)
    names = [view.id for view in views]
    selected = state.selected if state.selected in names else next(iter(reversed(names)), None)
    opened = state.opened if state.opened in names else None
    if tuple(views) == state.sessions and state.scanned and (selected, opened) == (state.selected, state.opened):
        return state
    return replace(state, sessions=tuple(views), scanned=True, selected=selected, opened=opened)


def _opened(state: WindowState, session: str | None) -> WindowState:
    # What was streamed for the screen that closes is stale by the time it opens again.
    cleared = tuple(
        one if one.id == session or (one.screen is None and one.diff is None) else replace(one, screen=None, diff=None)
        for one in state.sessions
    )
    return replace(state, sessions=cleared, opened=session, selected=session or state.selected)


def _with_session_change(state: WindowState, change: SessionChange) -> WindowState:
    before = state.session(change.session)
    if before is None:
        return state
    after = _changed(before, change)
    if after is before:
        return state
    return replace(state, sessions=tuple(after if one is before else one for one in state.sessions))


def _changed(view: SessionView, change: SessionChange) -> SessionView:
    match change:
        case LinkChanged(link=link, problem=problem):
            screen = view.screen if link is Link.LIVE else None
            if view.spec is None:  # an unreadable session.json stays the problem, whoever comes or goes
                problem = view.problem or problem
            if (link, problem, screen) == (view.link, view.problem, view.screen):
                return view
            return replace(view, link=link, problem=problem, screen=screen)
        case StatusArrived(status=status):
            return view if status == view.status else replace(view, status=status)
        case ExperimentsRead(experiments=new, broken=broken, afresh=afresh):
            if afresh:
                return replace(view, experiments=new, broken=broken)
            return replace(view, experiments=view.experiments + new, broken=view.broken + broken)
        case EntriesRead(entries=entries, afresh=afresh):
            kept = entries if afresh else view.entries + entries
            return replace(view, entries=kept[-ENTRIES_KEPT:])
        case FrameArrived(frame=frame):
            return replace(view, screen=apply_frame(view.screen, frame))
        case DiffRead(text=text):
            return view if text == view.diff else replace(view, diff=text)


def apply_frame(screen: AgentScreen | None, frame: Frame) -> AgentScreen | None:
    """The screen after a frame. Changed rows without a whole frame of that size before them say nothing."""
    if frame.full:
        rows = [frame.rows.get(y, ()) for y in range(frame.rows_total)]
    elif screen is None or (screen.width, screen.height) != (frame.cols, frame.rows_total):
        return screen
    else:
        rows = list(screen.rows)
        for y, content in frame.rows.items():
            if 0 <= y < len(rows):
                rows[y] = content
    return AgentScreen(frame.cols, frame.rows_total, frame.cursor, frame.title, tuple(rows))


@dataclass(frozen=True)
class Score:
    """How far a session got. val_bpb in bits per byte; `kept` and `total` leave the baseline and aborted runs out."""

    best: float | None
    best_number: int | None
    baseline: float | None
    kept: int
    total: int

    @property
    def gain(self) -> float | None:
        """The best less the baseline; negative is better."""
        return None if self.best is None or self.baseline is None else self.best - self.baseline


def score(view: SessionView) -> Score:
    """From the status of a living supervisor, else from the ledger."""
    status = view.status
    if status is not None and view.link is Link.LIVE:
        return Score(status.best, status.best_number, status.baseline, status.kept, status.total)
    kept = [one for one in view.experiments if one.verdict == Verdict.KEEP and one.val_bpb is not None]
    judged = [one for one in view.experiments if one.number > 0 and one.verdict != Verdict.ABORTED]
    return Score(
        best=kept[-1].val_bpb if kept else None,
        best_number=kept[-1].number if kept else None,
        baseline=kept[0].val_bpb if kept else None,
        kept=sum(1 for one in kept if one.number > 0),
        total=len(judged),
    )


def incumbent(view: SessionView) -> Experiment | None:
    """The kept experiment that the next one must beat."""
    return next((one for one in reversed(view.experiments) if one.verdict == Verdict.KEEP), None)


def per_hour(view: SessionView, last: int = 20) -> float | None:
    """Experiments an hour, over the last ones; None before there are three."""
    recent = view.experiments[-last:]
    if len(recent) < 3:
        return None
    hours = (recent[-1].ended_at - recent[0].ended_at) / 3600
    return None if hours <= 0 else (len(recent) - 1) / hours
