"""Verdicts: one for every result, and a reason with each."""

import argparse
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.plausibility import compressed_bits_per_byte, too_good
from harness.result import Outcome, RunResult
from harness.verdict import TSV_STATUS, Verdict, judge

BPB = st.floats(0.01, 20.0)


def ended(outcome: str, bpb: float | None = None, reason: str = "") -> RunResult:
    return RunResult(run_id="r", commit="c", outcome=outcome, reason=reason, val_bpb=bpb)


@settings(deadline=None)
@given(bpb=BPB, incumbent=BPB)
def test_only_a_lower_number_is_kept(bpb: float, incumbent: float) -> None:
    """Kept if and only if it is below the incumbent's; the difference is told with its sign."""
    judgement = judge(ended(Outcome.OK, bpb), incumbent)
    assert (judgement.verdict == Verdict.KEEP) == (bpb < incumbent)
    assert judgement.verdict in {Verdict.KEEP, Verdict.DISCARD}
    assert judgement.delta == bpb - incumbent


@settings(deadline=None)
@given(bpb=BPB)
def test_the_first_number_is_the_baseline(bpb: float) -> None:
    """Without an incumbent any number is kept."""
    judgement = judge(ended(Outcome.OK, bpb), None)
    assert (judgement.verdict, judgement.reason, judgement.delta) == (Verdict.KEEP, "baseline", None)


@pytest.mark.parametrize("incumbent", [None, 1.5, 0.1])
def test_an_alarm_holds_a_number(incumbent: float | None) -> None:
    """What the scorer finds too good is neither kept nor a baseline, and says why."""
    judgement = judge(RunResult("r", "c", Outcome.OK, val_bpb=0.2, alarm="too good"), incumbent)
    assert (judgement.verdict, judgement.reason) == (Verdict.HELD, "too good")


def test_a_leap_is_held() -> None:
    """More than a quarter off the incumbent's number in one step is held, unless a compressor does as well."""
    leap = RunResult("r", "c", Outcome.OK, val_bpb=1.0, compressed_bpb=2.0)
    assert judge(leap, 1.4).verdict == Verdict.HELD
    assert judge(leap, 1.3).verdict == Verdict.KEEP
    assert judge(RunResult("r", "c", Outcome.OK, val_bpb=2.1, compressed_bpb=2.0), 4.0).verdict == Verdict.KEEP


def test_no_model_reaches_a_quarter_of_a_compressor() -> None:
    """The floor is about the text: what is far below a compressor's number is an alarm, what is near it is none."""
    text = Path(argparse.__file__).read_bytes()
    compressed = compressed_bits_per_byte(text)
    assert 1.0 < compressed < 3.0
    assert too_good(compressed / 5, compressed)
    assert not too_good(compressed / 2, compressed)
    assert compressed_bits_per_byte(b"") == 0.0
    assert not too_good(0.001, 0.0)


@pytest.mark.parametrize("bpb", [None, math.nan, math.inf, -1.0, 0.0])
@pytest.mark.parametrize("incumbent", [None, 1.5])
def test_a_result_without_a_number_is_a_crash(bpb: float | None, incumbent: float | None) -> None:
    """A missing or impossible number is never compared: neither a record nor a baseline."""
    judgement = judge(ended(Outcome.OK, bpb), incumbent)
    assert judgement.verdict == Verdict.CRASH
    assert "val_bpb" in judgement.reason


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome.CRASH, Verdict.CRASH),
        (Outcome.TIMEOUT, Verdict.TIMEOUT),
        (Outcome.ABORTED, Verdict.ABORTED),
        (Outcome.REJECTED, Verdict.REJECTED),
        ("an outcome of a later version", Verdict.CRASH),
    ],
)
def test_an_end_without_a_score_ignores_numbers(outcome: str, verdict: Verdict) -> None:
    """A run that did not end well has its own verdict whatever number is on it, and always a reason."""
    for result in (ended(outcome, 0.1), ended(outcome)):
        assert judge(result, 1.5).verdict == verdict
        assert judge(result, 1.5).reason
    known = outcome in list(Outcome)
    assert (judge(ended(outcome, reason="because"), 1.5).reason == "because") == known


def test_the_ecosystem_knows_three_words() -> None:
    """Every verdict but aborted has one of the three statuses of results.tsv."""
    assert set(TSV_STATUS) == set(Verdict) - {Verdict.ABORTED}
    assert set(TSV_STATUS.values()) == {"keep", "discard", "crash"}
