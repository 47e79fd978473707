"""What an agent reports and what its terminal shows, together: who is believed when they differ."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sessions.detector import STALLED, STALLED_S, Detection, View, detect
from sessions.profile import Profile, Rule
from sessions.signals import Signal
from sessions.states import AgentState

_NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def _rule(name: str, state: AgentState | None, pattern: str, **more: object) -> Rule:
    return Rule(name, state, "screen", re.compile(pattern), bottom=3, **more)  # type: ignore[arg-type]


_PROFILE = Profile(
    name="mine",
    seen_on="mine 1.0",
    argv=("mine",),
    rules=(
        _rule("viewer", None, "^TRANSCRIPT"),
        _rule("background", AgentState.WORKING, "1 shell", background=True),
        _rule("spinner", AgentState.WORKING, "esc to interrupt"),
        _rule("asks", AgentState.ASKING, "Proceed", answer="y"),
        _rule("limit", AgentState.LIMITED, "limit reached", reset=re.compile(r"resets in (?P<when>[^.]+)")),
        _rule("error", AgentState.FAILING, "API error", also={"title": re.compile("^!")}),
        _rule("composer", AgentState.WAITING, "^> "),
    ),
    settle_s=0.3,
)


def _view(text: str, at: float, **more: object) -> View:
    return replace(View(rows=tuple(text.splitlines()), changed_at=at, local_time=_NOON), **more)  # type: ignore[arg-type]


def _signal(state: AgentState, at: float) -> Signal:
    return Signal(state, at, "Event", "the agent reported Event")


def _judged(*looks: tuple[float, View]) -> Detection:
    """The judgement after a few looks."""
    detection = None
    for now, view in looks:
        detection = detect(_PROFILE, view, detection, now)
    assert detection is not None
    return detection


_WORK = (10.0, _view("esc to interrupt", 10.0))


def test_a_reported_stop_needs_no_second_look() -> None:
    """The end of a turn that is both reported and shown counts at once, without the usual settling."""
    stop = _signal(AgentState.WAITING, 11.0)
    assert _judged(_WORK, (11.05, _view("> ", 11.0))).state is AgentState.WORKING
    detection = _judged(_WORK, (11.05, _view("> ", 11.0, signal=stop)))
    assert (detection.state, detection.rule) == (AgentState.WAITING, "composer")


def test_a_reported_stop_without_a_word_from_the_terminal_counts() -> None:
    """Where no rule says anything, what the agent reported stands."""
    detection = _judged(_WORK, (11.05, _view("…", 11.0, signal=_signal(AgentState.WAITING, 11.0))))
    assert (detection.state, detection.rule) == (AgentState.WAITING, "hook Event")


def test_a_reported_stop_against_a_terminal_that_works_on_is_no_stop() -> None:
    """An agent that goes on drawing its work after it reported a stop works; one that freezes there has stopped."""
    stop = _signal(AgentState.WAITING, 11.0)
    drawing = [(11.0 + tick / 10, _view("esc to interrupt", 11.0 + tick / 10, signal=stop)) for tick in range(20)]
    assert _judged(_WORK, *drawing).state is AgentState.WORKING
    frozen = [(now, _view("esc to interrupt", 11.0, signal=stop)) for now, _ in drawing]
    assert _judged(_WORK, *frozen[:4]).state is AgentState.WORKING
    assert _judged(_WORK, *frozen).state is AgentState.WAITING


def test_work_in_the_background_outlasts_a_reported_stop() -> None:
    """A turn that ended with something left running in the background has not stopped for us."""
    view = _view("> \n· 1 shell", 11.0, signal=_signal(AgentState.WAITING, 11.0))
    assert _judged(_WORK, (11.1, view), (20.0, view)).state is AgentState.WORKING


def test_a_process_that_still_runs_is_work() -> None:
    """A command that the agent left running is work, for a quarter of an hour; a profile can say otherwise."""
    view = _view("> ", 11.0, busy_children=True)
    busy = _judged(_WORK, (12.0, view), (13.0, view))
    assert (busy.state, busy.rule) == (AgentState.WORKING, "background process")
    late = 11.0 + STALLED_S
    assert _judged(_WORK, (12.0, view), (late, view), (late + 1, view)).rule == STALLED
    other = replace(_PROFILE, children_work=False)
    assert detect(other, view, detect(other, view, None, 12.0), 13.0).state is AgentState.WAITING


@pytest.mark.parametrize("text", ["Proceed?", "limit reached"])
def test_a_reported_stop_may_be_a_question_or_a_limit(text: str) -> None:
    """What the terminal says of a turn that ended is more than that it ended."""
    view = _view(text, 11.0, signal=_signal(AgentState.WAITING, 11.2))
    assert _judged(_WORK, (11.3, view), (12.0, view)).state in {AgentState.ASKING, AgentState.LIMITED}


def test_a_reported_question_is_no_free_composer() -> None:
    """A question that only a hook tells of is not taken for the end of a turn, and gets no keys."""
    view = _view("> ", 11.1, signal=_signal(AgentState.ASKING, 11.0))
    detection = _judged(_WORK, (11.2, view), (20.0, view))
    assert (detection.state, detection.answer) == (AgentState.ASKING, None)


def test_new_work_takes_a_report_back() -> None:
    """After a reported question or stop, work that began later is work."""
    for state in (AgentState.ASKING, AgentState.WAITING, AgentState.LIMITED):
        signal = _signal(state, 11.0)
        rest = _view("> ", 11.1, signal=signal)
        work = _view("esc to interrupt", 14.0, signal=signal)
        assert _judged(_WORK, (11.2, rest), (12.0, rest), (14.1, work)).state is AgentState.WORKING


def test_a_reported_start_that_nothing_follows_is_no_work() -> None:
    """A turn that was reported to begin, on a terminal that then draws nothing, is not believed for long."""
    begun = _signal(AgentState.WORKING, 11.0)
    rest = _view("> ", 10.5, signal=begun)
    before = (10.9, _view("> ", 10.5))
    assert _judged(before, (11.1, rest)).state is AgentState.WORKING
    assert _judged(before, (11.1, rest), (14.2, rest), (14.6, rest)).state is AgentState.WAITING


def test_a_limit_that_stays_is_believed_after_a_reported_start() -> None:
    """A turn that was reported to begin, but left the limit on the screen, is no work, however much is drawn."""
    begun = _signal(AgentState.WORKING, 11.0)
    before = (10.9, _view("limit reached", 10.5))
    drawing = [(now, _view("limit reached", now, signal=begun)) for now in (11.1, 13.0, 14.5, 15.0)]
    assert _judged(before, *drawing[:1]).state is AgentState.WORKING
    assert _judged(before, *drawing).state is AgentState.LIMITED


def test_under_a_viewer_the_agent_does_what_it_did() -> None:
    """A viewer that hides the agent's screen changes nothing, whatever is reported meanwhile."""
    view = _view("TRANSCRIPT", 11.0, signal=_signal(AgentState.WAITING, 11.0))
    held = _judged(_WORK, (11.1, view), (20.0, view))
    assert (held.state, held.held_since) == (AgentState.WORKING, 11.1)
    assert _judged(_WORK, (11.1, view), _WORK).held_since is None


def test_a_condition_in_the_title_is_needed_too() -> None:
    """A rule with a second source counts only if that says so as well: quoted text is no error."""
    quoted = _view("API error", 11.0)
    assert _judged(_WORK, (11.1, quoted), (12.0, quoted)).state is AgentState.WORKING
    shown = _view("API error", 11.0, title="! mine")
    assert _judged(_WORK, (11.1, shown), (12.0, shown)).state is AgentState.FAILING


def test_a_reset_counts_from_when_it_was_first_seen() -> None:
    """The words "in 5 minutes" mean the same moment, however long it stands on the screen, on either clock."""
    first = _view("limit reached, resets in 5 minutes.", 11.0)
    later = replace(first, local_time=datetime(2026, 11, 24, 12, 3, tzinfo=UTC))
    detection = _judged(_WORK, (11.0, first), (11.4, first), (191.4, later))
    assert detection.reset is not None
    assert detection.reset.at == pytest.approx(_NOON.timestamp() + 300, abs=1)
    assert detection.reset_by == pytest.approx(311.4, abs=1)


def test_a_reset_outlives_the_words_that_said_it() -> None:
    """A limit whose menu is put away ends when the menu said, also after some work; a later one is another limit."""
    menu, gone = _view("limit reached, resets in 5 minutes.", 11.0), _view("limit reached", 13.0)
    detection = _judged(_WORK, (11.1, menu), (11.4, menu), (13.0, gone), (14.0, gone))
    assert detection.reset is not None
    assert detection.reset.at == pytest.approx(_NOON.timestamp() + 300, abs=1)
    again = _judged(_WORK, (11.1, menu), (11.4, menu), (13.0, _WORK[1]), (14.0, gone), (14.5, gone))
    assert again.reset == detection.reset
    much_later = _judged(_WORK, (11.1, menu), (11.4, menu), (13.0, _WORK[1]), (500.0, gone), (500.5, gone))
    assert (much_later.state, much_later.reset) == (AgentState.LIMITED, None)
    stop = _view("> ", 13.0)
    well = _judged(_WORK, (11.1, menu), (11.4, menu), (13.0, stop), (13.5, stop), (14.0, gone), (14.5, gone))
    assert (well.state, well.reset) == (AgentState.LIMITED, None)


def test_the_process_end_is_trusted_most() -> None:
    """Whatever was reported or is drawn, an agent whose process is gone has ended."""
    view = _view("esc to interrupt", 11.0, signal=_signal(AgentState.WORKING, 11.0), exit_status=-9)
    assert _judged(_WORK, (11.1, view)).evidence == "it was ended by SIGKILL"
