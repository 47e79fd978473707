from hypothesis import given
from hypothesis import strategies as st

from harness.effort import Effort, belated, slower_than_training
from harness.settings import EMBEDDED, PRESETS, REFERENCE, Preset

seconds = st.floats(0.0, 1e3)
presets = st.sampled_from(list(PRESETS.values()))


@given(seconds, st.integers(0, 1000), presets)
def test_a_first_round_like_the_others_is_no_training(answering_s: float, rounds: int, preset: Preset) -> None:
    """However slow a model is: one that is ready within what is allowed, and answers as slowly at first as later."""
    usual = answering_s / rounds if rounds else 0.0
    assert belated(Effort(preset.ready_s + usual, answering_s, rounds, rounds), preset) == ""


@given(st.floats(0.1, 1e3), st.floats(0.0, 10.0), presets)
def test_time_before_the_first_answer_is_told(trained_s: float, answering_s: float, preset: Preset) -> None:
    """What is more than the allowance and a slow first round is rejected, and the reason says how long it was."""
    first = preset.ready_s + 5 * answering_s / 10 + trained_s
    assert f"{first:.1f} s before its first answers" in belated(Effort(first, answering_s, 10, 10), preset)


def test_compiling_is_allowed_on_a_gpu_alone() -> None:
    """What a GPU's kernels need at first would be training on a CPU."""
    effort = Effort(20.0, 1.0, 10, 10)
    assert not belated(effort, REFERENCE)
    assert belated(effort, EMBEDDED)


def test_a_model_that_answers_more_slowly_than_it_trained_is_looked_at() -> None:
    """Learning in each round is seen by its speed, where that of training is known and enough was asked."""
    slow = Effort(0.1, 10.0, 100, 100_000)
    assert "10000 tokens a second, fewer than the 50000" in slower_than_training(slow, 1_000_000, 20.0)
    assert slower_than_training(slow, 0, 0.0) == ""
    assert slower_than_training(Effort(0.1, 10.0, 100, 1_500_000), 1_000_000, 20.0) == ""
    assert slower_than_training(Effort(0.1, 0.5, 10, 100), 1_000_000, 20.0) == ""
