"""How far a number can be believed, as the results table, the timeline and the line below the table say it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch_tui.belief import doubts, is_alarming, mark, sure
from autoresearch_tui.lines import plain, width
from autoresearch_tui.score import best_so_far
from autoresearch_tui.state import SessionView
from autoresearch_tui.widgets.results import heading, result_row, running_row
from autoresearch_tui.widgets.timeline import verdict_line
from harness.result import Experiment
from sessions.protocol import Running

RUN = {"run_id": "r", "commit": "c", "outcome": "ok", "val_bpb": 0.9731}
TAINT = "throttled: hardware thermal in 40 % of the samples"


def experiment(**facts: Any) -> Experiment:
    base: dict[str, Any] = {
        "number": 5, "commit": "c" * 40, "parent": "p", "message": "halve it", "verdict": "keep", "reason": "r",
        "val_bpb": 0.9731, "delta": -0.01, "best": 0.9731, "submitted_at": 0.0, "started_at": 0.0, "ended_at": 0.0,
        "result": RUN, "runs": [RUN], "sigma": 0.002, "confidence": 0.999,
    }  # fmt: skip
    return Experiment(**base | facts)


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({}, ""),
        ({"confidence": 0.001}, ""),
        ({"confidence": 0.9}, "~"),
        ({"confidence": 0.4}, "~"),
        ({"confidence": None, "sigma": None}, "?"),
        ({"confidence": None, "sigma": None, "runs": []}, ""),
        ({"confidence": None, "delta": None, "number": 0}, ""),
        ({"confidence": None, "delta": None, "verdict": "crash"}, ""),
    ],
)
def test_the_mark(facts: dict[str, Any], wanted: str) -> None:
    """A difference that may be luck, one of which nobody knows, a clear one; and an old ledger, which is not blamed."""
    assert mark(experiment(**facts)) == wanted
    assert plain(result_row(experiment(**facts), 80)).count("~") == (wanted == "~")
    assert ("~" in plain(verdict_line(experiment(**facts)))) == (wanted == "~")


@given(confidence=st.floats(0, 1))
def test_nothing_is_certain(confidence: float) -> None:
    """No confidence is shown as 0 % or 100 %."""
    assert sure(experiment(confidence=confidence)) not in {"0 %", "100 %"}


@given(
    cells=st.integers(20, 160),
    delta=st.one_of(st.none(), st.floats(-1, 1)),
    confidence=st.one_of(st.none(), st.floats(0, 1)),
    runs=st.integers(0, 9),
    flagged=st.booleans(),
)
def test_rows_stand_under_their_heading(
    cells: int, delta: float | None, confidence: float | None, runs: int, flagged: bool
) -> None:
    """Whatever the record says, a row is as wide as its heading, and fits from 30 cells on."""
    flags = ["memory: 71.2 GB"] if flagged else []
    one = experiment(delta=delta, confidence=confidence, runs=[RUN] * runs, flags=flags)
    sizes = {width(result_row(one, cells)), width(running_row(Running(6, "m", "training", 0.0), cells))}
    assert sizes == {width(heading(cells))}
    assert width(heading(cells)) == cells or cells < 30


def test_a_tainted_result_is_an_alarm() -> None:
    """The run that decided was tainted: a mark before what was tried, in table and timeline, and the reason."""
    one = experiment(result=RUN | {"taints": [TAINT]}, flags=[f"run 1 of 2: {TAINT}", f"run 2 of 2: {TAINT}"])
    assert is_alarming(one)
    assert "! halve it" in plain(result_row(one, 40))
    assert "! halve it" in plain(verdict_line(one))
    assert doubts(one) == one.flags


def test_a_taint_that_was_repeated_away_is_none() -> None:
    """The first run was tainted, the second was not: it is told, and alarms nobody."""
    one = experiment(runs=[RUN, RUN], flags=[f"run 1 of 2: {TAINT}"])
    assert not is_alarming(one)
    assert "!" not in plain(result_row(one, 80))
    assert doubts(one) == [f"run 1 of 2: {TAINT}"]


def test_a_flag_is_an_alarm() -> None:
    """Memory that grew decided nothing, and a person should know."""
    assert is_alarming(experiment(flags=["memory: 71.2 GB, 1.6 times the incumbent's 43.9 GB"]))


@given(
    flags=st.lists(st.text(max_size=30), max_size=3), taints=st.one_of(st.none(), st.integers(), st.lists(st.text()))
)
def test_doubts_are_lines(flags: list[str], taints: Any) -> None:
    """Whatever a record holds, each is one clean line, none twice."""
    found = doubts(experiment(flags=flags, result=RUN | {"taints": taints}))
    assert len(set(found)) == len(found)
    assert all(line and "\n" not in line and "\x1b" not in line for line in found)


def test_a_run_in_progress_says_which_it_is() -> None:
    """A second run, a wait for the GPU and a measurement of the noise are told from a plain run."""
    again = Running(6, "halve it", "training", 0.0, run=2, most_runs=3, because="within noise: 1.1 standard errors")
    assert "▸ running  run 2 of 3: halve it" in plain(running_row(again, 80))
    assert "▸ waiting  halve it" in plain(running_row(Running(6, "halve it", "waiting", 0.0), 80))
    assert "▸ noise    halve it" in plain(running_row(Running(6, "halve it", "training", 0.0, replicate=True), 80))


def test_what_was_discarded_is_no_best() -> None:
    """A lower number that noise explains, or that is held, does not move the best so far."""
    ones = (experiment(), experiment(verdict="discard", val_bpb=0.9725), experiment(verdict="held", val_bpb=0.1))
    assert best_so_far(SessionView("a", experiments=ones)) == [0.9731] * 3
