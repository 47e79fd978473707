"""Batches on their way to a CUDA device while the model computes on the one before. The CPU's path does not use it.

While batch n is computed on, n + 1 is copied on a stream of its own and n + 2 is packed by a thread. The thread makes
no call to CUDA, because such a call, from whichever thread, would break a graph that the genome captures meanwhile.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import torch


class Copy(Protocol):
    """A copy that was begun."""

    def wait(self) -> None:
        """Wait until what it is copied from may change."""

    def take(self) -> torch.Tensor:
        """The copy, whole for all that the caller computes from now on."""


class Lane(Protocol):
    """The way of batches to a device."""

    def buffer(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Memory to copy from, int64."""

    def copy(self, buffer: torch.Tensor) -> Copy:
        """Begin to copy."""


class CudaCopy:
    """A copy on a stream, in memory of that stream's."""

    def __init__(self, buffer: torch.Tensor, device: torch.device, stream: torch.cuda.Stream) -> None:
        """Queue it."""
        self._device = device
        with torch.cuda.stream(stream):
            self._copy = buffer.to(device, non_blocking=True)
            self._done = stream.record_event()

    def wait(self) -> None:
        """Wait for the copy's end."""
        self._done.synchronize()

    def take(self) -> torch.Tensor:
        """Have the current stream wait, and the memory kept until that stream is past its last use."""
        current = torch.cuda.current_stream(self._device)
        current.wait_event(self._done)
        self._copy.record_stream(current)
        return self._copy


class CudaLane:
    """A stream beside the one that the model computes on, and pinned memory, from which a copy can overlap."""

    def __init__(self, device: torch.device) -> None:
        """Make the stream."""
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def buffer(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Page-locked memory."""
        return torch.empty(shape, dtype=torch.int64, pin_memory=True)

    def copy(self, buffer: torch.Tensor) -> CudaCopy:
        """Queue a copy on the stream."""
        return CudaCopy(buffer, self._device, self._stream)


def prefetched(fill: Callable[[torch.Tensor], None], shape: tuple[int, ...], lane: Lane) -> Iterator[torch.Tensor]:
    """What `fill` writes, one after the other without end, on the device; each is the caller's.

    Args:
        fill: writes the next batch into a buffer of `shape`. It is called in one thread that is not the caller's, ahead
            of what is handed out by two at the most; what it raises is raised here.
        shape: of a batch, int64.
        lane: the way to the device.
    """
    # One is filled while the other is copied from.
    filling, other = lane.buffer(shape), lane.buffer(shape)
    with ThreadPoolExecutor(1, "batches") as packer:
        packer.submit(fill, filling).result()
        copy = lane.copy(filling)
        filled = packer.submit(fill, other)
        while True:
            filling, other = other, filling
            filled.result()
            following = lane.copy(filling)
            copy.wait()  # out of the other buffer; it was begun a whole batch ago
            filled = packer.submit(fill, other)
            yield copy.take()
            copy = following
