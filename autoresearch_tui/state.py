"""The window's frozen state and its reducer: a state and a change in, the next state out.

Pure: no Textual, no I/O, no clock (the time is a change like any other). Parts that a change does not touch keep
their identity, so that whoever paints them can see with `is` that nothing happened.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from autoresearch_tui.changes import (
    Change,
    DiffRead,
    EntriesRead,
    Entry,
    ExperimentsRead,
    FrameArrived,
    Link,
    LinkChanged,
    MachineLost,
    MachineSampled,
    Opened,
    Selected,
    SessionChange,
    SessionsFound,
    StatusArrived,
    Ticked,
    WhyAnswered,
    WhyOpened,
)
from harness.result import Experiment
from sessions.protocol import Frame, Row, Status

if TYPE_CHECKING:
    from harness.machine_sample import MachineSample
    from sessions.explanation import Explanation
    from sessions.spec import SessionSpec

ENTRIES_KEPT: Final = 500
SAMPLES_KEPT: Final = 120


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
class Why:
    """The open explanation: of which session, what its supervisor said (None: nothing yet), or why it did not."""

    session: str
    explanation: "Explanation | None" = None
    problem: str = ""


@dataclass(frozen=True)
class WindowState:
    """Everything that is shown.

    Attributes:
        sessions: the newest last.
        scanned: whether the session directories have been looked at yet.
        selected: the id under the dashboard's cursor: until the person moves it, the only live session if there is
            just one, else the newest.
        chosen: whether the person moved it.
        opened: the id whose screen is open.
        why: the explanation that is open, over everything else.
        machine: the last samples, oldest first.
        machine_problem: why there are no samples.
        now: seconds since the epoch, in whole seconds.
    """

    sessions: tuple[SessionView, ...] = ()
    scanned: bool = False
    selected: str | None = None
    chosen: bool = False
    opened: str | None = None
    why: Why | None = None
    machine: "tuple[MachineSample, ...]" = ()
    machine_problem: str = ""
    now: float = 0.0

    def session(self, name: str | None) -> SessionView | None:
        """The session of that id."""
        return next((one for one in self.sessions if one.id == name), None)

    @property
    def current(self) -> SessionView | None:
        """The session that keys act on: the explained one, else the open one, else the selected one."""
        return self.session((self.why.session if self.why is not None else None) or self.opened or self.selected)


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
            return state if session == state.selected else replace(state, selected=session, chosen=True)
        case Opened(session):
            return _opened(state, session)
        case WhyOpened(session):
            return replace(state, why=None if session is None else Why(session))
        case WhyAnswered(session, explanation, problem):
            asked = state.why is not None and state.why.session == session  # or closed since
            return replace(state, why=Why(session, explanation, problem)) if asked else state
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
    selected = state.selected if state.selected in names and state.chosen else _first_choice(tuple(views))
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
    sessions = tuple(after if one is before else one for one in state.sessions)
    return replace(state, sessions=sessions, selected=state.selected if state.chosen else _first_choice(sessions))


def _first_choice(sessions: tuple[SessionView, ...]) -> str | None:
    live = [one.id for one in sessions if one.link is Link.LIVE]
    newest = sessions[-1].id if sessions else None
    return live[0] if len(live) == 1 else newest


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
