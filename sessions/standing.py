"""Judgement: where a session stands, from the records of its experiments and replicates. Pure."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.noise import Noise, numbers, pooled, usable
from harness.result import Experiment, RecordError, Replicate, RunResult
from harness.settings import RULE, Rule
from harness.verdict import Rival, Verdict

BASELINE = 0  # the baseline's number

# What was refused or cut short is no measure of the noise.
_MEASURED = frozenset({Verdict.KEEP, Verdict.DISCARD})


@dataclass(frozen=True)
class Incumbent:
    """What the next experiment must beat. Without a number yet, it is the session's first commit.

    Attributes:
        commit: its full id.
        val_bpb: the mean of its runs, its replicates included.
        number: of its experiment.
        runs: how many the mean is of.
        lines, memory_gb: as in `harness.verdict.Rival`.
    """

    commit: str
    val_bpb: float | None = None
    number: int | None = None
    runs: int = 0
    lines: int = 0
    memory_gb: float = 0.0

    @property
    def rival(self) -> Rival | None:
        """The same for a verdict; None where there is no number to beat."""
        if self.val_bpb is None:
            return None
        return Rival(self.val_bpb, max(1, self.runs), self.lines, self.memory_gb)


@dataclass(frozen=True)
class Standing:
    """Where a session stands.

    Attributes:
        incumbent: what the next experiment must beat.
        baseline: val_bpb of the baseline, the mean of its runs, if it has one.
        baseline_failed: why the baseline gave no number, while nothing else has given one; else empty.
        wants_baseline: whether it has yet to run, or was stopped before it could say anything.
        kept, total: of the experiments that were judged, the baseline left out.
        noise: what is known of the noise between runs.
        groups: commit -> val_bpb of its runs that count, for commits that say something of the noise.
    """

    incumbent: Incumbent
    baseline: float | None
    baseline_failed: str
    wants_baseline: bool
    kept: int
    total: int
    noise: Noise | None = None
    groups: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def noise_with(self, runs: Iterable[RunResult]) -> Noise | None:
        """The noise, the runs so far of an experiment in progress included."""
        return pooled([*self.groups.values(), numbers(runs)])


def standing(
    records: Sequence[Experiment], base: str, replicates: Sequence[Replicate] = (), rule: Rule = RULE
) -> Standing:
    """Add up a session's records.

    Args:
        records: its experiments.
        base: the commit that it started from.
        replicates: the further runs of kept commits.
        rule: how noise is weighed; whether it is to be known at all.
    """
    kept = [one for one in records if one.verdict == Verdict.KEEP]
    judged = [one for one in records if one.verdict != Verdict.ABORTED]
    best = kept[-1] if kept else None
    baseline = next((one for one in judged if one.number == BASELINE), None)
    runs = _by_commit(records, replicates)
    groups = {commit: values for commit, found in runs.items() if (values := numbers(found))}
    if rule.replicates <= 1:
        groups = {}
    return Standing(
        incumbent=Incumbent(base) if best is None else _incumbent(best, runs.get(best.commit, [])),
        baseline=None if baseline is None else _mean(baseline, runs.get(baseline.commit, [])),
        baseline_failed="" if best is not None or baseline is None else baseline.reason,
        wants_baseline=baseline is None and best is None,
        kept=sum(one.number != BASELINE for one in kept),
        total=sum(one.number != BASELINE for one in judged),
        noise=pooled(groups.values()),
        groups=groups,
    )


def runs_of(record: Experiment) -> list[RunResult]:
    """An experiment's runs, in order; its only one in a ledger that is older than the others."""
    return _results(record.runs or [record.result])


def _incumbent(best: Experiment, runs: Sequence[RunResult]) -> Incumbent:
    good = [run for run in runs if usable(run)]
    return Incumbent(
        commit=best.commit,
        val_bpb=_mean(best, runs),
        number=best.number,
        runs=len(numbers(runs)),
        lines=good[-1].genome_lines if good else 0,
        memory_gb=max((run.memory_gb for run in good), default=0.0),
    )


def _mean(record: Experiment, runs: Sequence[RunResult]) -> float | None:
    """Of all runs of its commit; what the record says where they give no number."""
    values = numbers(runs) if record.verdict in _MEASURED else []
    return sum(values) / len(values) if values else record.val_bpb


def _by_commit(records: Sequence[Experiment], replicates: Sequence[Replicate]) -> dict[str, list[RunResult]]:
    runs: dict[str, list[RunResult]] = {}
    for one in records:
        if one.verdict in _MEASURED:
            runs.setdefault(one.commit, []).extend(runs_of(one))
    for more in replicates:
        runs.setdefault(more.commit, []).extend(_results([more.result]))
    return runs


def _results(found: Iterable[Mapping[str, Any]]) -> list[RunResult]:
    results: list[RunResult] = []
    for one in found:
        with contextlib.suppress(RecordError):  # a foreign hand's, or an older version's
            results.append(RunResult.from_dict(one))
    return results
