"""Judgement: whether the number of an experiment holds when its commit runs again. Pure.

It starts no run and reads no file: runs so far in, the next run or the finding out. It does not judge whether the
change was worth keeping; that is `harness.verdict`'s business.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean, stdev
from typing import Any, Final

from harness.errors import ClearError
from harness.noise import above, exceeded_by, pooled, standard_error
from harness.result import Experiment, Outcome, Record, RecordError, RunResult
from harness.text import one_line

# What a score is exact to: two numbers that are closer are the same.
_EXACT: Final = 1e-6
# Runs that differ from one another by so many recorded standard deviations were not made under that noise.
_WIDE: Final = 3.0


class ClaimError(ClearError):
    """There is nothing to check, or it cannot be checked here; one line that says why."""


class Answer(StrEnum):
    """Whether a number holds."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "could not be checked"


@dataclass(frozen=True)
class Conditions:
    """What two numbers must have in common to be compared; what is empty or 0 is not known.

    Attributes:
        genome_sha256: of the file that ran.
        corpus: identity of the corpus.
        torch: version of torch.
        preset: everything that a preset holds, as JSON.
        budget_s: training seconds.
        device: in words.
    """

    genome_sha256: str = ""
    corpus: str = ""
    torch: str = ""
    preset: dict[str, Any] = field(default_factory=dict)
    budget_s: float = 0.0
    device: str = ""

    @classmethod
    def of(cls, result: RunResult) -> "Conditions":
        """Those of a run."""
        torch = str(result.versions.get("torch", ""))
        known = (result.genome_sha256, result.corpus, torch, result.settings, result.budget_s, result.device)
        return cls(*known)


_NAMES: Final = {
    "genome_sha256": "the genome",
    "corpus": "the corpus",
    "torch": "the torch version",
    "budget_s": "the budget",
    "device": "the device",
}


@dataclass(frozen=True)
class Claim:
    """A recorded number.

    Attributes:
        number: of the experiment.
        commit: full hexadecimal id.
        runs: the runs that the number is the mean of.
        conditions: under which they were made.
        sigma: the run-to-run standard deviation that was known then, in bits per byte; None: none was.
        k: standard errors by which two means may differ.
        seeds: those that were used already.
    """

    number: int
    commit: str
    runs: tuple[RunResult, ...]
    conditions: Conditions
    sigma: float | None
    k: float
    seeds: frozenset[int]


@dataclass(frozen=True)
class Again:
    """Run the commit with this seed, because."""

    seed: int
    why: str


@dataclass(frozen=True)
class Finding(Record):
    """What came of a check. Numbers are in bits per byte; None where there is none.

    Attributes:
        answer: a value of `Answer`.
        reason: one line, with the numbers that decided.
        recorded, again: mean of the recorded runs and of those that were made to check them.
        difference: the second less the first.
        allowed: what noise explains: `k` standard errors of the difference.
        sigma: the standard deviation of one run that this rests on.
        degrees: its degrees of freedom, where these runs measured it; None: the record's.
        runs: val_bpb of the runs that were made.
        caveats: what a person should know besides, one line each.
    """

    answer: str
    reason: str
    recorded: float | None = None
    again: float | None = None
    difference: float | None = None
    allowed: float | None = None
    sigma: float | None = None
    degrees: int | None = None
    runs: list[float] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)


def claim_of(experiment: Experiment, k: float, more_seeds: frozenset[int] = frozenset()) -> Claim:
    """What an experiment's record claims.

    Args:
        experiment: the record.
        k: standard errors that are allowed.
        more_seeds: with which its commit has run besides.

    Raises:
        ClaimError: it has no number, or its record is broken.
    """
    name = f"experiment {experiment.number}"
    if experiment.val_bpb is None:
        raise ClaimError(f"{name} ({one_line(experiment.verdict, 12)}) has no number; name one that has")
    try:
        runs = [RunResult.from_dict(one) for one in experiment.runs or [experiment.result]]
    except RecordError as error:
        raise ClaimError(f"{name}: the record of its run is broken: {error}") from None
    measured = _trusted([one for one in runs if _usable(one)])
    if not measured:
        raise ClaimError(f"{name}: its record holds no run with a number")
    return Claim(
        number=experiment.number,
        commit=experiment.commit,
        runs=tuple(measured),
        conditions=Conditions.of(measured[-1]),
        sigma=experiment.sigma,
        k=k,
        seeds=more_seeds | {one.seed for one in runs},
    )


def differences(recorded: Conditions, found: Conditions) -> list[str]:
    """In what the two differ, a line each; what one of them does not say is no difference."""
    lines = [
        f"{words} differs: {_said(name, before)} is recorded, {_said(name, now)} is here"
        for name, words in _NAMES.items()
        if (before := getattr(recorded, name)) and (now := getattr(found, name)) and before != now
    ]
    if recorded.preset and found.preset:
        names = sorted(recorded.preset.keys() | found.preset.keys())
        changed = [name for name in names if recorded.preset.get(name) != found.preset.get(name)]
        lines += [f"the preset differs in {one_line(', '.join(changed))}"] if changed else []
    return lines


def unknown_conditions(recorded: Conditions) -> list[str]:
    """What the record does not say and therefore nobody can compare, in words."""
    return [words for name, words in _NAMES.items() if not getattr(recorded, name)]


def next_step(claim: Claim, runs: Sequence[RunResult], wanted: int, *, other_device: bool = False) -> Again | Finding:
    """What to do after these runs.

    Args:
        claim: what is checked.
        runs: those that were made for it, in order.
        wanted: how many runs with a number to make, each with a seed that was not used before.
        other_device: compare numbers of two devices all the same, and say so.
    """
    if runs and (ended := _ended(claim, runs[-1], other_device=other_device)) is not None:
        return ended
    if runs and runs[-1].taints and [one.seed for one in runs].count(runs[-1].seed) == 1:
        return Again(runs[-1].seed, one_line(f"it was tainted: {runs[-1].taints[0]}"))
    tried = {one.seed: one for one in runs}  # of a repeated one, the last
    if len(tried) < wanted:
        seed = max(claim.seeds | tried.keys(), default=-1) + 1
        return Again(seed, f"run {len(tried) + 1} of {wanted}")
    return _judged(claim, list(tried.values()))


def _ended(claim: Claim, run: RunResult, *, other_device: bool) -> Finding | None:
    """The finding of a run after which no further one is needed."""
    how = f"with seed {run.seed} it ended in {one_line(run.outcome, 12)}: {one_line(run.reason)}"
    if run.outcome in {Outcome.CRASH, Outcome.REJECTED}:
        return Finding(Answer.FAILS, how)
    if not _usable(run):
        return Finding(Answer.UNKNOWN, how if run.outcome != Outcome.OK else f"with seed {run.seed} it has no number")
    apart = differences(claim.conditions, Conditions.of(run))
    if other_device:
        apart = [one for one in apart if not one.startswith(_NAMES["device"])]
    return Finding(Answer.UNKNOWN, "; ".join(apart)) if apart else None


def _judged(claim: Claim, runs: list[RunResult]) -> Finding:
    before, after = _numbers(claim.runs), _numbers(_trusted(runs))
    caveats = _caveats(claim, runs)
    recorded, again = fmean(before), fmean(after)
    measured = pooled([before, after]) if claim.sigma is None else None
    sigma = claim.sigma if measured is None else measured.sigma
    degrees = None if measured is None else measured.degrees
    shown: dict[str, Any] = {"recorded": recorded, "again": again, "runs": _numbers(runs), "caveats": caveats}
    difference = again - recorded
    if sigma is None:
        text = f"one run of {again:.6f} against {recorded:.6f} says nothing of the spread between runs; make more runs"
        return Finding(Answer.UNKNOWN, text, difference=difference, **shown)
    factor = claim.k if degrees is None else exceeded_by(above(claim.k), degrees)
    allowed = max(_EXACT, factor * standard_error(sigma, len(before), len(after)))
    apart = f"{abs(difference):.6f} {'below' if difference < 0 else 'above'} the recorded {recorded:.6f}"
    source = "the record's" if degrees is None else f"of these runs, {degrees} degree{'s' if degrees > 1 else ''}"
    sigma_words = f"sigma {sigma:.6f}, {source}"
    if degrees is not None and degrees <= 2:
        caveats.append(f"so few runs would not have shown a difference below {allowed:.6f}; make more runs")
    if claim.sigma and len(after) > 1 and stdev(after) > _WIDE * claim.sigma:
        caveats.append(f"these runs spread by {stdev(after):.6f}, the record says {claim.sigma:.6f}")
    holds = abs(difference) <= allowed
    return Finding(
        Answer.HOLDS if holds else Answer.FAILS,
        f"{again:.6f}, {apart}; noise explains {allowed:.6f} ({sigma_words})",
        difference=difference,
        allowed=allowed,
        sigma=sigma,
        degrees=degrees,
        **shown,
    )


def _caveats(claim: Claim, runs: list[RunResult]) -> list[str]:
    """What does not decide and should be known."""
    tainted = [one for one in runs if one.taints]
    lines = [one_line(f"the run with seed {one.seed} was tainted twice: {one.taints[0]}") for one in tainted]
    if any(one.taints for one in claim.runs):
        lines.append("the recorded runs were tainted, all of them")
    lines += [one_line(one.alarm) for one in runs if one.alarm][:1]
    found = Conditions.of(runs[-1])
    if found.device and claim.conditions.device and found.device != claim.conditions.device:
        lines.append(f"recorded on {one_line(claim.conditions.device)}, run again on {one_line(found.device)}")
    if unsaid := unknown_conditions(claim.conditions):
        lines.append(f"the record does not say {', '.join(unsaid)}")
    return lines


def _usable(run: RunResult) -> bool:
    return run.outcome == Outcome.OK and run.val_bpb is not None and math.isfinite(run.val_bpb) and run.val_bpb > 0


def _trusted(runs: Sequence[RunResult]) -> list[RunResult]:
    """Those without a taint; where there is none, all."""
    return [one for one in runs if not one.taints] or list(runs)


def _numbers(runs: Sequence[RunResult]) -> list[float]:
    return [one.val_bpb for one in runs if one.val_bpb is not None]


def _said(name: str, value: object) -> str:
    return str(value)[:12] if name == "genome_sha256" else one_line(str(value), 80)
