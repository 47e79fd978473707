"""Judgement: whether the incumbent is to be run once more, to know the noise. Pure; it runs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.result import Experiment, Replicate
from harness.settings import Rule
from harness.text import one_line
from harness.verdict import Verdict
from sessions.standing import BASELINE, Incumbent, runs_of


@dataclass(frozen=True)
class Wanted:
    """A replicate that is wanted now.

    Attributes:
        number, commit, message: of the experiment that it repeats.
        seed: of its run; the first run of every commit has 0.
        because: why, one line.
        run, most_runs: which of those that are wanted now it is, from 1.
        repeated: whether the one before has a taint, and this one takes its place.
    """

    number: int
    commit: str
    message: str
    seed: int
    because: str
    run: int = 1
    most_runs: int = 1
    repeated: bool = False


def wanted(
    records: Sequence[Experiment], replicates: Sequence[Replicate], incumbent: Incumbent, rule: Rule
) -> Wanted | None:
    """The replicate that comes before the next experiment; None where none does.

    Whatever a replicate gave, it was made: an incumbent that fails is not run for ever.

    Args:
        records: the session's experiments, in order.
        replicates: what was run already, in order.
        incumbent: what is run.
        rule: how many there are to be, and when.
    """
    if rule.replicates <= 1 or incumbent.number is None or incumbent.val_bpb is None:
        return None
    number, commit = incumbent.number, incumbent.commit
    message = next((one.message for one in reversed(records) if one.number == number), "")
    made = len({(one.commit, one.result.get("seed")) for one in replicates})
    first = rule.replicates - 1
    latest = replicates[-1] if replicates else None
    if latest is not None and latest.commit == commit and (taint := _repeated_for(latest, replicates)):
        which = (made, first) if made <= first else (1, 1)
        return Wanted(number, commit, message, latest.result["seed"], f"repeated: {taint}", *which, repeated=True)
    seed = 1 + max(_seeds(records, replicates, commit), default=0)
    if made < first:
        return Wanted(number, commit, message, seed, "measures the noise", made + 1, first)
    since = [one for one in records if latest is None or one.ended_at > latest.ended_at]
    judged = sum(one.verdict != Verdict.ABORTED and one.number != BASELINE for one in since)
    if 0 < rule.top_up_every <= judged:
        return Wanted(number, commit, message, seed, f"measures the noise again after {judged} experiments")
    return None


def _repeated_for(latest: Replicate, replicates: Sequence[Replicate]) -> str:
    """The taint for which the latest replicate is run again; empty where it is not: it has none, or was repeated."""
    taints, seed = latest.result.get("taints"), latest.result.get("seed")
    if not isinstance(taints, list) or not taints or not isinstance(seed, int):
        return ""
    times = sum((one.commit, one.result.get("seed")) == (latest.commit, seed) for one in replicates)
    return one_line(str(taints[0]), 80) if times == 1 else ""


def _seeds(records: Sequence[Experiment], replicates: Sequence[Replicate], commit: str) -> list[int]:
    """The seeds that a commit has run with."""
    own = [run.seed for one in records if one.commit == commit for run in runs_of(one)]
    more = [one.result.get("seed") for one in replicates if one.commit == commit]
    return [*own, *(seed for seed in more if isinstance(seed, int))]
