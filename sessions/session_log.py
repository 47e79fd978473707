"""Reads the agents' own session logs: finds them, and gives their lines as they grow. What they mean is not known here.

The logs are others' files. They are never written, and nothing about one is an error: it may be absent, cut short,
replaced, full of garbage, or grow faster than it is read. One call reads `CHUNK` bytes at most.
"""

import contextlib
import fnmatch
import glob
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from harness.result import Record

CHUNK: Final = 1 << 19
"""Bytes that one call reads at most, and of the longest line that is looked at."""

_MOST_FILES: Final = 1000
_HEAD: Final = 1024


def find_logs(patterns: Iterable[str], since: float) -> list[Path]:
    """The files that fit a pattern, at most 1000, without those last written before `since`.

    A directory in which nothing was begun since then is not looked into. A pattern whose last part names one file is
    that file, whatever its age.

    Args:
        patterns: absolute, for `glob`.
        since: seconds since the epoch.
    """
    found: list[Path] = []
    for pattern in patterns:
        parent, _, name = pattern.rpartition("/")
        for directory in map(Path, glob.iglob(parent or "/")):  # noqa: PTH207  an absolute pattern
            with contextlib.suppress(OSError):
                if not glob.has_magic(name):
                    found.append(directory / name)
                elif directory.stat().st_mtime >= since:
                    found += _written_since(directory, name, since)
            if len(found) >= _MOST_FILES:
                return found[:_MOST_FILES]
    return found


def _written_since(directory: Path, name: str, since: float) -> list[Path]:
    with os.scandir(directory) as entries:
        fitting = (one for one in entries if fnmatch.fnmatchcase(one.name, name))
        return [Path(one.path) for one in fitting if one.stat().st_mtime >= since]


@dataclass(frozen=True)
class Place(Record):
    """How far a log was read.

    Attributes:
        offset: in bytes; a line begins there.
        skipping: the line there is longer than is read; the next one counts again.
        head_bytes, head: how many of the file's first bytes, and their SHA-256, say whether it is still that file.
    """

    offset: int = 0
    skipping: bool = False
    head_bytes: int = 0
    head: str = ""


class LogFile:
    """A log whose lines are read as they come.

    Attributes:
        place: how far it was read.
        read: bytes that the last call read.
    """

    def __init__(self, path: Path, place: Place | None = None) -> None:
        self.path = path
        self.place = place or Place()
        self.read = 0
        self._seen: tuple[int, ...] = ()

    def lines(self) -> list[bytes]:
        """The whole lines that have come since the last call; at rest this costs a stat."""
        self.read = 0
        try:
            status = self.path.stat()
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                return []
            chunk = self._read()
        except (OSError, ValueError):  # the latter: a path that cannot be one
            return []
        self.read = len(chunk)
        self._seen = () if self.read == CHUNK else seen
        return self._cut(chunk)

    def _read(self) -> bytes:
        """What lies at the place, which is put right first."""
        # A FIFO in the log's place must not hold us up.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return b""
            place = self.place
            if _digest(os.pread(descriptor, place.head_bytes, 0)) != place.head and place.head_bytes:
                place = Place()  # another file, or written anew
            elif status.st_size < place.offset:
                place = replace(place, offset=status.st_size, skipping=False)  # cut short: go on at its end
            chunk = os.pread(descriptor, CHUNK, place.offset)
            if place.head_bytes < _HEAD and chunk:
                head = os.pread(descriptor, min(_HEAD, place.offset + len(chunk)), 0)
                place = replace(place, head_bytes=len(head), head=_digest(head))
            self.place = place
            return chunk
        finally:
            os.close(descriptor)

    def _cut(self, chunk: bytes) -> list[bytes]:
        """The whole lines of a chunk; the place moves behind the last of them."""
        place, start = self.place, 0
        if place.skipping:
            start = chunk.find(b"\n") + 1
            if not start:
                self.place = replace(place, offset=place.offset + len(chunk))
                return []
        end = chunk.rfind(b"\n", start) + 1
        skipping = end <= start and start == 0 and len(chunk) == CHUNK
        self.place = replace(
            place, offset=place.offset + (len(chunk) if skipping else max(start, end)), skipping=skipping
        )
        return chunk[start : end - 1].split(b"\n") if end > start else []


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
