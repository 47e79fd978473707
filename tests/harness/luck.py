"""Sessions of pure chance: what a rule keeps when every change gains the same, in sigmas of the noise between runs."""

import random
from dataclasses import dataclass

from harness.noise import pooled
from harness.result import Outcome, RunResult
from harness.settings import Rule
from harness.verdict import Again, Judgement, Rival, Verdict, judge

LEVEL, SIGMA = 2.0, 0.01


@dataclass(frozen=True)
class Tally:
    """Shares of the experiments that were kept, by the rule and by whether the first number was lower; runs of each."""

    kept: float
    lower: float
    runs: float


def sessions_of(chance: random.Random, gain: float, rule: Rule, *, sessions: int, experiments: int) -> Tally:
    """Judge experiments whose true gain is known, on an incumbent that stays, topped up as the rule says."""
    kept = lower = runs = 0
    for _ in range(sessions):
        incumbent = [chance.gauss(LEVEL, SIGMA) for _ in range(rule.replicates)]
        groups: list[list[float]] = []
        for number in range(experiments):
            if number and number % rule.top_up_every == 0:
                incumbent.append(chance.gauss(LEVEL, SIGMA))
            rival = Rival(sum(incumbent) / len(incumbent), len(incumbent))
            values: list[float] = []
            judgement: Judgement | Again = Again(0, "")
            while isinstance(judgement, Again):
                values.append(chance.gauss(LEVEL - gain * SIGMA, SIGMA))
                found = [RunResult("r", "c", Outcome.OK, val_bpb=bpb, seed=seed) for seed, bpb in enumerate(values)]
                judgement = judge(found, rival, pooled([incumbent, *groups, values]), rule)
            groups.append(values)
            kept += judgement.verdict is Verdict.KEEP
            lower += values[0] < incumbent[0]
            runs += len(values)
    total = sessions * experiments
    return Tally(kept / total, lower / total, runs / total)
