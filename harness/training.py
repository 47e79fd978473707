"""What a genome is given: the shape of the model that is asked for, and a run that hands out batches.

`train.py` defines

    build_model(spec: ModelSpec) -> torch.nn.Module     # forward(tokens (B, T) int64) -> logits (B, T, vocab)
    train(model: torch.nn.Module, run: TrainingRun) -> None

and nothing else of it is called. The harness seeds, moves the model to the device, ends the batches when the
budget is spent, saves the weights when `train` returns, and scores them in another process.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from harness.clock import Budget

Batch = tuple[torch.Tensor, torch.Tensor]

_REPORT_EVERY_S = 0.25


@dataclass(frozen=True)
class ModelSpec:
    """The model that is asked for: it reads rows of `sequence_len` tokens out of `vocab_size`."""

    vocab_size: int
    sequence_len: int


class TrainingRun:
    """One run, as the genome sees it.

    Attributes:
        spec: the model that was asked for.
        device: where the model is and the batches are put.
        seed: that the generators were seeded with.
        budget_s: seconds of training on the run's clock.
        steps: batches handed out so far.
        tokens: training tokens handed out so far.
    """

    def __init__(
        self,
        spec: ModelSpec,
        device: torch.device,
        seed: int,
        budget: Budget,
        *,
        now: Callable[[], float],
        open_batches: Callable[[int], Iterator[Batch]],
        report: Callable[[float, int], None],
    ) -> None:
        """Called by the harness.

        Args:
            spec: see the class.
            device: likewise.
            seed: likewise.
            budget: what is charged; its clock has begun.
            now: reads that clock, in seconds.
            open_batches: rows a batch -> endless batches, int64 (rows, T) inputs and targets on the device.
            report: told seconds spent and steps, a few times a second.
        """
        self.spec = spec
        self.device = device
        self.seed = seed
        self.budget_s = budget.seconds
        self.tokens = 0
        self._budget = budget
        self._now = now
        self._open_batches = open_batches
        self._report = report
        self._reported_at = 0.0

    @property
    def steps(self) -> int:
        """Batches handed out so far."""
        return self._budget.steps

    @property
    def progress(self) -> float:
        """How much of the budget was spent when the last batch was handed out, 0 to 1."""
        return min(1.0, self._budget.spent / self.budget_s)

    def batches(self, rows: int) -> Iterator[Batch]:
        """Batches of `rows` rows until the budget is spent: int64 inputs and targets, (rows, T) each, on the device.

        Called again, it goes on with the same budget, and with the data from its beginning.
        """
        if rows < 1:
            raise ValueError(f"a batch has at least one row, not {rows}")
        source = self._open_batches(rows)
        while self._budget.next_step(self._now()):
            if (wall := time.monotonic()) - self._reported_at >= _REPORT_EVERY_S:
                self._reported_at = wall
                self._report(self._budget.spent, self.steps)
            inputs, targets = next(source)
            self.tokens += inputs.numel()
            yield inputs, targets
