"""Whether a number holds: the judgement of runs that check a record."""

import math
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.claim import Again, Answer, Claim, ClaimError, Conditions, Finding, claim_of, differences, next_step
from harness.result import Experiment, RunResult

GENOME = "a" * 64
SIGMA = 0.004


def run(bpb: float | None, seed: int = 0, **changed: Any) -> RunResult:
    facts: dict[str, Any] = {
        "run_id": "r", "commit": "c", "outcome": "ok", "device": "cpu: EPYC, 1 thread", "corpus": "0123456789abcdef",
        "genome_sha256": GENOME, "budget_s": 20.0, "preset": "embedded", "settings": {"vocab_size": 1024},
        "versions": {"torch": "2.13.0"},
    }  # fmt: skip
    return RunResult(**facts | {"val_bpb": bpb, "seed": seed} | changed)


def experiment(*runs: RunResult, sigma: float | None = SIGMA, verdict: str = "keep") -> Experiment:
    numbers = [one.val_bpb for one in runs if one.val_bpb is not None]
    mean = math.fsum(numbers) / len(numbers) if numbers else None
    return Experiment(
        number=3, commit="c", parent="p", message="m", verdict=verdict, reason="r", val_bpb=mean, delta=-0.1, best=mean,
        submitted_at=0.0, started_at=0.0, ended_at=0.0, result=asdict(runs[-1]), runs=[asdict(one) for one in runs],
        sigma=sigma,
    )  # fmt: skip


def claim(*numbers: float, sigma: float | None = SIGMA, k: float = 2.0) -> Claim:
    return claim_of(experiment(*(run(x, i) for i, x in enumerate(numbers)), sigma=sigma), k)


def finding(one: Claim, *runs: RunResult, wanted: int | None = None, other_device: bool = False) -> Finding:
    step = next_step(one, runs, wanted or len(runs), other_device=other_device)
    assert isinstance(step, Finding)
    return step


bpbs = st.floats(0.5, 4.0)
several = st.lists(bpbs, min_size=1, max_size=5)
sigmas = st.one_of(st.none(), st.floats(1e-5, 0.1))


@given(before=several, after=several, sigma=sigmas, shift=st.floats(-0.4, 4.0))
def test_only_differences_count(before: list[float], after: list[float], sigma: float | None, shift: float) -> None:
    """The same numbers, all of them moved by the same amount, get the same answer."""
    here = finding(claim(*before, sigma=sigma), *(run(x, 100 + i) for i, x in enumerate(after)))
    moved = finding(
        claim(*(x + shift for x in before), sigma=sigma), *(run(x + shift, 100 + i) for i, x in enumerate(after))
    )
    if here.allowed is not None and here.difference is not None and abs(abs(here.difference) - here.allowed) < 1e-9:
        return  # on the edge, where rounding may decide
    assert moved.answer == here.answer


@given(before=several, after=several, sigma=st.floats(1e-5, 0.1), k=st.floats(0.5, 4.0), more=st.floats(0.0, 4.0))
def test_who_allows_more_believes_more(
    before: list[float], after: list[float], sigma: float, k: float, more: float
) -> None:
    """A number that holds within k standard errors holds within more of them."""
    runs = [run(x, 100 + i) for i, x in enumerate(after)]
    strict, lenient = (finding(claim(*before, sigma=sigma, k=one), *runs) for one in (k, k + more))
    assert strict.answer == Answer.FAILS or lenient.answer == Answer.HOLDS


@given(numbers=st.lists(bpbs, min_size=2, max_size=5), sigma=sigmas)
def test_the_same_numbers_hold(numbers: list[float], sigma: float | None) -> None:
    """Whatever the noise, a number that comes again holds."""
    assert finding(claim(*numbers, sigma=sigma), *(run(x, 9 + i) for i, x in enumerate(numbers))).answer == Answer.HOLDS


@pytest.mark.parametrize(
    ("again", "answer"),
    [(1.5056, Answer.HOLDS), (1.5057, Answer.FAILS), (1.4943, Answer.FAILS), (1.4944, Answer.HOLDS)],
)
def test_the_recorded_sigma_says_how_far_means_may_differ(again: float, answer: Answer) -> None:
    """With two runs against two, two standard errors of a sigma of 0.004 are 0.008; with four to four, 0.00566."""
    four = [1.5] * 4
    assert finding(claim(*four), *(run(again, 9 + i) for i in range(4))).answer == answer


def test_without_a_sigma_the_runs_measure_it_themselves() -> None:
    """Few runs measure the spread badly: what two against one show is called a difference late, and that is said."""
    one = finding(claim(1.5, sigma=None), run(1.51, 1), run(1.512, 2))
    assert (one.answer, one.degrees) == (Answer.HOLDS, 1)
    assert any("so few runs would not have shown a difference" in line for line in one.caveats)
    assert finding(claim(1.5, sigma=None), run(1.51, 1), run(1.5102, 2)).answer == Answer.FAILS


def test_one_run_against_one_says_nothing() -> None:
    """Without a sigma and without two runs of anything nothing is known of the noise, and that is the answer."""
    one = finding(claim(1.5, sigma=None), run(1.5, 1))
    assert one.answer == Answer.UNKNOWN
    assert "make more runs" in one.reason


@given(used=st.frozensets(st.integers(0, 50), max_size=6), wanted=st.integers(1, 6))
def test_seeds_are_new_and_as_many_as_wanted(used: frozenset[int], wanted: int) -> None:
    """Each run gets a seed that neither the record nor another run has, until there are enough."""
    one = replace(claim(1.5), seeds=used)
    runs: list[RunResult] = []
    while isinstance(step := next_step(one, runs, wanted), Again):
        runs.append(run(1.5, step.seed))
        assert len(runs) <= wanted
    assert len({run.seed for run in runs} - used) == wanted


def test_a_tainted_run_is_repeated_once() -> None:
    """The same seed runs again; a second taint is believed, and said."""
    tainted = run(1.5, 1, taints=["contended: make (pid 7) had the CPU"])
    again = next_step(claim(1.5), [tainted], 1)
    assert isinstance(again, Again)
    assert (again.seed, "contended" in again.why) == (1, True)
    assert finding(claim(1.5), tainted, run(1.5, 1), wanted=1).caveats == []
    assert any("tainted twice" in line for line in finding(claim(1.5), tainted, tainted, wanted=1).caveats)


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [("crash", Answer.FAILS), ("rejected", Answer.FAILS), ("timeout", Answer.UNKNOWN), ("aborted", Answer.UNKNOWN)],
)
def test_a_run_without_a_number_ends_the_check(outcome: str, answer: Answer) -> None:
    """A genome that fails does not hold its number; a deadline or a stop says nothing of it."""
    one = finding(claim(1.5), run(None, 1, outcome=outcome, reason="why"), wanted=3)
    assert (one.answer, "why" in one.reason) == (answer, True)


def test_a_number_of_another_device_is_not_compared() -> None:
    """Unless the person says so; then the answer says it, too."""
    other = [run(1.5, 1, device="cuda: H100"), run(1.5, 2, device="cuda: H100")]
    one = finding(claim(1.5), *other)
    assert (one.answer, "the device differs" in one.reason) == (Answer.UNKNOWN, True)
    allowed = finding(claim(1.5), *other, other_device=True)
    assert allowed.answer == Answer.HOLDS
    assert "recorded on cpu: EPYC, 1 thread, run again on cuda: H100" in allowed.caveats


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"corpus": "f" * 16}, "the corpus differs"),
        ({"genome_sha256": "b" * 64}, "the genome differs"),
        ({"versions": {"torch": "2.14.0"}}, "the torch version differs: 2.13.0 is recorded, 2.14.0 is here"),
        ({"budget_s": 30.0}, "the budget differs"),
        ({"settings": {"vocab_size": 2048}}, "the preset differs in vocab_size"),
    ],
)
def test_what_differs_is_named(changed: dict[str, Any], says: str) -> None:
    """A run under other conditions is compared with nothing, whatever device is allowed."""
    one = finding(claim(1.5), run(1.5, 1, **changed), wanted=1, other_device=True)
    assert (one.answer, says in one.reason) == (Answer.UNKNOWN, True)


def test_what_a_record_does_not_say_is_no_difference_and_is_told() -> None:
    """An older record, without versions and settings, can be checked; the answer says what nobody compared."""
    old = claim_of(replace(experiment(run(1.5, versions={}, settings={}, corpus="")), runs=[]), 2.0)
    assert differences(old.conditions, Conditions.of(run(1.5))) == []
    one = finding(old, run(1.5, 1))
    assert one.answer == Answer.HOLDS
    assert any("the record does not say the corpus, the torch version" in line for line in one.caveats)


def test_runs_that_scatter_more_than_recorded_are_told() -> None:
    """A mean that holds by chance, of runs that lie far apart, carries a warning."""
    one = finding(claim(1.5, 1.5), run(1.4, 8), run(1.6, 9))
    assert one.answer == Answer.HOLDS
    assert any("these runs spread by" in line for line in one.caveats)


def test_an_experiment_without_a_number_claims_nothing() -> None:
    """A crash cannot be checked, and the error says so in one line."""
    with pytest.raises(ClaimError, match=r"experiment 3 \(crash\) has no number"):
        claim_of(experiment(run(None, outcome="crash"), verdict="crash"), 2.0)
    with pytest.raises(ClaimError, match="broken"):
        claim_of(replace(experiment(run(1.5)), runs=[{"run_id": 7}]), 2.0)
