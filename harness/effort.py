"""What a model does before it answers, and how fast it answers: whether it goes on training while it is scored. Pure.

Its weights may carry training text, and both of its processes may learn from that alike, unseen by any probe. But it
takes time, and an honest model needs hardly any before its first answer.

What gets through: learning that is no longer than the preset's `ready_s`, and as much as fits between the speed of an
honest answer and that of training, which is about a third of it.
"""

from dataclasses import dataclass
from typing import Final

from harness.settings import Preset

# How much longer a first round may take than the others, besides what is always allowed: memory comes for the first
# time, and kernels are chosen.
_FIRST_ROUND: Final = 5.0
# Shorter than this, the speed of answers says nothing.
_LEAST_S: Final = 1.0


@dataclass(frozen=True)
class Effort:
    """What one of the model's processes has used, in seconds on the run's clock.

    Attributes:
        ready_s: from being told to load the model to the end of the first round.
        answering_s: in all rounds after that.
        rounds: how many those were.
        tokens: that it was asked in them.
    """

    ready_s: float
    answering_s: float
    rounds: int
    tokens: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.ready_s + self.answering_s


def belated(effort: Effort, preset: Preset) -> str:
    """Why a model is rejected that works before it answers; empty where it does not.

    Args:
        effort: of one process.
        preset: says how long getting ready may take.
    """
    usual = effort.answering_s / effort.rounds if effort.rounds else 0.0
    if effort.ready_s <= preset.ready_s + _FIRST_ROUND * usual:
        return ""
    return (
        f"works on while it is scored: {effort.ready_s:.1f} s before its first answers, {usual:.2f} s for others; "
        "a model is trained in train() alone"
    )


def slower_than_training(effort: Effort, trained_tokens: int, trained_s: float) -> str:
    """Why a person should look at a model that answers more slowly than it trained; empty where it does not.

    Training computes the same answers and more, so an honest model is about three times as fast.

    Args:
        effort: of one process.
        trained_tokens: that training was given; 0: not known.
        trained_s: seconds that it took, on the same clock.
    """
    if effort.answering_s < _LEAST_S or trained_tokens <= 0 or trained_s <= 0:
        return ""
    answered, trained = effort.tokens / effort.answering_s, trained_tokens / trained_s
    if answered >= trained:
        return ""
    return f"it answers {answered:.0f} tokens a second, fewer than the {trained:.0f} it was trained on: does it learn?"
