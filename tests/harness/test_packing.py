"""Packing gives the rows that a plain scan of the buffer gives."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.packing import Row, packed_rows


def plain_rows(lengths: list[int], row_len: int, buffer: int) -> Iterator[tuple[list[tuple[int, int]], int]]:
    """The rule as it is said: rows of (document, tokens taken), and the epoch of the last document read."""
    waiting: list[int] = []
    read = 0
    while True:
        row: list[tuple[int, int]] = []
        left = row_len
        while left > 0:
            while len(waiting) < buffer:
                waiting.append(read % len(lengths))
                read += 1
            fitting = [lengths[document] for document in waiting if lengths[document] <= left]
            wanted = max(fitting) if fitting else min(lengths[document] for document in waiting)
            place = next(i for i, document in enumerate(waiting) if lengths[document] == wanted)
            row.append((waiting.pop(place), min(wanted, left)))
            left -= row[-1][1]
        yield row, (read - 1) // len(lengths) + 1


def offsets_of(lengths: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def as_documents(row: Row, offsets: NDArray[np.int64]) -> list[tuple[int, int]]:
    starts = offsets.tolist()
    return [(starts.index(piece.start), piece.stop - piece.start) for piece in row.pieces]


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60),
    row_len=st.integers(1, 30),
    buffer=st.integers(1, 80),
)
def test_rows_equal_a_plain_scan(lengths: list[int], row_len: int, buffer: int) -> None:
    """Over at least three epochs, with splits below the buffer and documents above the row, no row differs."""
    offsets = offsets_of(lengths)
    plain = plain_rows(lengths, row_len, buffer)
    for row, (documents, epoch) in zip(packed_rows(offsets, row_len, buffer), plain, strict=False):
        assert (as_documents(row, offsets), row.epoch) == (documents, epoch)
        if epoch > buffer // len(lengths) + 3:
            break


@given(st.lists(st.integers(1, 400), min_size=1, max_size=50), st.integers(1, 300))
def test_a_row_is_exactly_full(lengths: list[int], row_len: int) -> None:
    """A row's pieces sum to its length, each begins a document, and only the last is cropped."""
    offsets = offsets_of(lengths)
    for row in islice(packed_rows(offsets, row_len), 50):
        documents = as_documents(row, offsets)
        assert sum(taken for _, taken in documents) == row_len
        assert all(taken == lengths[document] for document, taken in documents[:-1])
        assert documents[-1][1] <= lengths[documents[-1][0]]


def test_more_documents_than_are_read_at_a_time() -> None:
    """Reading the offsets in blocks loses no document and repeats none: single-token rows count 0, 1, 2, ..."""
    count = 20_000
    starts = [row.pieces[0].start for row in islice(packed_rows(np.arange(count + 1), 1, 1), 2 * count)]
    assert starts == [*range(count), *range(count)]


def test_the_largest_that_fits_is_taken_first() -> None:
    """Of documents of 3, 5, 5 and 4 tokens, a row of 9 takes the first of the two fives, then the four."""
    offsets = offsets_of([3, 5, 5, 4])
    assert as_documents(next(packed_rows(offsets, 9, 4)), offsets) == [(1, 5), (3, 4)]


@pytest.mark.parametrize(("lengths", "row_len", "buffer"), [([], 8, 8), ([3, 0, 2], 8, 8), ([3], 0, 8), ([3], 8, 0)])
def test_what_cannot_be_packed_is_refused(lengths: list[int], row_len: int, buffer: int) -> None:
    """No documents, an empty document, an empty row and an empty buffer are errors at the call, not endless loops."""
    with pytest.raises(ValueError, match=r"packing needs|a row of"):
        packed_rows(offsets_of(lengths), row_len, buffer)
