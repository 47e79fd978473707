"""Batches that are packed and copied ahead, on a lane whose copies come as late as a device's may."""

import threading
from collections.abc import Callable
from itertools import count, islice

import pytest
import torch

from harness.prefetch import prefetched

SHAPE = (2, 3)


class LazyCopy:
    """Reads its buffer when it must, at the last moment that is allowed: a buffer that changed before shows."""

    def __init__(self, buffer: torch.Tensor, log: list[str]) -> None:
        self._buffer = buffer
        self._copy: torch.Tensor | None = None
        self._log = log

    def wait(self) -> None:
        if self._copy is None:
            self._copy = self._buffer.clone()

    def take(self) -> torch.Tensor:
        self._log.append("take")
        self.wait()
        assert self._copy is not None
        return self._copy


class LazyLane:
    def __init__(self) -> None:
        self.log: list[str] = []

    def buffer(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.full(shape, -1, dtype=torch.int64)

    def copy(self, buffer: torch.Tensor) -> LazyCopy:
        self.log.append("copy")
        return LazyCopy(buffer, self.log)


def counting() -> Callable[[torch.Tensor], None]:
    numbers = count()

    def fill(buffer: torch.Tensor) -> None:
        buffer.fill_(next(numbers))

    return fill


def test_every_batch_comes_whole_and_in_order() -> None:
    """However late the copies are read, each batch is the next one, and stays what it is."""
    batches = list(islice(prefetched(counting(), SHAPE, LazyLane()), 50))
    assert all(torch.equal(batch, torch.full(SHAPE, n)) for n, batch in enumerate(batches))


def test_each_is_the_callers() -> None:
    """A batch that is overwritten by its holder changes no other."""
    for n, batch in enumerate(islice(prefetched(counting(), SHAPE, LazyLane()), 10)):
        assert batch[0, 0] == n
        batch.zero_()


def test_the_next_copy_has_begun_when_one_is_handed_out() -> None:
    """When the caller gets a batch, the copy of the next has begun, and no further one."""
    lane = LazyLane()
    batches = prefetched(counting(), SHAPE, lane)
    for n in range(1, 6):
        next(batches)
        assert (lane.log.count("take"), lane.log.count("copy")) == (n, n + 1)
    batches.close()


def test_the_one_after_is_packed_meanwhile() -> None:
    """While the caller holds a batch, another thread packs the next but one: the caller need not ask for it."""
    packed = [threading.Event() for _ in range(4)]
    threads = set()

    def fill(_buffer: torch.Tensor) -> None:
        threads.add(threading.get_ident())
        next(event for event in packed if not event.is_set()).set()

    batches = prefetched(fill, SHAPE, LazyLane())
    next(batches)
    assert packed[2].wait(timeout=60)
    assert not packed[3].is_set()
    batches.close()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_what_packing_raises_reaches_the_caller() -> None:
    """An error in the packing thread is raised where the batch is asked for."""
    left = [None, None, None]

    def fill(_buffer: torch.Tensor) -> None:
        if not left:
            raise OSError("the token file is gone")
        left.pop()

    batches = prefetched(fill, SHAPE, LazyLane())
    next(batches)
    with pytest.raises(OSError, match="the token file is gone"):
        list(islice(batches, 5))


def test_no_thread_outlives_its_reader() -> None:
    """Whoever stops in the middle leaves no thread behind."""
    before = threading.active_count()
    batches = prefetched(counting(), SHAPE, LazyLane())
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()
    assert threading.active_count() == before
