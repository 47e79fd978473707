"""Batches: packed rows of a corpus as tensors for training, and as an array for the scorer."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from harness.corpus import Corpus
from harness.documents import TokenDocuments
from harness.manifest import TRAIN, VAL
from harness.packing import Row, packed_rows
from harness.prefetch import CudaLane, prefetched


def token_rows(documents: TokenDocuments, rows: int, row_len: int) -> Iterator[NDArray[np.uint16]]:
    """Blocks of packed rows without end, each (rows, row_len) uint16 and read-only; every row begins with BOS.

    Raises:
        ValueError: `rows` or `row_len` is not positive, or there is no document.
    """
    if rows < 1:
        raise ValueError(f"a batch of {rows} rows")
    return _blocks(packed_rows(documents.offsets, row_len), documents.tokens.data, (rows, row_len))


def _blocks(packed: Iterator[Row], tokens: memoryview, shape: tuple[int, int]) -> Iterator[NDArray[np.uint16]]:
    # Joining slices of a memoryview is several times faster than copying numpy slices.
    while True:
        pieces = [tokens[piece] for row in islice(packed, shape[0]) for piece in row.pieces]
        yield np.frombuffer(b"".join(pieces), "<u2").reshape(shape)


def training_batches(
    corpus: Corpus, rows: int, sequence_len: int, device: str
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Inputs and targets without end, the same for every caller, each (rows, sequence_len) int64 on `device`.

    `targets[i, j]` is the token that follows `inputs[i, j]`. Both are contiguous and the caller's to change. On a
    CUDA device they are for the stream that is current when they are handed out; the next ones are under way by then.

    Raises:
        CorpusError: the corpus was opened without its training split.
        ValueError: `rows` or `sequence_len` is not positive.
    """
    if sequence_len < 1:
        raise ValueError(f"rows of {sequence_len} tokens")
    blocks = token_rows(corpus.documents(TRAIN), rows, sequence_len + 1)
    return _tensors(blocks, (2, rows, sequence_len), torch.device(device))


def _tensors(
    blocks: Iterator[NDArray[np.uint16]], shape: tuple[int, int, int], device: torch.device
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    def fill(both: torch.Tensor) -> None:
        block, array = next(blocks), both.numpy()
        array[0] = block[:, :-1]
        array[1] = block[:, 1:]

    if device.type == "cuda":
        for inputs, targets in prefetched(fill, shape, CudaLane(device)):
            yield inputs, targets
        return
    while True:
        both = torch.empty(shape, dtype=torch.int64)
        fill(both)
        inputs, targets = both.to(device)
        yield inputs, targets


def validation_rows(corpus: Corpus, count: int, sequence_len: int) -> NDArray[np.uint16]:
    """The first `count` packed rows of the validation split, (count, sequence_len + 1) uint16; always the same ones.

    Raises:
        CorpusError: the corpus was opened without its validation split.
        ValueError: `count` or `sequence_len` is not positive.
    """
    if sequence_len < 1:
        raise ValueError(f"rows of {sequence_len} tokens")
    return next(token_rows(corpus.documents(VAL), count, sequence_len + 1))
