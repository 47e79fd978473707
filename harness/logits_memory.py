"""The memory that the scorer and the model's process share: token rows one way, their logits the other.

An anonymous file, passed as a descriptor. Its size is sealed, so that neither side can make the other's reads fail.
Who may read when is agreed over pipes, elsewhere.
"""

import fcntl
import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.settings import Preset

if TYPE_CHECKING:
    import numpy as np

# Bounds the copies that are made of a chunk of logits.
_CHUNK_BYTES: Final = 1 << 28


@dataclass(frozen=True)
class ChunkShape:
    """A chunk of rows: int64 tokens (rows, sequence_len) and float32 logits (rows, sequence_len, vocab_size)."""

    rows: int
    sequence_len: int
    vocab_size: int

    @property
    def token_bytes(self) -> int:
        """Size of the tokens."""
        return self.rows * self.sequence_len * 8

    @property
    def logit_bytes(self) -> int:
        """Size of the logits."""
        return self.rows * self.sequence_len * self.vocab_size * 4


def chunk_shape(preset: Preset) -> ChunkShape:
    """The chunks that a preset is evaluated in: its rows a batch, or fewer where their logits would be too large."""
    row_bytes = preset.sequence_len * preset.vocab_size * 4
    return ChunkShape(max(1, min(preset.eval_rows, _CHUNK_BYTES // row_bytes)), preset.sequence_len, preset.vocab_size)


def create(shape: ChunkShape) -> int:
    """Make the memory; returns its descriptor, which is not inherited unless passed on."""
    fd = os.memfd_create("harness-logits", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, shape.token_bytes + shape.logit_bytes)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(fd)
        raise
    return fd


def view(fd: int, shape: ChunkShape) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """The memory as two arrays: tokens, logits. Writing to them is seen by the other side."""
    import numpy as np

    memory = mmap.mmap(fd, shape.token_bytes + shape.logit_bytes)
    tokens: np.ndarray[Any, Any] = np.frombuffer(memory, np.int64, shape.rows * shape.sequence_len)
    logits: np.ndarray[Any, Any] = np.frombuffer(memory, np.float32, offset=shape.token_bytes)
    return (
        tokens.reshape(shape.rows, shape.sequence_len),
        logits.reshape(shape.rows, shape.sequence_len, shape.vocab_size),
    )
