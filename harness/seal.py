"""Seals: a file's size and SHA-256, taken once and checked before the file is believed again.

A file is checked through the same mapping that is handed to the caller, so that replacing it between the check
and its use changes nothing. This module does not know what the files mean.
"""

import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path

from harness.result import Record


class SealError(Exception):
    """A file is not the one that was sealed; the text names it and says what is different."""


@dataclass(frozen=True)
class Seal(Record):
    """What a file was: its size in bytes and its SHA-256, in hexadecimal."""

    size: int
    sha256: str


def seal_of(data: bytes | memoryview) -> Seal:
    """The seal of bytes in memory."""
    return Seal(len(data), hashlib.sha256(data).hexdigest())


def seal_file(path: Path) -> Seal:
    """The seal of a file as it is now.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Seal(stream.tell(), digest)


def map_sealed(path: Path, seal: Seal) -> memoryview:
    """A file's bytes, mapped read-only, after a check that they are the ones that were sealed.

    Raises:
        SealError: it is missing, cannot be read, or is another file.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            if size != seal.size:
                raise SealError(f"{path} changed since it was prepared: {size:,} bytes instead of {seal.size:,}")
            # An empty file cannot be mapped.
            data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b"")
    except FileNotFoundError:
        raise SealError(f"{path} is missing") from None
    except OSError as error:
        raise SealError(f"{path} cannot be read: {error.strerror}") from None
    if seal_of(data) != seal:
        raise SealError(f"{path} changed since it was prepared: its SHA-256 differs")
    return data
