"""Whether a gain at one budget is there at a longer one: the numbers, and the sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.transfer import Gain, conclusion, gain_of

bpbs = st.lists(st.floats(0.5, 4.0), min_size=1, max_size=5)
SHORT = gain_of(20.0, [1.5, 1.502, 1.498], [1.45, 1.452, 1.448])


@given(baseline=bpbs, incumbent=bpbs)
def test_a_gain_read_backwards_is_a_loss(baseline: list[float], incumbent: list[float]) -> None:
    """Exchanging the two turns the gain's sign and the confidence around, and leaves its error."""
    one, other = gain_of(60.0, baseline, incumbent), gain_of(60.0, incumbent, baseline)
    assert one.gain is not None
    assert other.gain == pytest.approx(-one.gain)
    assert one.error == other.error
    if one.confidence is not None:
        assert other.confidence == pytest.approx(1 - one.confidence)


@given(baseline=bpbs, incumbent=bpbs)
def test_a_transfer_is_sure(baseline: list[float], incumbent: list[float]) -> None:
    """What is said to transfer is better with a confidence of more than two standard errors' worth."""
    long = gain_of(60.0, baseline, incumbent)
    if conclusion(SHORT, long, 2.0).startswith("The gain transfers"):
        assert long.confidence is not None
        assert long.confidence > 0.977


@pytest.mark.parametrize(
    ("baseline", "incumbent", "says"),
    [
        (
            [1.4, 1.402, 1.398],
            [1.375, 1.377, 1.373],
            "The gain transfers: at 60 s the incumbent is 0.025000 below the baseline, 50% of the 0.050000 at 20 s.",
        ),
        (
            [1.4, 1.402, 1.398],
            [1.425, 1.427, 1.423],
            "The gain does not transfer: at 60 s the incumbent is 0.025000 above the baseline.",
        ),
        (
            [1.4, 1.402, 1.398],
            [1.399, 1.403, 1.397],
            "The gain does not transfer in full: at 60 s it is 0.000333 below",
        ),
        ([1.4, 1.5, 1.3], [1.39, 1.5, 1.3], "Not decided: at 60 s it is 0.003333 below the baseline, where noise"),
        ([1.4], [1.3], "Too few runs to say: at 60 s it is 0.100000 below the baseline"),
        ([], [1.3], "Nothing can be said: the baseline gave no number at 60 s."),
        ([1.3], [], "Nothing can be said: the incumbent gave no number at 60 s."),
    ],
)
def test_the_sentence(baseline: list[float], incumbent: list[float], says: str) -> None:
    """One plain sentence, with the numbers that it rests on."""
    assert conclusion(SHORT, gain_of(60.0, baseline, incumbent), 2.0).startswith(says)


def test_a_sigma_from_elsewhere_stands_in_for_runs_that_are_too_few() -> None:
    """One run each is compared by the session's sigma; without one nothing is said of the noise."""
    assert gain_of(20.0, [1.5], [1.4], known=0.05).confidence == pytest.approx(0.9214, abs=1e-4)
    assert gain_of(20.0, [1.5], [1.4]) == Gain(20.0, [1.5], [1.4], 1.5 - 1.4)
