"""What is charged to a run: pure arithmetic on clock readings."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import Budget, clock_kind, reader
from harness.settings import EMBEDDED

PRESET = replace(EMBEDDED, warmup_steps=2, warmup_s=10.0)
GAPS = st.lists(st.floats(0.0, 30.0), min_size=1, max_size=40)


@settings(deadline=None)
@given(gaps=GAPS, seconds=st.floats(0.1, 100.0), steps=st.integers(0, 5), allowance=st.floats(0.0, 20.0))
def test_only_the_warm_up_is_free(gaps: list[float], seconds: float, steps: int, allowance: float) -> None:
    """What is spent is the time since the beginning, less the warm-up steps, less at most the allowance."""
    budget = Budget(seconds, replace(PRESET, warmup_steps=steps, warmup_s=allowance), began=5.0)
    now, free, handed_out = 5.0, 0.0, 0
    for gap in gaps:
        now += gap
        if handed_out <= steps:
            free = min(now - 5.0, allowance)
        more = budget.next_step(now)
        assert budget.spent == pytest.approx(now - 5.0 - free, abs=1e-6)
        assert more == (budget.spent < seconds)
        handed_out += more
        assert budget.steps == handed_out


@settings(deadline=None)
@given(gaps=GAPS)
def test_a_spent_budget_stays_spent(gaps: list[float]) -> None:
    """Once no batch was handed out, none is again, however often one asks."""
    budget = Budget(20.0, PRESET, began=0.0)
    now, ended = 0.0, False
    for gap in [*gaps, 100.0, 0.0, 0.0]:
        now += gap
        more = budget.next_step(now)
        assert not (ended and more)
        ended = not more
    assert ended


def test_a_run_may_overrun_by_a_tenth_and_a_second() -> None:
    """The last step, and what comes after it, may take that long."""
    budget = Budget(20.0, replace(PRESET, warmup_steps=0, warmup_s=0.0), began=0.0)
    assert budget.overrun(22.9) < 0 < budget.overrun(23.1)


def test_the_clock_follows_the_device() -> None:
    """CPU seconds where the work is on the CPU; on a GPU the wall's, read after its queue is empty."""
    waited: list[bool] = []
    assert clock_kind("cpu") == "cpu"
    assert clock_kind("cuda") == "wall"
    reader("cpu", lambda: waited.append(True))()
    assert not waited
    reader("wall", lambda: waited.append(True))()
    assert waited
