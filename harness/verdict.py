"""Judgement: what an experiment's runs gave, the incumbent and the noise in; a verdict with its evidence out.

Pure. A gain is kept when it is more than the noise between runs makes likely; one that is neither that nor none asks
for another run, with a fresh seed. How much it must be says `harness.noise.bar`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from harness.noise import Noise, bar, numbers, standard_error, student, usable
from harness.plausibility import too_good
from harness.result import Outcome, RunResult
from harness.settings import RULE, Rule
from harness.text import one_line


class Verdict(StrEnum):
    """What came of an experiment."""

    KEEP = "keep"  # better than the incumbent, or as good and simpler: it is the incumbent now
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
class Rival:
    """The incumbent, as a change is compared with it.

    Attributes:
        val_bpb: the mean of its runs.
        runs: how many they are.
        lines: of its genome; 0: not known.
        memory_gb: the most that one of them needed; 0: not known.
    """

    val_bpb: float
    runs: int = 1
    lines: int = 0
    memory_gb: float = 0.0


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it rests on.

    Attributes:
        verdict: what comes of the experiment.
        reason: why, one line.
        val_bpb: the mean of its runs; None where they gave no number that can be compared.
        delta: val_bpb less the incumbent's: negative is better.
        sigma: run-to-run standard deviation that it was judged with; None: not known.
        confidence: the probability that it is better than the incumbent, by Student's t; None: not known.
        flags: what a person should know although it decided nothing, one line each.
    """

    verdict: Verdict
    reason: str
    val_bpb: float | None = None
    delta: float | None = None
    sigma: float | None = None
    confidence: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Again:
    """The runs so far do not decide: another one with this seed, and why, one line."""

    seed: int
    reason: str


# What a repetition can change: a measurement that something else disturbed. A leak is a leak.
_DISTURBED: Final = frozenset({Outcome.OK, Outcome.CRASH, Outcome.TIMEOUT})


def judge(runs: Sequence[RunResult], rival: Rival | None, noise: Noise | None, rule: Rule = RULE) -> Judgement | Again:
    """Judge an experiment by its runs so far, in order, one or more.

    A run with a taint is repeated with its seed, once. The last run's end is the experiment's: a genome that fails at
    its second run is none to build on, however good its first one was.

    Args:
        runs: what its runs gave; those of one seed are repetitions of one another.
        rival: what it must beat; None: there is no incumbent yet, so a number is a baseline.
        noise: what is known of the noise, this experiment's runs included; None: a lower number is kept.
        rule: how noise is weighed.
    """
    last = runs[-1]
    if last.taints and last.outcome in _DISTURBED and _repetitions(runs) == 1:
        return Again(last.seed, f"run {_measurements(runs)} is repeated: {one_line(last.taints[0], 80)}")
    ended = _without_number(runs)
    if ended is not None:
        return ended
    flags = _flags(runs, rival, rule)
    bpb = last.val_bpb or 0.0
    if alarm := last.alarm or too_good(bpb, last.compressed_bpb, rival.val_bpb if rival else None):
        delta = None if rival is None else bpb - rival.val_bpb
        return Judgement(Verdict.HELD, alarm, bpb, delta, noise.sigma if noise else None, None, flags)
    if rival is None:
        return Judgement(Verdict.KEEP, "baseline" + _disturbance(runs), _mean(numbers(runs)), flags=flags)
    if noise is None:
        return _without_noise(runs, rival, flags)
    return _weighed(runs, rival, noise, rule, flags)


def decisive(runs: Sequence[RunResult]) -> RunResult:
    """The run whose record stands for an experiment: the last one without a taint, if there is one."""
    if not usable(runs[-1]):  # its end is the experiment's
        return runs[-1]
    return next((run for run in reversed(runs) if usable(run) and not run.taints), runs[-1])


def _weighed(
    runs: Sequence[RunResult], rival: Rival, noise: Noise, rule: Rule, flags: tuple[str, ...]
) -> Judgement | Again:
    """A number beside the incumbent's, in standard errors of their difference."""
    values = numbers(runs)
    mean = _mean(values)
    gain = rival.val_bpb - mean
    error = standard_error(noise.sigma, len(values), rival.runs)
    looks, look = max(1, rule.most_runs), _measurements(runs)
    asked = bar(rule.k, look, looks, noise.degrees)
    height = asked * error
    fewer = _fewer_lines(runs, rival)
    told = _told(gain, rival, error, asked, noise, len(values)) + _disturbance(runs)
    confidence = student(gain / error if error > 0 else math.inf * gain if gain else 0.0, noise.degrees)

    def final(verdict: Verdict, reason: str) -> Judgement:
        return Judgement(verdict, reason, mean, mean - rival.val_bpb, noise.sigma, confidence, flags)

    if gain > height:
        return final(Verdict.KEEP, told)
    if gain < -height or (gain <= 0 and not fewer):
        return final(Verdict.DISCARD, told)
    if look < looks and error > 0:
        fresh = 1 + max(run.seed for run in runs)
        return Again(fresh, f"{'simpler, ' if fewer else ''}within noise: {told}")
    if fewer and gain >= -error:
        return final(Verdict.KEEP, f"a simplification: {_lines(fewer)} fewer, at {told}")
    return final(Verdict.DISCARD, f"within noise: {told}" if gain > 0 else told)


def _without_noise(runs: Sequence[RunResult], rival: Rival, flags: tuple[str, ...]) -> Judgement:
    """A lower number is kept, and so is an equal one of a shorter genome."""
    mean = _mean(numbers(runs))
    gain = rival.val_bpb - mean
    fewer = _fewer_lines(runs, rival) if gain == 0 else 0
    simpler = f"a simplification: {_lines(fewer)} fewer, at " if fewer else ""
    reason = f"{simpler}{_difference(gain, rival)} (the noise is not known)" + _disturbance(runs)
    verdict = Verdict.KEEP if gain > 0 or fewer else Verdict.DISCARD
    return Judgement(verdict, reason, mean, mean - rival.val_bpb, flags=flags)


def _without_number(runs: Sequence[RunResult]) -> Judgement | None:
    """The verdict on an experiment whose last run gave no number; None where it gave one."""
    last = runs[-1]
    match last.outcome:
        case Outcome.OK:
            bpb = last.val_bpb
            if usable(replace(last, alarm="")):
                return None
            verdict, reason = Verdict.CRASH, f"the run ended without a usable val_bpb ({bpb})"
        case Outcome.CRASH:
            verdict, reason = Verdict.CRASH, last.reason or "the run failed"
        case Outcome.TIMEOUT:
            verdict, reason = Verdict.TIMEOUT, last.reason or "the run passed its deadline"
        case Outcome.REJECTED:
            verdict, reason = Verdict.REJECTED, last.reason or "the run was rejected"
        case Outcome.ABORTED:
            verdict, reason = Verdict.ABORTED, last.reason or "the run was stopped"
        case unknown:
            verdict, reason = Verdict.CRASH, f"the run ended in a way that is not known here ({unknown})"
    before = numbers(runs[:-1])
    if before and verdict is not Verdict.ABORTED:
        reason += f" (run {_measurements(runs)}; val_bpb was {_mean(before):.6f} before)"
    return Judgement(verdict, reason, flags=_taint_flags(runs))


def _told(gain: float, rival: Rival, error: float, asked: float, noise: Noise, runs: int) -> str:
    many = f"{abs(gain) / error:.1f} standard errors" if error > 0 else "without any noise"
    wanted = f" of {asked:.1f} asked for" if error > 0 and gain > 0 else ""
    count = "1 run" if runs == 1 else f"{runs} runs"
    return f"{_difference(gain, rival)}, {many}{wanted} (sigma {noise.sigma:.4f}, {count})"


def _difference(gain: float, rival: Rival) -> str:
    if gain == 0:
        return f"equal to the incumbent's {rival.val_bpb:.6f}"
    return f"{abs(gain):.6f} {'below' if gain > 0 else 'above'} the incumbent's {rival.val_bpb:.6f}"


def _flags(runs: Sequence[RunResult], rival: Rival | None, rule: Rule) -> tuple[str, ...]:
    flags = list(_taint_flags(runs))
    need = max((run.memory_gb for run in runs), default=0.0)
    if rival is not None and 0 < rival.memory_gb * rule.memory_factor < need:
        flags.append(
            f"memory: {need:.1f} GB, {need / rival.memory_gb:.1f} times the incumbent's {rival.memory_gb:.1f} GB"
        )
    return tuple(flags)


def _taint_flags(runs: Sequence[RunResult]) -> tuple[str, ...]:
    """Each taint once, with the runs that have it."""
    tainted: dict[str, list[str]] = {}
    for index, run in enumerate(runs, 1):
        for taint in run.taints:
            tainted.setdefault(one_line(taint, 120), []).append(str(index))
    count = len(runs)
    return tuple(f"run {', '.join(which)} of {count}: {taint}" for taint, which in tainted.items())


def _disturbance(runs: Sequence[RunResult]) -> str:
    """What a reason says where every number that it rests on has a taint."""
    good = [run for run in runs if usable(run)]
    if not good or any(not run.taints for run in good):
        return ""
    return f"; measured twice, each time {one_line(good[-1].taints[0], 80)}"


def _fewer_lines(runs: Sequence[RunResult], rival: Rival) -> int:
    """How many lines the genome is shorter than the incumbent's; 0 where it is not, or nobody counted."""
    lines = runs[-1].genome_lines
    return max(0, rival.lines - lines) if lines > 0 else 0


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def _measurements(runs: Sequence[RunResult]) -> int:
    """How many runs there are, a repetition counted as what it repeats."""
    return len({run.seed for run in runs})


def _repetitions(runs: Sequence[RunResult]) -> int:
    return sum(run.seed == runs[-1].seed for run in runs)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
