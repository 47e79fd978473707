"""Verdicts: one for the runs of every experiment, and a reason with each; a keep is more than luck."""

import argparse
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.noise import Noise, above
from harness.plausibility import compressed_bits_per_byte, too_good
from harness.result import Outcome, RunResult
from harness.settings import Rule
from harness.verdict import TSV_STATUS, Again, Judgement, Rival, Verdict, decisive, judge
from tests.harness.luck import sessions_of

RULE = Rule(k=2.0, replicates=3, most_runs=3)
# Multiples of 1/1024, so that sums and differences are exact.
BPB = st.integers(1024, 4096).map(lambda units: units / 1024)
SIGMA = st.integers(0, 100).map(lambda units: units / 1024)
NOISES = st.none() | st.builds(lambda sigma, degrees: Noise(sigma, degrees, degrees + 1), SIGMA, st.integers(1, 50))
RIVALS = st.builds(Rival, BPB, st.integers(1, 8), st.integers(0, 5), st.just(1.0))
RULES = st.builds(lambda k, most: Rule(k=k, most_runs=most), st.floats(0.5, 4.0), st.integers(1, 5))
WELL_KNOWN = Noise(0.01, 100, 101)


def ended(outcome: str, bpb: float | None = None, reason: str = "", **more: Any) -> RunResult:
    return RunResult(run_id="r", commit="c", outcome=outcome, reason=reason, val_bpb=bpb, **more)


def ran(*values: float, **more: Any) -> list[RunResult]:
    """Runs with these numbers, each with a seed of its own."""
    return [ended(Outcome.OK, bpb, seed=seed, **more) for seed, bpb in enumerate(values)]


def final(runs: list[RunResult], rival: Rival | None, noise: Noise | None, rule: Rule = RULE) -> Judgement:
    judgement = judge(runs, rival, noise, rule)
    assert isinstance(judgement, Judgement)
    return judgement


@settings(deadline=None)
@given(bpb=BPB, incumbent=BPB)
def test_without_noise_a_lower_number_is_kept(bpb: float, incumbent: float) -> None:
    """Where the noise is not known, a run decides: kept if and only if lower, and the reason says so."""
    judgement = final(ran(bpb), Rival(incumbent), None)
    assert judgement.verdict == (Verdict.KEEP if bpb < incumbent else Verdict.DISCARD)
    assert judgement.delta == bpb - incumbent
    assert (judgement.sigma, judgement.confidence) == (None, None)
    assert "the noise is not known" in judgement.reason


@given(bpb=BPB, noise=NOISES)
def test_the_first_number_is_the_baseline(bpb: float, noise: Noise | None) -> None:
    """Without an incumbent any number is kept."""
    judgement = final(ran(bpb), None, noise)
    assert (judgement.verdict, judgement.reason, judgement.delta) == (Verdict.KEEP, "baseline", None)
    assert judgement.val_bpb == bpb


def test_a_clear_gain_is_kept_at_once() -> None:
    """A gain far beyond the noise needs one run; its evidence is in the reason and in the fields."""
    judgement = final(ran(1.44), Rival(1.5, runs=3), WELL_KNOWN)
    assert judgement.verdict == Verdict.KEEP
    told = "5.2 standard errors of 2.6 asked for (sigma 0.0100, 1 run)"
    assert judgement.reason == f"0.060000 below the incumbent's 1.500000, {told}"
    assert (judgement.val_bpb, judgement.sigma) == (1.44, 0.01)
    assert judgement.delta == pytest.approx(-0.06)
    assert judgement.confidence is not None
    assert judgement.confidence > 0.9999


def test_a_doubtful_gain_runs_again_until_the_cap() -> None:
    """Within the noise: fresh seeds up to the cap, then discarded as within the noise, judged on the mean."""
    values = [1.49, 1.485, 1.489]
    for count, seed in ((1, 1), (2, 2)):
        again = judge(ran(*values[:count]), Rival(1.5, runs=3), WELL_KNOWN, RULE)
        assert isinstance(again, Again)
        assert (again.seed, again.reason.startswith("within noise: ")) == (seed, True)
    judgement = final(ran(*values), Rival(1.5, runs=3), WELL_KNOWN)
    assert (judgement.verdict, judgement.val_bpb) == (Verdict.DISCARD, pytest.approx(1.488))
    assert judgement.reason.startswith("within noise: 0.012000 below")
    assert judgement.reason.endswith("1.5 standard errors of 2.3 asked for (sigma 0.0100, 3 runs)")


def test_more_runs_can_make_a_doubtful_gain_sure() -> None:
    """The same gain that one run leaves in doubt is kept once three runs have shown it."""
    assert isinstance(judge(ran(1.478), Rival(1.5, runs=3), WELL_KNOWN, RULE), Again)
    assert final(ran(1.478, 1.478, 1.478), Rival(1.5, runs=3), WELL_KNOWN).verdict == Verdict.KEEP


def test_no_gain_is_discarded_at_once() -> None:
    """A number that is no lower needs no further run, unless the genome is simpler."""
    assert final(ran(1.501), Rival(1.5), WELL_KNOWN).verdict == Verdict.DISCARD
    assert final(ran(1.5), Rival(1.5), WELL_KNOWN).reason.startswith("equal to the incumbent's")


def test_as_good_and_simpler_is_kept() -> None:
    """Fewer lines at a number within one standard error are kept after all runs; one that is worse is not."""
    rival = Rival(1.5, runs=3, lines=100)
    as_good, worse = (ran(*[bpb] * 3, genome_lines=88) for bpb in (1.505, 1.51))
    again = judge(as_good[:1], rival, WELL_KNOWN, RULE)
    assert isinstance(again, Again)
    assert again.reason.startswith("simpler, within noise")
    judgement = final(as_good, rival, WELL_KNOWN)
    assert judgement.verdict == Verdict.KEEP
    assert judgement.reason.startswith("a simplification: 12 lines fewer, at 0.005000 above")
    assert final(worse, rival, WELL_KNOWN).verdict == Verdict.DISCARD
    assert final(ran(1.6, genome_lines=88), rival, WELL_KNOWN).verdict == Verdict.DISCARD
    assert final(ran(1.501, genome_lines=100), rival, WELL_KNOWN).verdict == Verdict.DISCARD
    assert final(ran(1.5, genome_lines=99), rival, None).reason.startswith("a simplification: 1 line fewer, at equal")


def test_a_tainted_run_is_repeated_once() -> None:
    """A run that something disturbed is repeated with its seed and is no part of the number; twice, it is judged."""
    rival, taint = Rival(1.5, runs=3), ["contended: 3 other processes"]
    [disturbed] = ran(1.44, taints=taint)
    again = judge([disturbed], rival, WELL_KNOWN, RULE)
    assert again == Again(0, "run 1 is repeated: contended: 3 other processes")
    clean = replace(disturbed, val_bpb=1.6, taints=[])
    judgement = final([disturbed, clean], rival, WELL_KNOWN)
    assert (judgement.verdict, judgement.val_bpb) == (Verdict.DISCARD, 1.6)
    assert judgement.flags == ("run 1 of 2: contended: 3 other processes",)
    twice = final([disturbed, replace(disturbed, val_bpb=1.42)], rival, WELL_KNOWN)
    assert (twice.verdict, twice.val_bpb) == (Verdict.KEEP, pytest.approx(1.43))
    assert "each time contended" in twice.reason
    assert decisive([disturbed, clean]) is clean
    assert decisive([clean, disturbed]) is clean


def test_a_disturbed_failure_is_repeated_and_a_leak_is_not() -> None:
    """A crash or a timeout under a taint gets another chance; what was rejected or stopped gets none."""
    for outcome, repeated in ((Outcome.CRASH, True), (Outcome.TIMEOUT, True), (Outcome.REJECTED, False)):
        run = ended(outcome, taints=["contended"])
        assert isinstance(judge([run], Rival(1.5), None), Again) == repeated
        assert isinstance(judge([run, run], Rival(1.5), None), Judgement)
    assert final([ended(Outcome.ABORTED, taints=["contended"])], Rival(1.5), None).verdict == Verdict.ABORTED


def test_a_genome_that_fails_when_it_runs_again_failed() -> None:
    """Good runs before do not save an experiment whose next run crashes: all that follows would stand on it."""
    good = ran(1.49)
    judgement = final([*good, ended(Outcome.CRASH, reason="CUDA error", seed=1)], Rival(1.5), WELL_KNOWN)
    assert (judgement.verdict, judgement.val_bpb) == (Verdict.CRASH, None)
    assert judgement.reason == "CUDA error (run 2; val_bpb was 1.490000 before)"
    assert final([*good, ended(Outcome.ABORTED, reason="stopped")], Rival(1.5), None).reason == "stopped"


def test_more_memory_is_flagged() -> None:
    """Beyond the factor it is said and decides nothing; without a number to compare with nothing is said."""
    judgement = final(ran(1.4, memory_gb=1.6), Rival(1.5, memory_gb=1.0), WELL_KNOWN)
    assert judgement.flags == ("memory: 1.6 GB, 1.6 times the incumbent's 1.0 GB",)
    assert judgement.verdict == Verdict.KEEP
    assert final(ran(1.4, memory_gb=1.5), Rival(1.5, memory_gb=1.0), WELL_KNOWN).flags == ()
    assert final(ran(1.4, memory_gb=1.5), Rival(1.5), WELL_KNOWN).flags == ()


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[RunResult], Rival, Noise | None, Rule]:
    values = draw(st.lists(BPB, min_size=1, max_size=5))
    lines = draw(st.integers(0, 5))
    runs = [replace(run, taints=draw(st.sampled_from([[], [], ["throttled"]]))) for run in ran(*values)]
    return [replace(run, genome_lines=lines) for run in runs], draw(RIVALS), draw(NOISES), draw(RULES)


@settings(deadline=None, max_examples=300)
@given(cases())
def test_a_keep_is_never_above_the_incumbent(case: tuple[list[RunResult], Rival, Noise | None, Rule]) -> None:
    """Only a genome with fewer lines is kept above the incumbent's number, and by no more than a standard error."""
    runs, rival, noise, rule = case
    judgement = judge(runs, rival, noise, rule)
    if not isinstance(judgement, Judgement) or judgement.verdict is not Verdict.KEEP:
        return
    assert judgement.val_bpb is not None
    if judgement.val_bpb >= rival.val_bpb:
        assert 0 < runs[-1].genome_lines < rival.lines
        sigma = 0.0 if noise is None else noise.sigma
        assert judgement.val_bpb - rival.val_bpb <= sigma * math.sqrt(1 + 1 / rival.runs)


@settings(deadline=None, max_examples=300)
@given(cases(), st.integers(-512, 8192))
def test_only_differences_count(case: tuple[list[RunResult], Rival, Noise | None, Rule], units: int) -> None:
    """Shifting every number by the same amount changes no verdict and no wish to run again."""
    runs, rival, noise, rule = case
    shift = units / 1024
    moved = [replace(run, val_bpb=(run.val_bpb or 0.0) + shift) for run in runs]
    one, other = (
        judge(runs, rival, noise, rule),
        judge(moved, replace(rival, val_bpb=rival.val_bpb + shift), noise, rule),
    )
    assert type(one) is type(other)
    if isinstance(one, Judgement) and isinstance(other, Judgement):
        assert one.verdict == other.verdict


@settings(deadline=None)
@given(value=BPB, rival=RIVALS, noise=NOISES, rule=RULES, more=st.integers(1, 4))
def test_more_of_the_same_evidence_takes_no_keep_away(
    value: float, rival: Rival, noise: Noise | None, rule: Rule, more: int
) -> None:
    """What is kept for its gain after some runs is kept after further ones with the same number."""
    before = judge(ran(value), rival, noise, rule)
    if isinstance(before, Judgement) and before.verdict is Verdict.KEEP and value < rival.val_bpb:
        assert final(ran(*[value] * (1 + more)), rival, noise, rule).verdict is Verdict.KEEP


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(BPB, st.sampled_from([[], ["contended"]])), min_size=12, max_size=12), RIVALS, NOISES, RULES)
def test_the_cap_holds(found: list[tuple[float, list[str]]], rival: Rival, noise: Noise | None, rule: Rule) -> None:
    """Whatever the runs give, there are no more than the rule allows, each repeated once at the most."""
    runs: list[RunResult] = []
    seed = 0
    for bpb, taints in found:
        runs.append(ended(Outcome.OK, bpb, seed=seed, taints=taints))
        judgement = judge(runs, rival, noise, rule)
        if isinstance(judgement, Judgement):
            break
        seed = judgement.seed
    assert isinstance(judgement, Judgement)
    assert len({run.seed for run in runs}) <= rule.most_runs
    assert all(sum(run.seed == seed for run in runs) <= 2 for seed in range(rule.most_runs))


def test_luck_is_kept_as_seldom_as_promised_and_a_gain_nearly_always() -> None:
    """Changes that gain nothing are kept no oftener than k promises, retests included; gains of 4 sigma nearly all.

    The share of lucky keeps is allowed three standard errors of such a simulation.
    """
    chance = random.Random(20)  # noqa: S311  # luck, not a secret
    sessions = 250
    promised = above(RULE.k)
    nothing = sessions_of(chance, 0.0, RULE, sessions=sessions, experiments=12)
    assert nothing.kept < promised + 3 * math.sqrt(promised / (sessions * 12))
    assert sessions_of(chance, 4.0, RULE, sessions=60, experiments=12).kept > 0.93


@pytest.mark.parametrize("incumbent", [None, 1.5, 0.1])
def test_an_alarm_holds_a_number(incumbent: float | None) -> None:
    """What the scorer finds too good is neither kept nor a baseline, and says why."""
    rival = None if incumbent is None else Rival(incumbent)
    judgement = final([RunResult("r", "c", Outcome.OK, val_bpb=0.2, alarm="too good")], rival, WELL_KNOWN)
    assert (judgement.verdict, judgement.reason, judgement.val_bpb) == (Verdict.HELD, "too good", 0.2)


def test_a_leap_is_held() -> None:
    """More than a quarter off the incumbent's number in one step is held, unless a compressor does as well."""
    leap = [RunResult("r", "c", Outcome.OK, val_bpb=1.0, compressed_bpb=2.0)]
    assert final(leap, Rival(1.4), None).verdict == Verdict.HELD
    assert final(leap, Rival(1.3), None).verdict == Verdict.KEEP
    bought = [RunResult("r", "c", Outcome.OK, val_bpb=2.1, compressed_bpb=2.0)]
    assert final(bought, Rival(4.0), None).verdict == Verdict.KEEP


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
    judgement = final([ended(Outcome.OK, bpb)], None if incumbent is None else Rival(incumbent), None)
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
        assert final([result], Rival(1.5), None).verdict == verdict
        assert final([result], Rival(1.5), None).reason
    known = outcome in list(Outcome)
    assert (final([ended(outcome, reason="because")], Rival(1.5), None).reason == "because") == known


def test_the_ecosystem_knows_three_words() -> None:
    """Every verdict but aborted has one of the three statuses of results.tsv."""
    assert set(TSV_STATUS) == set(Verdict) - {Verdict.ABORTED}
    assert set(TSV_STATUS.values()) == {"keep", "discard", "crash"}
