"""Judgement: a run's result and the incumbent's number in, a verdict with its reason out.

Pure. It does not yet weigh a gain against the noise between runs: a lower number is kept.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from harness.plausibility import too_good
from harness.result import Outcome, RunResult


class Verdict(StrEnum):
    """What came of an experiment."""

    KEEP = "keep"  # better than the incumbent: it is the incumbent now
    DISCARD = "discard"  # not better
    HELD = "held"  # too good to be believed before a person has looked: the incumbent stays
    REJECTED = "rejected"  # its logits depend on later tokens, on other rows or on chance: it has no number
    CRASH = "crash"  # the genome failed
    TIMEOUT = "timeout"  # the run passed its wall deadline
    ABORTED = "aborted"  # stopped from outside; says nothing of the change


# results.tsv knows three words; an aborted run has no row there.
TSV_STATUS: Final[Mapping[str, str]] = {
    Verdict.KEEP: "keep",
    Verdict.DISCARD: "discard",
    Verdict.HELD: "discard",
    Verdict.REJECTED: "crash",
    Verdict.CRASH: "crash",
    Verdict.TIMEOUT: "crash",
}


@dataclass(frozen=True)
class Judgement:
    """A verdict, why, and the difference to the incumbent in bits per byte (negative is better)."""

    verdict: Verdict
    reason: str
    delta: float | None = None


def judge(result: RunResult, incumbent: float | None) -> Judgement:
    """Judge a run against the incumbent's val_bpb (None: there is no incumbent yet, so a number is a baseline)."""
    match result.outcome:
        case Outcome.CRASH:
            return Judgement(Verdict.CRASH, result.reason or "the run failed")
        case Outcome.TIMEOUT:
            return Judgement(Verdict.TIMEOUT, result.reason or "the run passed its deadline")
        case Outcome.REJECTED:
            return Judgement(Verdict.REJECTED, result.reason or "the run was rejected")
        case Outcome.ABORTED:
            return Judgement(Verdict.ABORTED, result.reason or "the run was stopped")
        case Outcome.OK:
            pass
        case unknown:
            return Judgement(Verdict.CRASH, f"the run ended in a way that is not known here ({unknown})")
    bpb = result.val_bpb
    if bpb is None or not math.isfinite(bpb) or bpb <= 0:
        return Judgement(Verdict.CRASH, f"the run ended without a usable val_bpb ({bpb})")
    delta = None if incumbent is None else bpb - incumbent
    if alarm := result.alarm or too_good(bpb, result.compressed_bpb, incumbent):
        return Judgement(Verdict.HELD, alarm, delta)
    if incumbent is None or delta is None:
        return Judgement(Verdict.KEEP, "baseline")
    if delta < 0:
        return Judgement(Verdict.KEEP, f"{-delta:.6f} below the incumbent's {incumbent:.6f}", delta)
    if delta == 0:
        return Judgement(Verdict.DISCARD, f"equal to the incumbent's {incumbent:.6f}", delta)
    return Judgement(Verdict.DISCARD, f"{delta:.6f} above the incumbent's {incumbent:.6f}", delta)
