"""Packing: which pieces of which documents fill the next row of tokens.

Pure numbers, no tokens. The rule is the ecosystem's, so that its models see rows of the same kind: from a buffer of
documents take the FIRST of the largest that fit into what is left of the row; where none fits, the first of the
shortest, cropped to fill. The rest of a cropped document is dropped. A plain scan of the buffer for every piece
would be the slowest part of a small model's training; here documents of one length wait in one queue and the
lengths that are present are kept sorted, which gives the same rows.
"""

from bisect import bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Iterator
from itertools import chain, count
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.settings import PACKING_BUFFER

# Documents whose numbers are turned into Python's at a time: a corpus of any size needs little memory.
_STRIDE: Final = 8192


class Row(NamedTuple):
    """One row.

    Attributes:
        pieces: slices of the token array, in order, together exactly a row long; each is the beginning of a document.
        epoch: passes over the documents, counted from 1, by the last document that entered the buffer.
    """

    pieces: list[slice]
    epoch: int


def packed_rows(offsets: NDArray[np.int64], row_len: int, buffer: int = PACKING_BUFFER) -> Iterator[Row]:
    """Rows of `row_len` tokens without end, always the same ones.

    Args:
        offsets: (documents + 1,) where each document begins in the token array, and where the last one ends.
        row_len: tokens a row, T + 1 for a model that reads T.
        buffer: documents to choose among; it is refilled after every choice.

    Raises:
        ValueError: there is no document, or an empty one, or `row_len` or `buffer` is not positive.
    """
    if row_len < 1 or buffer < 1:
        raise ValueError(f"a row of {row_len} tokens from a buffer of {buffer} documents")
    if len(offsets) < 2 or not (offsets[1:] > offsets[:-1]).all():
        raise ValueError("packing needs documents, each of at least one token")
    return _pack(offsets, row_len, buffer)


def _pack(offsets: NDArray[np.int64], row_len: int, buffer: int) -> Iterator[Row]:
    epoch = 1

    def blocks() -> Iterator[Iterator[tuple[int, int]]]:
        nonlocal epoch
        for epoch in count(1):  # noqa: B007 -- read by the rows that are being packed
            for at in range(0, len(offsets) - 1, _STRIDE):
                edges = offsets[at : at + _STRIDE + 1]
                yield zip(edges[:-1].tolist(), np.diff(edges).tolist(), strict=True)

    documents = chain.from_iterable(blocks())
    waiting: defaultdict[int, deque[int]] = defaultdict(deque)  # length -> where such documents begin, oldest first
    present: list[int] = []  # the lengths that have one waiting, sorted
    room = buffer  # documents that the buffer lacks
    while True:
        pieces = []
        left = row_len
        while left > 0:
            while room:
                start, length = next(documents)
                queue = waiting[length]
                if not queue:
                    insort(present, length)
                queue.append(start)
                room -= 1
            at = bisect_right(present, left)
            at -= at > 0  # none fits: the shortest, which is cropped
            length = present[at]
            queue = waiting[length]
            start = queue.popleft()
            if not queue:
                del present[at]
            pieces.append(slice(start, start + min(length, left)))
            left -= length
            room = 1
        yield Row(pieces, epoch)
