"""What a session does, in words: limits that count down, what holds the nudges back, and what the journal tells."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch_tui.activity import activity, not_nudged
from autoresearch_tui.changes import Entry, Link
from autoresearch_tui.lines import plain
from autoresearch_tui.listing import session_table
from autoresearch_tui.state import SessionView, WindowState
from autoresearch_tui.widgets.answer import answer_line, spark_line
from autoresearch_tui.widgets.sessions_table import columns_for, session_row
from autoresearch_tui.widgets.timeline import entry_line, timeline_lines
from harness.result import Experiment
from sessions.overview import Overview
from sessions.protocol import Status

NOW = 1_795_388_040.0
RUN = {"number": 5, "message": "m", "phase": "training", "started_at": 0.0, "spent_s": 3.2, "budget_s": 20.0}
AGAIN = {"run": 2, "most_runs": 3, "because": "within noise: 0.0013 below the incumbent's 0.9731"}
NOISE = {"replicate": True, "most_runs": 2, "because": "measures the noise"}
LATER = "the agent is limited; the next try comes later"


def experiment(**facts: Any) -> Experiment:
    base: dict[str, Any] = {
        "number": 5, "commit": "c" * 40, "parent": "p", "message": "m", "verdict": "keep", "reason": "r",
        "val_bpb": 0.9731, "delta": -0.01, "best": 0.9731, "submitted_at": 0.0, "started_at": 0.0, "ended_at": NOW,
    }  # fmt: skip
    return Experiment(**base | facts)


def live(**facts: Any) -> SessionView:
    status: dict[str, Any] = {"session": "a", "agent": "x", "lab": "/l", "phase": "running", "state": "waiting"}
    return SessionView("a", link=Link.LIVE, status=Status(**({**status, "state_since": NOW - 41} | facts)))


def words(view: SessionView) -> str:
    return plain(activity(view, NOW).as_line())


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"resets_at": NOW + 2467.4, "holding": LATER}, "◔ limited, resets in 41 min"),
        ({"resets_at": NOW + 11.2}, "◔ limited, resets in 12 s"),
        ({"resets_at": NOW - 3.0, "holding": LATER}, "◔ limited, the reset is due"),
        ({"holding": LATER}, "◔ limited, next try later"),
        ({}, "◔ limited, next try later"),
        ({"state": "failing"}, "! failing, next try later"),
        ({"state": "failing", "holding": "these are quiet hours"}, "! failing, these are quiet hours"),
        ({"state": "waiting"}, "◔ agent waits, 41 s"),
        ({"state": "waiting", "holding": "these are quiet hours"}, "◔ agent waits, 41 s: these are quiet hours"),
        ({"state": "working", "holding": "the agent is working"}, "● agent working, 41 s"),
        ({"state": "waiting", "holding": "a person has the wheel", "wheel": True}, "▸ someone has the wheel"),
        ({"resets_at": NOW + 60, "running": RUN}, "● training #5, 3.2/20 s"),
        ({"resets_at": NOW + 60, "phase": "paused"}, "‖ paused"),
        ({"running": RUN | AGAIN}, "● training #5, 3.2/20 s, run 2 of 3"),
        ({"running": RUN | {"most_runs": 3}}, "● training #5, 3.2/20 s"),
        ({"running": RUN | AGAIN, "phase": "paused"}, "‖ paused, training #5 3.2/20 s run 2 of 3"),
        ({"running": RUN | {"phase": "waiting"}}, "◌ #5 waits for the GPU"),
        ({"running": RUN | NOISE}, "● noise: training #5, 3.2/20 s, run 1 of 2"),
    ],
)
def test_words(facts: dict[str, Any], wanted: str) -> None:
    """A limit says when it ends, a failing agent that it is tried again, a waiting one why nothing is typed."""
    assert words(live(**{"state": "limited"} | facts)) == wanted


def test_a_limit_on_the_dashboard_counts_down_although_it_is_an_alert() -> None:
    """The alert says that the agent is limited, which the countdown says better; any other alert comes first."""
    columns = columns_for(118, 8)
    view = live(state="limited", resets_at=NOW + 2467.4, alert="the agent is limited: try again at 11:35 PM")
    assert "◔ limited, resets in 41 min" in plain(session_row(view, NOW, columns))
    assert view.status is not None
    full = replace(view, status=replace(view.status, alert="the disk is full"))
    assert "! the disk is full" in plain(session_row(full, NOW, columns))


def test_the_list_counts_down() -> None:
    """`ls` says how long a limit still holds or, where nobody gave it the time, until when."""
    view = live(state="limited", resets_at=NOW + 2467.4)
    found = [Overview("a", "running", view.status), Overview("b", "running", live(state="failing").status)]
    assert "limited, resets in 41 min" in session_table(found, NOW)
    assert "limited, the reset is due" in session_table(found, NOW + 3000)
    assert "limited until " in session_table(found)
    assert "failing, next try later" in session_table(found, NOW)


def test_the_list_says_which_run_it_is() -> None:
    """`ls` tells an experiment's second run from its first, and a measurement of the noise from both."""
    found = [Overview("a", "running", live(running=RUN | more).status) for more in (AGAIN, NOISE)]
    table = session_table(found, NOW)
    assert "training #5, 3 of 20 s, run 2 of 3" in table
    assert "noise: training #5, 3 of 20 s, run 1 of 2" in table


@pytest.mark.parametrize("cells", [100, 160])
def test_the_answer_says_why_it_runs_again_and_how_large_the_noise_is(cells: int) -> None:
    """Sigma is there as soon as it is known; why there is another run, where there is room."""
    text = plain(answer_line(live(running=RUN | AGAIN, best=0.9731, sigma=0.0021), NOW, cells))
    assert "run 2 of 3: within noise" in text or cells < 140
    assert "σ 0.0021" in text
    assert "σ" not in plain(answer_line(live(best=0.9731), NOW, cells))


def test_the_noise_is_on_the_small_screens_second_line() -> None:
    """Where the answer has no room for it, it stands behind the best so far, also without a supervisor."""
    view = replace(live(), link=Link.STOPPED, experiments=(experiment(sigma=0.0021),))
    assert " 0.9731 σ 0.0021" in plain(spark_line(WindowState(), view, 80))


def test_why_nothing_is_typed_is_told_while_an_experiment_runs() -> None:
    """Beside an experiment, what holds the nudges back is news, unless it is that the agent works."""
    pending = "an experiment runs or is queued"
    assert not_nudged(live(running=RUN, holding=pending)) == pending
    assert not_nudged(live(running=RUN, holding="the agent is working")) == ""
    assert not_nudged(live(running=RUN, holding=pending, phase="paused")) == ""
    assert not_nudged(live(holding=pending)) == ""
    assert not_nudged(replace(live(running=RUN, holding=pending), link=Link.DEAD)) == ""


@pytest.mark.parametrize("cells", [80, 120, 160])
def test_usage_shows_where_there_is_room_and_recording_always(cells: int) -> None:
    """Tokens and their cost give way to what matters more; that the terminal is recorded is never left out."""
    view = live(tokens=1_234_567, cost=3.4, recording=True, nudges=11, last_nudge_at=NOW - 60)
    text = plain(answer_line(view, NOW, cells))
    assert text.startswith(" a ● rec ")
    assert "1.2 Mtok  $3.40" in text
    assert "Mtok  $" not in plain(answer_line(live(tokens=1_234_567), NOW, cells))
    assert "tok" not in plain(answer_line(live(), NOW, cells))
    crowded = live(tokens=1_234_567, holding="something that takes the room which there was", state="waiting")
    assert len(plain(answer_line(crowded, NOW, 80))) <= 80
    assert "tok" not in plain(answer_line(crowded, NOW, 80))


@pytest.mark.parametrize(
    ("kind", "facts", "wanted"),
    [
        ("nudge", {"what": "insist", "text": "go"}, "told in other words: go"),
        ("nudge", {"what": "limit_over", "text": "go"}, "usage limit over: go"),
        ("nudge", {"what": "person", "text": "go", "evidence": "›"}, "your nudge: go"),
        ("interrupted", {"reason": "a nudge that cannot wait"}, "turn interrupted: a nudge that cannot wait"),
        ("refreshed", {"reason": "nudged 3 times"}, "fresh context: nudged 3 times"),
        ("conversation", {"session": "01a", "transcript": "/x"}, "its conversation: 01a"),
        ("conversation lost", {"session": "01a"}, "conversation lost, begun anew: 01a"),
        ("leftovers ended", {"processes": 2}, "what it had left running was ended"),
        ("launched", {"pid": 1, "conversation": "01a"}, "agent launched, in its own conversation"),
        ("launched", {"pid": 1, "conversation": ""}, "agent launched"),
        ("state", {"state": "limited", "resets_at": NOW + 2460, "evidence": "e"}, "usage limit for 41 min: e"),
        ("another run", {"number": 5, "run": 2, "reason": "within noise"}, "#5 runs again: within noise"),
        ("replicate", {"number": 3, "val_bpb": 0.97312, "sigma": 0.0021}, "noise: #3 once more: 0.9731, σ 0.0021"),
        ("replicate", {"number": 3, "val_bpb": 0.97312, "sigma": None}, "noise: #3 once more: 0.9731"),
        ("replicate", {"number": 3, "val_bpb": None, "reason": "killed"}, "noise: #3 once more: killed"),
    ],
)
def test_journal_in_words(kind: str, facts: dict[str, Any], wanted: str) -> None:
    """Every decision has its words, and what it rested on stays in the journal."""
    assert plain(entry_line(Entry(NOW, kind, facts)))[7:] == wanted


def test_states_are_told_only_with_an_end() -> None:
    """Of the agent's states only a limit with its reset is worth a line."""
    entries = (
        Entry(NOW, "state", {"state": "working"}),
        Entry(NOW, "state", {"state": "limited", "evidence": "limit"}),
        Entry(NOW, "state", {"state": "limited", "resets_at": NOW + 60, "evidence": "limit"}),
    )
    assert [plain(one)[7:] for one in timeline_lines(entries, ())] == ["usage limit for 1 min: limit"]


junk = st.one_of(st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(max_size=9))


@given(
    kind=st.sampled_from(["state", "nudge", "launched", "refreshed", "another run", "replicate", "x"]),
    what=junk,
    reset=junk,
    text=junk,
)
def test_any_entry_is_one_line(kind: str, what: Any, reset: Any, text: Any) -> None:
    """Whatever stands in a journal, it becomes lines of text without control characters."""
    entry = Entry(
        NOW,
        kind,
        {
            "what": what,
            "resets_at": reset,
            "text": text,
            "conversation": text,
            "number": what,
            "val_bpb": reset,
            "sigma": reset,
        },
    )
    for one in timeline_lines((entry,), ()):
        assert "\n" not in plain(one)
        assert "\x1b" not in plain(one)
