"""Logits that stay on the GPU: memory of the scorer's that one model's process may write to, too, through CUDA IPC.

A batch of the reference preset's logits is 256 MiB: through the machine's memory and back they would cost more than
computing them. What is passed is what torch's own multiprocessing passes, as text instead of a pickle. It takes the
driver's consent, which containers and namespaces may withhold: then the model's process says so, and
`harness.logits_memory` serves. Who may read when is agreed over pipes, elsewhere. It was never run on a GPU.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch.multiprocessing.reductions import rebuild_cuda_tensor

from harness.logits_memory import ChunkShape
from harness.result import Record

# CUDA shares whole allocations. torch gives a tensor one of its own where it is at least 10 MiB and a multiple of 2 MiB
# (kMinLargeAlloc and kRoundLarge in c10/cuda/CUDAAllocatorConfig.h): nothing else of the scorer's may lie beside it.
_ALONE_FROM: Final = 10 << 20
_MULTIPLE: Final = 2 << 20


@dataclass(frozen=True)
class DeviceHandle(Record):
    """Where the memory lies, for a process that is given it.

    Attributes:
        device: CUDA's number.
        memory, counter, event: what CUDA and torch call handles, hexadecimal.
        size, offset, counter_offset: bytes.
        waits: whether the one who opens it must wait for `event`.
    """

    device: int
    memory: str
    size: int
    offset: int
    counter: str
    counter_offset: int
    event: str
    waits: bool


def allocation_bytes(shape: ChunkShape) -> int:
    """How much is allocated for a chunk's logits, so that they lie alone."""
    return max(_ALONE_FROM, -(-shape.logit_bytes // _MULTIPLE) * _MULTIPLE)


def create(shape: ChunkShape, device: torch.device) -> torch.Tensor:
    """Memory for a chunk's logits, (rows, T, V) float32, in an allocation of its own.

    Raises:
        RuntimeError: there is no such device, or not enough memory on it.
    """
    return _as_logits(torch.empty(allocation_bytes(shape), dtype=torch.uint8, device=device), shape)


def share(logits: torch.Tensor) -> DeviceHandle:
    """What another process needs to write to memory that `create` made; it must live as long as that process does.

    Raises:
        RuntimeError: it cannot be shared.
    """
    shared = logits.untyped_storage()._share_cuda_()  # type: ignore[no-untyped-call]  # torch's own, without types
    device, memory, size, offset, counter, counter_offset, event, waits = shared
    return DeviceHandle(device, memory.hex(), size, offset, counter.hex(), counter_offset, event.hex(), bool(waits))


def opened(handle: DeviceHandle, shape: ChunkShape) -> torch.Tensor:
    """The same memory in another process.

    Raises:
        RuntimeError, AssertionError: the driver does not allow it, or there is none.
        ValueError: the handle is none.
    """
    flat = rebuild_cuda_tensor(  # type: ignore[no-untyped-call]  # likewise
        torch.Tensor,
        torch.Size([handle.size]),
        (1,),
        0,
        torch.UntypedStorage,
        torch.uint8,
        handle.device,
        bytes.fromhex(handle.memory),
        handle.size,
        handle.offset,
        False,
        bytes.fromhex(handle.counter),
        handle.counter_offset,
        bytes.fromhex(handle.event),
        handle.waits,
    )
    return _as_logits(flat, shape)


def _as_logits(flat: torch.Tensor, shape: ChunkShape) -> torch.Tensor:
    return flat[: shape.logit_bytes].view(torch.float32).view(shape.rows, shape.sequence_len, shape.vocab_size)
