"""The reducer: pure, so it is tested without a window."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autoresearch_tui.activity import activity
from autoresearch_tui.changes import (
    EntriesRead,
    Entry,
    ExperimentsRead,
    FrameArrived,
    Link,
    LinkChanged,
    Opened,
    Selected,
    SessionsFound,
    StatusArrived,
    Ticked,
    WhyAnswered,
    WhyOpened,
)
from autoresearch_tui.lines import plain
from autoresearch_tui.score import per_hour, score
from autoresearch_tui.state import ENTRIES_KEPT, AgentScreen, SessionView, Why, WindowState, apply_frame, reduce
from harness.result import Experiment
from sessions.protocol import Frame, Status


def found(*names: str) -> SessionsFound:
    return SessionsFound(tuple((name, None, "") for name in names))


def status(**changes: Any) -> Status:
    facts: dict[str, Any] = {"session": "a", "agent": "x", "lab": "/l", "phase": "running", "state": "working"}
    return Status(**({**facts, "state_since": 0.0} | changes))


def experiment(number: int, verdict: str, bpb: float | None, ended: float = 0.0) -> Experiment:
    return Experiment(number, "c" * 40, "", "m", verdict, "", bpb, None, None, 0.0, 0.0, ended)


def state_with(*names: str) -> WindowState:
    return reduce(WindowState(), found(*names))


def test_selection_follows_the_sessions() -> None:
    """The newest session is selected first; a choice stays while its session is there."""
    state = state_with("a", "b")
    assert state.selected == "b"
    state = reduce(state, Selected("a"))
    assert reduce(state, found("a", "b", "c")).selected == "a"
    assert reduce(state, found("b", "c")).selected == "c"


def test_the_only_live_session_is_selected_until_a_person_chooses() -> None:
    """Whoever opens the window in the morning wants the one that runs; after the first key the cursor is hers."""
    state = reduce(state_with("a", "b"), LinkChanged("a", Link.LIVE))
    assert state.selected == "a"
    assert reduce(state, Selected("a")) is state
    assert reduce(state, LinkChanged("b", Link.LIVE)).selected == "b"
    state = reduce(state, Selected("b"))
    assert reduce(state, StatusArrived("a", status())).selected == "b"


def test_scan_that_finds_the_same_changes_nothing() -> None:
    """A scan every two seconds must not repaint anything."""
    state = reduce(state_with("a"), StatusArrived("a", status()))
    assert reduce(state, found("a")) is state


def test_untouched_parts_keep_their_identity() -> None:
    """Widgets compare with `is`: a change to one session leaves the other's view as it was."""
    before = state_with("a", "b")
    after = reduce(before, StatusArrived("a", status()))
    assert after.session("b") is before.session("b")
    assert after.session("a") is not before.session("a")
    assert reduce(after, StatusArrived("a", status())) is after
    assert reduce(after, Ticked(after.now)) is after


def test_a_change_for_a_session_that_is_gone_changes_nothing() -> None:
    """Events may arrive after the directory was removed."""
    state = state_with("a")
    assert reduce(state, StatusArrived("gone", status())) is state


def test_ledgers_append_and_begin_afresh() -> None:
    """A replaced ledger replaces what was read, a grown one adds to it; the journal is capped."""
    state = state_with("a")
    one, two = experiment(0, "keep", 1.0), experiment(1, "discard", 1.1)
    state = reduce(state, ExperimentsRead("a", (one,), afresh=True))
    state = reduce(state, ExperimentsRead("a", (two,), broken=1))
    view = state.session("a")
    assert view is not None
    assert (view.experiments, view.broken) == ((one, two), 1)
    again = reduce(state, ExperimentsRead("a", (two,), afresh=True)).session("a")
    assert again is not None
    assert again.experiments == (two,)
    many = tuple(Entry(float(i), "state") for i in range(ENTRIES_KEPT + 7))
    capped = reduce(state, EntriesRead("a", many)).session("a")
    assert capped is not None
    assert capped.entries == many[7:]


def test_lost_supervisor_takes_the_screen_with_it() -> None:
    """An agent's screen without an agent would be a lie; so would one from before the session was closed."""
    frame = Frame(True, 80, 24, (0, 0, True), "", {0: (("x", None, None, 0),)})
    state = reduce(reduce(state_with("a"), LinkChanged("a", Link.LIVE)), Opened("a"))
    state = reduce(state, FrameArrived("a", frame))
    view = state.session("a")
    assert view is not None
    assert view.screen is not None
    dead = reduce(state, LinkChanged("a", Link.DEAD)).session("a")
    assert dead is not None
    assert dead.screen is None
    closed = reduce(state, Opened(None)).session("a")
    assert closed is not None
    assert closed.screen is None


rows = st.dictionaries(st.integers(0, 23), st.text("abc", min_size=1, max_size=9).map(lambda t: ((t, None, None, 0),)))


@given(first=rows, changes=st.lists(rows, max_size=5))
def test_frames_of_changed_rows_add_up(first: dict[int, Any], changes: list[dict[int, Any]]) -> None:
    """A whole frame and then changed rows give what a whole frame of the result would."""
    screen = apply_frame(None, Frame(True, 80, 24, (0, 0, True), "", first))
    wanted = dict(first)
    for change in changes:
        screen = apply_frame(screen, Frame(False, 80, 24, (1, 1, True), "t", change))
        wanted |= change
    assert isinstance(screen, AgentScreen)
    assert screen.rows == tuple(wanted.get(y, ()) for y in range(24))


def test_changed_rows_without_a_whole_frame_say_nothing() -> None:
    """After a resize the next frame is whole; one of another size before it is passed over."""
    whole = apply_frame(None, Frame(True, 80, 24, (0, 0, True), "", {}))
    part = Frame(False, 100, 30, (0, 0, True), "", {3: (("x", None, None, 0),)})
    assert apply_frame(None, part) is None
    assert apply_frame(whole, part) is whole


def test_score_from_the_ledger_leaves_baseline_and_aborted_out() -> None:
    """Without a supervisor the ledger is the truth: kept and total count neither the baseline nor aborted runs."""
    ledger = (
        experiment(0, "keep", 1.0),
        experiment(1, "discard", 1.2),
        experiment(2, "keep", 0.9),
        experiment(3, "crash", None),
        experiment(4, "aborted", None),
    )
    points = score(SessionView("a", link=Link.DEAD, experiments=ledger))
    assert (points.best, points.best_number, points.baseline) == (0.9, 2, 1.0)
    assert (points.kept, points.total) == (1, 3)
    assert points.gain is not None
    assert abs(points.gain + 0.1) < 1e-9


def test_rate_needs_three_experiments() -> None:
    """Two ends are one interval, and one interval is no rate."""
    ledger = tuple(experiment(i, "discard", 1.0, ended=360.0 * i) for i in range(3))
    assert per_hour(SessionView("a", experiments=ledger[:2])) is None
    rate = per_hour(SessionView("a", experiments=ledger))
    assert rate is not None
    assert abs(rate - 10.0) < 1e-9


def test_what_is_explained_is_what_keys_act_on() -> None:
    """An open explanation stays with its session, whatever the dashboard would select, and takes no other's answer."""
    state = reduce(reduce(state_with("a", "b"), LinkChanged("a", Link.LIVE)), WhyOpened("a"))
    state = reduce(state, LinkChanged("b", Link.LIVE))
    assert state.selected == "b"
    assert state.current is not None
    assert state.current.id == "a"
    assert reduce(state, WhyAnswered("b", None, "gone")) is state
    answered = reduce(state, WhyAnswered("a", None, "gone"))
    assert answered.why == Why("a", None, "gone")
    closed = reduce(answered, WhyOpened(None))
    assert closed.why is None
    assert reduce(closed, WhyAnswered("a", None, "late")) is closed


def test_what_needs_a_person_comes_first() -> None:
    """Paused beats a run in progress, a run beats the agent's state, and a lost supervisor beats everything."""
    run = {"number": 5, "message": "m", "phase": "training", "started_at": 0.0, "spent_s": 3.2, "budget_s": 20.0}
    live = SessionView("a", link=Link.LIVE, status=status(running=run))

    def words(view: SessionView) -> str:
        return plain(activity(view, 0.0).as_line())

    assert words(live) == "● training #5, 3.2/20 s"
    assert words(replace(live, status=status(running=run, phase="paused"))) == "‖ paused, training #5 3.2/20 s"
    assert words(replace(live, status=status(phase="paused", phase_reason="paused by you"))) == "‖ paused by you"
    assert words(replace(live, link=Link.DEAD)) == "× no supervisor, r resumes it"
