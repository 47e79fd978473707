"""Noise: sigma within groups, Student's t, and how high a gain must jump."""

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.noise import above, bar, exceeded_by, numbers, pooled, standard_error, student
from harness.result import Outcome, RunResult

# Thousandths, as far apart as scores may be: no rounding decides.
BPB = st.integers(100, 9000).map(lambda thousandths: thousandths / 1000)
GROUP = st.lists(BPB, min_size=1, max_size=6)
DEGREES = st.integers(1, 40)


def run(bpb: float | None, *taints: str, outcome: str = Outcome.OK, alarm: str = "") -> RunResult:
    return RunResult("r", "c", outcome, val_bpb=bpb, taints=list(taints), alarm=alarm)


@given(st.lists(BPB, min_size=2, max_size=12))
def test_one_group_has_its_standard_deviation(values: list[float]) -> None:
    """Of one group sigma is the sample's standard deviation, with one degree of freedom less than it has runs."""
    noise = pooled([values])
    assert noise is not None
    assert noise.sigma == pytest.approx(statistics.stdev(values), abs=1e-12)
    assert (noise.degrees, noise.runs) == (len(values) - 1, len(values))


@given(st.lists(GROUP, max_size=5))
def test_groups_are_pooled_by_their_degrees_of_freedom(groups: list[list[float]]) -> None:
    """The variance is the mean of the groups' own, each weighed with its degrees; a single run says nothing."""
    several = [group for group in groups if len(group) > 1]
    noise = pooled(groups)
    if not several:
        assert noise is None
        return
    assert noise is not None
    degrees = sum(len(group) - 1 for group in several)
    weighed = sum(statistics.variance(group) * (len(group) - 1) for group in several) / degrees
    assert noise.sigma**2 == pytest.approx(weighed, abs=1e-12)
    assert (noise.degrees, noise.runs) == (degrees, sum(map(len, several)))


@given(
    st.lists(GROUP, min_size=1, max_size=5), st.randoms(use_true_random=False), st.lists(BPB, min_size=5, max_size=5)
)
def test_order_and_level_do_not_matter(groups: list[list[float]], random: object, levels: list[float]) -> None:
    """Sigma is the same in any order of runs and groups, and at any level of each group."""
    shuffled: list[list[float]] = [
        sorted(one + level for one in group) for group, level in zip(groups, levels, strict=False)
    ]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = pooled(groups), pooled(shuffled)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert other.sigma == pytest.approx(one.sigma, abs=1e-9)
        assert other.degrees == one.degrees


def test_only_sound_numbers_count() -> None:
    """Runs that failed, were held or gave no number are left out, and tainted ones while there are others."""
    useless = [run(None), run(math.nan), run(-1.0), run(1.0, outcome=Outcome.CRASH), run(0.1, alarm="too good")]
    assert numbers([*useless, run(1.5), run(1.7, "contended: 2 processes"), run(1.6)]) == [1.5, 1.6]
    assert numbers([*useless, run(1.7, "contended: 2 processes")]) == [1.7]
    assert numbers(useless) == []


def _by_integration(t: float, degrees: int, steps: int = 4000) -> float:
    """The same probability from the density, by Simpson's rule."""
    scale = math.gamma((degrees + 1) / 2) / (math.sqrt(degrees * math.pi) * math.gamma(degrees / 2))

    def density(x: float) -> float:
        return scale * (1 + x * x / degrees) ** (-(degrees + 1) / 2)

    width = t / steps
    inner = sum((4 if i % 2 else 2) * density(i * width) for i in range(1, steps))
    return 0.5 + (density(0.0) + inner + density(t)) * width / 3


@settings(deadline=None, max_examples=60)
@given(st.floats(-30.0, 30.0), DEGREES)
def test_students_t_is_the_integral_of_its_density(t: float, degrees: int) -> None:
    """The closed form agrees with numeric integration, for odd and even degrees of freedom."""
    assert student(t, degrees) == pytest.approx(_by_integration(t, degrees), abs=1e-7)


def test_students_t_at_its_ends() -> None:
    """It is 0 and 1 at the infinite ends, and the normal distribution for very many degrees of freedom."""
    assert (student(-math.inf, 3), student(math.inf, 3), student(0.0, 3)) == (0.0, 1.0, 0.5)
    assert student(1.5, 400) == pytest.approx(1 - above(1.5), abs=1e-3)
    assert student(1.5, 10**9) == pytest.approx(1 - above(1.5))


@settings(deadline=None)
@given(st.floats(1e-6, 0.5), DEGREES)
def test_what_is_exceeded_is_the_inverse(chance: float, degrees: int) -> None:
    """The bound that is exceeded with a chance is exceeded with that chance."""
    assert 1 - student(exceeded_by(chance, degrees), degrees) == pytest.approx(chance, rel=1e-6)


@settings(deadline=None)
@given(st.floats(0.1, 5.0), st.integers(1, 6), DEGREES)
def test_all_looks_together_are_fooled_no_oftener_than_one(k: float, looks: int, degrees: int) -> None:
    """The chances of all looks add up to that of one at k standard errors, and no look is easier than those after."""
    bars = [bar(k, look, looks, degrees) for look in range(1, looks + 1)]
    assert sum(1 - student(one, degrees) for one in bars) == pytest.approx(above(k), rel=1e-4, abs=1e-12)
    assert bars == sorted(bars, reverse=True)
    assert bar(k, 1, looks, degrees + 1) <= bars[0] + 1e-9


def test_the_standard_error_of_a_difference() -> None:
    """Two means of n and m runs: one run each is a square root of two, and many runs leave nothing."""
    assert standard_error(0.01, 1, 1) == pytest.approx(0.01 * math.sqrt(2))
    assert standard_error(0.01, 1, 3) == pytest.approx(0.01 * math.sqrt(4 / 3))
    assert standard_error(0.01, 10**8, 10**8) < 1e-5
