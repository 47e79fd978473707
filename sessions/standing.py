"""Judgement: where a session stands, from the records of its experiments. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.result import Experiment
from harness.verdict import Verdict

BASELINE = 0  # the baseline's number


@dataclass(frozen=True)
class Incumbent:
    """What the next experiment must beat. Without a number yet, it is the session's first commit."""

    commit: str
    val_bpb: float | None = None
    number: int | None = None


@dataclass(frozen=True)
class Standing:
    """Where a session stands.

    Attributes:
        incumbent: what the next experiment must beat.
        baseline: val_bpb of the baseline, if it has one.
        baseline_failed: why the baseline gave no number, while nothing else has given one; else empty.
        wants_baseline: whether it has yet to run, or was stopped before it could say anything.
        kept, total: of the experiments that were judged, the baseline left out.
    """

    incumbent: Incumbent
    baseline: float | None
    baseline_failed: str
    wants_baseline: bool
    kept: int
    total: int


def standing(records: Sequence[Experiment], base: str) -> Standing:
    """Add up a session's records; `base` is the commit that it started from."""
    kept = [one for one in records if one.verdict == Verdict.KEEP]
    judged = [one for one in records if one.verdict != Verdict.ABORTED]
    best = kept[-1] if kept else None
    incumbent = Incumbent(base) if best is None else Incumbent(best.commit, best.val_bpb, best.number)
    baseline = next((one for one in judged if one.number == BASELINE), None)
    failed = "" if best is not None or baseline is None else baseline.reason
    return Standing(
        incumbent=incumbent,
        baseline=None if baseline is None else baseline.val_bpb,
        baseline_failed=failed,
        wants_baseline=baseline is None and best is None,
        kept=sum(one.number != BASELINE for one in kept),
        total=sum(one.number != BASELINE for one in judged),
    )
