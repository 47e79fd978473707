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

from harness.evaluate import ScoreError, bits_per_byte, nats_and_bytes
from harness.logits_memory import ChunkShape, chunk_shape, create, view
from harness.settings import EMBEDDED

Array = np.ndarray[Any, Any]
SIZES = np.array([0, 1, 2, 5], dtype=np.int32)


def by_table(table: torch.Tensor) -> Any:
    """A model whose logits depend on the token alone."""
    return lambda tokens: table[torch.from_numpy(tokens)]


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=7),
    at_once=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_bits_per_byte_by_the_definition(rows: list[list[int]], at_once: int, seed: int) -> None:
    """However the rows are cut, it is the sum of -log2 p over the sum of bytes, special targets left out."""
    table = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed))
    bits, size = 0.0, 0
    for row in rows:
        for token, target in itertools.pairwise(row):
            if SIZES[target]:
                p = math.exp(table[token, target]) / sum(math.exp(x) for x in table[token])
                bits -= math.log2(p)
                size += int(SIZES[target])
    if size == 0:
        with pytest.raises(ScoreError, match="no validation target"):
            bits_per_byte(np.array(rows), SIZES, by_table(table), at_once)
    else:
        assert bits_per_byte(np.array(rows), SIZES, by_table(table), at_once) == pytest.approx(bits / size, rel=1e-5)


def test_a_fair_guess_costs_what_it_must() -> None:
    """A model that knows nothing pays log2 of the vocabulary for every target that has bytes."""
    rows = np.array([[0, 1, 2, 3]])
    assert bits_per_byte(rows, SIZES, by_table(torch.zeros(4, 4)), 1) == pytest.approx(3 * 2 / 8)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_give_no_score(bad: float) -> None:
    """NaN, infinity, or a target that was ruled out, is an error and never a number."""
    logits = torch.zeros(1, 2, 4)
    logits[0, 1, 3] = bad
    with pytest.raises(ScoreError, match="1 of 2 losses"):
        nats_and_bytes(logits, torch.tensor([[1, 3]]), torch.from_numpy(SIZES.astype(np.int64)))


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
