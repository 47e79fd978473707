"""Judgement: how much val_bpb differs from run to run, and what a difference is worth. Pure.

The noise is measured within the runs of one commit, never between commits: the trajectory of a session is a selection
of the lucky. All genomes of a session are taken to be equally noisy, so that their runs can be pooled.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from harness.result import Outcome, RunResult

# From so many degrees of freedom on, Student's distribution is the normal one for all that is decided here.
_MANY: Final = 400


@dataclass(frozen=True)
class Noise:
    """What is known of the noise.

    Attributes:
        sigma: run-to-run standard deviation of val_bpb, in bits per byte.
        degrees: its degrees of freedom, 1 or more.
        runs: how many runs it comes from.
    """

    sigma: float
    degrees: int
    runs: int


def usable(run: RunResult) -> bool:
    """Whether a run gave a number that can be compared."""
    bpb = run.val_bpb
    return run.outcome == Outcome.OK and bpb is not None and math.isfinite(bpb) and bpb > 0 and not run.alarm


def numbers(runs: Iterable[RunResult]) -> list[float]:
    """val_bpb of the runs that count, in order: those without a taint, or all where each has one."""
    good = [run for run in runs if usable(run)]
    clean = [run for run in good if not run.taints]
    return [run.val_bpb for run in clean or good if run.val_bpb is not None]


def pooled(groups: Iterable[Sequence[float]]) -> Noise | None:
    """The standard deviation within groups: the root of all their sums of squares over all their degrees of freedom.

    Args:
        groups: numbers of runs that differ in nothing but their seed and their luck, a group each.

    Returns:
        None where no group has two numbers.
    """
    squares, degrees, runs = 0.0, 0, 0
    for group in groups:
        if len(group) < 2:
            continue
        mean = math.fsum(group) / len(group)
        squares += math.fsum((one - mean) ** 2 for one in group)
        degrees += len(group) - 1
        runs += len(group)
    return Noise(math.sqrt(squares / degrees), degrees, runs) if degrees else None


def standard_error(sigma: float, n: int, m: int) -> float:
    """Of the difference of the means of `n` and of `m` runs: sigma * sqrt(1/n + 1/m)."""
    return sigma * math.sqrt(1 / n + 1 / m)


def student(t: float, degrees: int) -> float:
    """The probability that Student's t with so many degrees of freedom is at most `t`.

    The finite sums of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 (odd degrees) and 26.7.4
    (even), which give the probability of the interval from -t to t.

    Args:
        t: any number, the infinite ones included.
        degrees: 1 or more; beyond some hundreds the normal distribution stands in.
    """
    if math.isinf(t):
        return 1.0 if t > 0 else 0.0
    if degrees > _MANY:
        return 1 - above(t)
    angle = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = total = 0.0 if degrees == 1 else cosine if odd else 1.0
    for i in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine * cosine * (i - 1) / i
        total += term
    between = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return min(1.0, max(0.0, (1 + between) / 2))


def above(z: float) -> float:
    """The probability that a normal variate exceeds `z` standard deviations."""
    return math.erfc(z / math.sqrt(2)) / 2


@cache
def exceeded_by(chance: float, degrees: int) -> float:
    """The t that Student's t with so many degrees of freedom exceeds with a probability of `chance`, up to 0.5."""
    low, high = 0.0, 1.0
    while 1 - student(high, degrees) > chance and high < 1e12:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - student(middle, degrees) > chance else (low, middle)
    return high


def bar(k: float, look: int, looks: int, degrees: int) -> float:
    """How many standard errors a gain must exceed at one of several looks at it.

    A gain that is looked at after each run has a chance to be lucky at each look. That all looks together are fooled
    as seldom as one look at `k` standard errors of a noise that is known exactly, the chance `above(k)` is divided:
    half of it is the last look's, the other half is shared by those before. And where few runs have measured the
    noise, Student's t asks for more than the normal distribution. With three looks at k = 2 the bar is 2.5, 2.5 and
    2.3 after many replicates, and 9.3 at a first look after three.

    Args:
        k: standard errors, as in `harness.settings.Rule`.
        look: which look it is, from 1.
        looks: how many there are at most.
        degrees: of freedom of the noise.
    """
    share = 1.0 if looks <= 1 else 0.5 if look >= looks else 0.5 / (looks - 1)
    return exceeded_by(above(k) * share, degrees)
