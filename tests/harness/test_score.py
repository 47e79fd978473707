"""The scorer's arithmetic and the memory through which it is given logits."""

import itertools
import math
import mmap
import os
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.logits_memory import ChunkShape, chunk_shape, create, view
from harness.score import Score, ScoreError, losses
from harness.settings import EMBEDDED

Array = np.ndarray[Any, Any]
SIZES = np.array([0, 1, 2, 5], dtype=np.int32)


def score(rows: Array, table: torch.Tensor, order: list[Array]) -> float:
    """The score of a model whose logits depend on the token alone, given its rows in groups."""
    inputs, targets = torch.from_numpy(rows[:, :-1]), torch.from_numpy(rows[:, 1:])
    total = Score(rows[:, 1:], SIZES)
    for group in order:
        total.add(group, losses(table[inputs[group]], targets[group]))
    return total.bits_per_byte()


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=7),
    at_once=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_bits_per_byte_by_the_definition(rows: list[list[int]], at_once: int, seed: int) -> None:
    """However the rows are cut and ordered, it is the sum of -log2 p over that of bytes, without special targets."""
    table = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed))
    bits, size = 0.0, 0
    for row in rows:
        for token, target in itertools.pairwise(row):
            if SIZES[target]:
                p = math.exp(table[token, target]) / sum(math.exp(x) for x in table[token])
                bits -= math.log2(p)
                size += int(SIZES[target])
    mixed = np.random.default_rng(seed).permutation(len(rows))
    order = [mixed[at : at + at_once] for at in range(0, len(rows), at_once)]
    if size == 0:
        with pytest.raises(ScoreError, match="no validation target"):
            score(np.array(rows), table, order)
    else:
        assert score(np.array(rows), table, order) == pytest.approx(bits / size, rel=1e-5)
        assert score(np.array(rows), table, order) == score(np.array(rows), table, [np.arange(len(rows))])


def test_a_fair_guess_costs_what_it_must() -> None:
    """A model that knows nothing pays log2 of the vocabulary for every target that has bytes."""
    rows = np.array([[0, 1, 2, 3]])
    assert score(rows, torch.zeros(4, 4), [np.array([0])]) == pytest.approx(3 * 2 / 8)


def test_a_row_that_was_not_scored_makes_no_number() -> None:
    """Where a row is missing there is no score, rather than a lower one."""
    assert math.isnan(score(np.array([[0, 1], [1, 2]]), torch.zeros(4, 4), [np.array([0])]))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_give_no_score(bad: float) -> None:
    """NaN, infinity, or a target that was ruled out, is an error and never a number."""
    logits = torch.zeros(1, 2, 4)
    logits[0, 1, 3] = bad
    targets = np.array([[1, 3]])
    with pytest.raises(ScoreError, match="1 of 2 losses"):
        Score(targets, SIZES).add(np.array([0]), losses(logits, torch.from_numpy(targets)))


def test_the_memory_is_shared_and_cannot_be_cut() -> None:
    """Two views of one descriptor see the same numbers, and nobody can shrink or grow what is under them."""
    shape = ChunkShape(rows=2, sequence_len=3, vocab_size=5)
    fd = create(shape)
    try:
        tokens, logits = view(fd, shape)
        again_tokens, again_logits = view(fd, shape)
        tokens[1, 2] = 4
        logits[1, 2, 4] = 0.5
        assert (again_tokens[1, 2], again_logits[1, 2, 4]) == (4, 0.5)
        for size in (0, mmap.PAGESIZE * 4):
            with pytest.raises(PermissionError):
                os.ftruncate(fd, size)
    finally:
        os.close(fd)


def test_large_vocabularies_are_scored_in_smaller_chunks() -> None:
    """A chunk is the preset's batch, or as many rows as keep its logits within 256 MiB, but at least one."""
    assert chunk_shape(EMBEDDED).rows == EMBEDDED.eval_rows
    wide = type(EMBEDDED)(**{**vars(EMBEDDED), "sequence_len": 2048, "vocab_size": 8192})
    assert chunk_shape(wide).rows == 4
    huge = type(EMBEDDED)(**{**vars(EMBEDDED), "sequence_len": 8192, "vocab_size": 65536})
    assert chunk_shape(huge).rows == 1
