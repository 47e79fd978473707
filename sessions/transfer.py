"""Judgement: whether a gain that was found at one budget is there at a longer one, too. Pure.

It compares the incumbent with the baseline, nothing else; the runs are made elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from harness.noise import above, exceeded_by, pooled, standard_error, student
from harness.result import Record

# Degrees of freedom of a sigma that is taken as exactly known.
MANY: Final = 1_000_000


@dataclass(frozen=True)
class Gain(Record):
    """How far the incumbent is below the baseline at one budget, in bits per byte; None: not known.

    Attributes:
        budget_s: training seconds of a run.
        baseline, incumbent: val_bpb of their runs.
        gain: the baseline's mean less the incumbent's; positive is better.
        sigma: the standard deviation of one run, from these runs where they are enough.
        degrees: its degrees of freedom; `MANY` for one from elsewhere.
        error: the standard error of the gain.
        confidence: that the gain is above 0, 0 to 1, by Student's t.
    """

    budget_s: float
    baseline: list[float] = field(default_factory=list)
    incumbent: list[float] = field(default_factory=list)
    gain: float | None = None
    sigma: float | None = None
    degrees: int = 0
    error: float | None = None
    confidence: float | None = None


def gain_of(budget_s: float, baseline: Sequence[float], incumbent: Sequence[float], known: float | None = None) -> Gain:
    """The gain at one budget; `known` is a sigma from elsewhere, for runs that are too few to measure one."""
    if not baseline or not incumbent:
        return Gain(budget_s, list(baseline), list(incumbent))
    gain = fmean(baseline) - fmean(incumbent)
    measured = pooled([baseline, incumbent])
    sigma, degrees = (known, MANY) if measured is None else (measured.sigma, measured.degrees)
    both = (list(baseline), list(incumbent))
    if sigma is None:
        return Gain(budget_s, *both, gain)
    error = standard_error(sigma, len(baseline), len(incumbent))
    confidence = student(gain / error, degrees) if error else 0.5 if gain == 0 else float(gain > 0)
    return Gain(budget_s, *both, gain, sigma, degrees, error, confidence)


def conclusion(short: Gain, long: Gain, k: float) -> str:
    """One plain sentence: whether the gain transfers from the short budget to the long one."""
    at = f"at {long.budget_s:g} s"
    if long.gain is None:
        missing = "the incumbent" if not long.incumbent else "the baseline"
        return f"Nothing can be said: {missing} gave no number {at}."
    if long.sigma is None or long.error is None:
        return (
            f"Too few runs to say: {at} it is {_apart(long.gain)}, and nothing is known of the noise; take more seeds."
        )
    within = exceeded_by(above(k), long.degrees) * long.error
    if long.gain > within:
        return f"The gain transfers: {at} the incumbent is {long.gain:.6f} below the baseline{_share(short, long)}."
    if long.gain < -within:
        return f"The gain does not transfer: {at} the incumbent is {-long.gain:.6f} above the baseline."
    room = f"noise explains up to {within:.6f}"
    if short.gain is not None and short.gain > within:
        seen = f"{short.gain:.6f} was seen {_short(short)}"
        return f"The gain does not transfer in full: {at} it is {_apart(long.gain)}, where {room}; {seen}."
    return f"Not decided: {at} it is {_apart(long.gain)}, where {room}; more seeds would tell."


def _apart(gain: float) -> str:
    return f"{abs(gain):.6f} {'below' if gain > 0 else 'above'} the baseline"


def _short(short: Gain) -> str:
    return f"at {short.budget_s:g} s"


def _share(short: Gain, long: Gain) -> str:
    if short.gain is None or short.gain <= 0 or long.gain is None:
        return ""
    return f", {long.gain / short.gain:.0%} of the {short.gain:.6f} {_short(short)}"
