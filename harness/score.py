"""The metric: cross-entropy of logits against targets, added up to bits per byte. Asks nobody for logits."""

import math
from typing import Any

import numpy as np
import torch

Array = np.ndarray[Any, Any]


class ScoreError(Exception):
    """The model gave no usable logits; the text says why."""


def losses(logits: torch.Tensor, targets: torch.Tensor) -> Array:
    """Cross-entropy in nats, (N, T) float64, of float32 logits (N, T, V) against int64 targets (N, T).

    It is computed where the logits are; the targets are brought there.
    """
    wanted = targets.flatten().to(logits.device)
    flat = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted, reduction="none")
    nats: Array = flat.view(targets.shape).double().cpu().numpy()
    return nats


class Score:
    """Adds up rows, each once, in whatever order they come: the same rows give the same number to the last bit."""

    def __init__(self, targets: Array, token_bytes: Array) -> None:
        """Everything that will be scored.

        Args:
            targets: (N, T) tokens.
            token_bytes: (V,), 0 for special tokens, which are left out of both sums.
        """
        self._sizes = token_bytes.astype(np.int64)[targets]
        self._nats = np.full(len(targets), np.nan)

    def add(self, rows: Array, nats: Array) -> None:
        """Take the losses (n, T) of the rows with these numbers (n,).

        Raises:
            ScoreError: a loss is NaN or infinite.
        """
        counted = self._sizes[rows] > 0
        lost = int((~np.isfinite(nats[counted])).sum())
        if lost:
            raise ScoreError(f"{lost} of {int(counted.sum())} losses in a batch are not finite")
        self._nats[rows] = np.where(counted, nats, 0.0).sum(axis=1)

    def bits_per_byte(self) -> float:
        """The sum of -log2 p over the sum of bytes; NaN while a row is missing.

        Raises:
            ScoreError: no target has bytes.
        """
        size = int(self._sizes.sum())
        if size == 0:
            raise ScoreError("no validation target has bytes")
        return float(self._nats.sum()) / (math.log(2) * size)
