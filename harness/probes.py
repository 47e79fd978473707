"""Blind probes: which rows are asked twice, what is changed in the copy, and what must not have moved. Pure.

Two processes hold the model and cannot talk to each other. Each scores about half of the validation rows, in batches
of one shape. Some cells of a batch hold probes instead: copies of rows that the other process scores in the same
round, with every token from a cut on exchanged for text from elsewhere. In a batch of their own the copies have other
neighbours, and no process sees a row twice, so that none can replay what it said before. A model cannot tell copies
from rows (both are real text that was packed), one process from the other, or the round. A row keeps its slot in the
batch, so the same kernel computes both, and what may not move is normally equal to the last bit.

Two tests. A probe's logits before its cut may differ from the row's by `TOLERANCE` at most. And over all probes, the
change in loss at the last position before the cut must have no sign (`is_biased`), which sees nudges below that.

What gets through. A leak that is open at a share p of all positions is missed by n probes with probability
(1 - p)^n: of 56 cut probes half miss 1.2 %, one in a hundred misses 7.9 %; so p times the gain at such a position is
what a genome can hope to steal. Half of the cuts are drawn by surprise, in proportion to what a pair of tokens says
the next token costs, so that for leaks that open where most is to be gained p is their share of that cost instead.
The last position of a row has no later token, so nothing can leak there. Another evaluation draws other probes.

Measured in bits per byte, for the template after 20 s of training (1.88) and a leak that knows the next token perfectly
where it is open; it counts as seen if a cut lies right after an open position, over 400 drawn plans of the usual share.
Seen in 95 % of them is one that gains 0.098 at positions anywhere, 0.091 in whole rows, and 0.20 at the positions that
are the dearest to the model itself; seen in half, one that gains 0.023, 0.022 and 0.055. At a share of 1 (100 plans)
the former are 0.012, 0.007 and 0.027, and an evaluation takes 1.8 times as long: worth it before a number is kept.

What is honest and rejected all the same: rounding that depends on later tokens and is coarser than `TOLERANCE`, as of
a causal convolution through an FFT whose result is then rounded to bfloat16, and kernels that choose their order of
summation by the batch's content.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
import torch

Array = np.ndarray[Any, Any]

# Rows that are asked again, as a share of the rows that are scored.
SHARE: Final = 0.125

# How far a logit may move, in nats. Causal attention moves by 0, a causal convolution through an FFT by 6e-6 in fp32.
# A loss moves by twice as much at most, far below what a change of seed does to it.
TOLERANCE: Final = 1e-3

# That the sign of honest rounding is taken for a leak happens once in so many runs, at most.
_FALSE_ALARM: Final = 1e-7
# Nats a token; below it the sign of a change is worth nothing, and rounding may have one.
_NEGLIGIBLE: Final = 2e-5

# Of the probes, those that are copied whole: they look for rows that depend on other rows at every position.
_WHOLE: Final = 0.125

# Tokens that pairs are counted on, and that text is taken from.
_SAMPLE: Final = 1 << 20


class Cell(IntEnum):
    """What stands at one slot of one batch."""

    ROW = 0  # to be scored
    PROBE = 1  # of the row that the other process has at this slot
    FILLER = 2  # any row; its answer is dropped


@dataclass(frozen=True, eq=False)
class Round:
    """What both processes are asked at the same time.

    Attributes:
        rows: (2, slots) int64, by process and slot: which row is asked, whole or as a probe.
        cells: (2, slots) int8, values of `Cell`. Beside every probe the other process has its row.
    """

    rows: Array
    cells: Array


def plan(count: int, slots: int, rng: np.random.Generator, share: float = SHARE) -> list[Round]:
    """Rounds in which every one of `count` rows is scored once, at slot `row % slots`, and `share` are probed.

    Which rows are probed, by which process and when is drawn from `rng`. Where the rows are too few for `share`, more
    are probed, and each at least where a process would otherwise have nothing to do.

    Raises:
        ValueError: there are fewer rows than slots, or none.
    """
    if not 0 < slots <= count:
        raise ValueError(f"{count} rows in batches of {slots}")
    deepest = -(-count // slots)
    rounds = max(deepest // 2 + 1, int(deepest * (1 + share) / 2))
    rows = np.empty((rounds, 2, slots), np.int64)
    cells = np.empty((rounds, 2, slots), np.int8)
    for slot in range(slots):
        mine = rng.permutation(np.arange(slot, count, slots))
        order = rng.permutation(rounds)
        doubles = max(0, len(mine) - rounds)  # rounds in which both processes have a row to score
        for i, at in enumerate(order):
            if i >= len(mine):
                rows[at, :, slot] = rng.integers(count, size=2)
                cells[at, :, slot] = Cell.FILLER
            elif i < doubles:
                rows[at, :, slot] = mine[i], mine[rounds + i]
                cells[at, :, slot] = Cell.ROW
            else:
                rows[at, :, slot] = mine[i]
                cells[at, :, slot] = rng.permutation([Cell.ROW, Cell.PROBE])
    return [Round(*pair) for pair in zip(rows, cells, strict=True)]


class Splicer:
    """Makes the copies that are asked.

    What follows a cut is real text from another place of the rows: any place, or one where the same token stands
    before the cut, so that neither a model that hides from surprising text nor one that hides from the expected is
    safe.
    """

    def __init__(self, rows: Array, rng: np.random.Generator) -> None:
        """Count the pairs of tokens in `rows` (N, T + 1)."""
        self._rng = rng
        self._length = rows.shape[1] - 1
        # Without the last token, which no process is ever shown in its row.
        self._text = rows[: max(1, _SAMPLE // rows.shape[1]), :-1].reshape(-1).astype(np.int64)
        self._by_token = np.argsort(self._text, kind="stable")
        self._sorted = self._text[self._by_token]
        self._pairs, self._counts = np.unique(_pairs(self._text[:-1], self._text[1:]), return_counts=True)

    def splice(self, row: Array) -> tuple[Array, int]:
        """A copy of a row's inputs: from a row (T + 1,), its tokens (T,) and the cut, from which on they differ.

        The cut is at least 1, and T where the copy is whole.
        """
        tokens = row[:-1].astype(np.int64)
        if self._length < 2 or self._rng.random() < _WHOLE:
            return tokens, self._length
        cut = self._cut(tokens)
        alike = self._rng.random() < 0.5
        for attempt in range(8):
            at = self._place(int(tokens[cut - 1]), alike and attempt < 4)
            if self._text[at] != tokens[cut]:
                break
        else:
            return tokens, self._length  # hardly any text that differs: a text of one token
        places = np.arange(at, at + self._length - cut) % len(self._text)
        tokens[cut:] = self._text[places]
        return tokens, cut

    def _cut(self, tokens: Array) -> int:
        """Where to cut: anywhere, or where the next token is dear."""
        if self._rng.random() < 0.5:
            return int(self._rng.integers(1, self._length))
        cost = self._surprise(tokens)
        return 1 + int(self._rng.choice(len(cost), p=cost / cost.sum()))

    def _surprise(self, tokens: Array) -> Array:
        """What each token but the first costs after the one before, in nats and always a little; (T - 1,)."""
        before, after = tokens[:-1], tokens[1:]
        pairs = _pairs(before, after)
        at = np.searchsorted(self._pairs, pairs).clip(max=len(self._pairs) - 1)
        both = np.where(self._pairs[at] == pairs, self._counts[at], 0)
        alone = np.searchsorted(self._sorted, before, "right") - np.searchsorted(self._sorted, before, "left")
        cost: Array = np.log((alone + 1) / (both + 0.1)).clip(min=0.01)
        return cost

    def _place(self, before: int, alike: bool) -> int:
        """A place in the text: any, or one that follows the token `before`."""
        low, high = np.searchsorted(self._sorted, [before, before + 1])
        if alike and high > low:
            return (int(self._by_token[self._rng.integers(low, high)]) + 1) % len(self._text)
        return int(self._rng.integers(len(self._text)))


def _pairs(before: Array, after: Array) -> Array:
    """One number for each pair of tokens."""
    pairs: Array = before << 32 | after
    return pairs


def movement(row: torch.Tensor, probe: torch.Tensor) -> float:
    """The largest difference between two answers of the same shape; equal infinities are no difference, NaN is one."""
    if torch.equal(row, probe):
        return 0.0
    moved = (row - probe).abs()
    moved[row == probe] = 0.0
    return float(torch.nan_to_num(moved, nan=torch.inf, posinf=torch.inf).max())


def evidence(gains: Sequence[float]) -> float:
    """How one-sided changes of the loss are: their sum over the root of the sum of their squares, 0 if all are 0."""
    size = float(np.sqrt(np.square(gains).sum()))
    return float(np.sum(gains)) / size if size else 0.0


def is_biased(gains: Sequence[float]) -> bool:
    """Whether losses rise systematically where later tokens are exchanged: below `TOLERANCE`, but worth something.

    Args:
        gains: one for each probe that was cut: the loss of the row's own next token at the last position before the
            cut, in the copy less in the row, in nats.

    Rounding knows nothing of the next token: its d_1, ..., d_n are independent and as likely up as down. For such, of
    whatever sizes, the evidence S = sum d / sqrt(sum d^2) obeys P(S >= t) <= exp(-t^2 / 2) (Hoeffding, given the
    |d_i|). t = sqrt(2 ln(1 / 1e-7)) = 5.68, so an honest run is suspected at most once in ten million; 33 probes at
    least are needed to suspect anything. Of 56 cut probes a nudge must be at work in about 60 %, whatever its size;
    a mean below 2e-5 nats is let go.
    """
    mean = float(np.mean(gains)) if gains else 0.0
    return mean > _NEGLIGIBLE and evidence(gains) >= float(np.sqrt(2 * np.log(1 / _FALSE_ALARM)))
