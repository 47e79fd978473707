"""What a run has written: the room that a directory takes on its disk. It deletes nothing and judges nothing.

Room is what the disk gives away, not what files say of their length: many small files count, holes do not. A file that
was deleted and is still open counts where the kernel shows it.
"""

import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

_BLOCK: Final = 512
# Of an entry, however small: a name and an inode.
_LEAST: Final = 1024
# Nobody needs more; whoever nests deeper wants to be out of reach.
_DEEPEST: Final = 64


class TooDeepError(Exception):
    """Directories are nested so deep that they are not looked through."""


def written_bytes(directory: Path, enough: int, holders: Collection[int] = ()) -> int:
    """The room that is taken below a directory, in bytes; counting stops beyond `enough`.

    Args:
        directory: symbolic links in it are not followed.
        enough: see above.
        holders: processes whose deleted files count as far as they can be seen.

    Raises:
        TooDeepError: it is nested too deep.
    """
    total, seen = 0, set[tuple[int, int]]()

    def add(status: os.stat_result) -> None:
        nonlocal total
        if (key := (status.st_dev, status.st_ino)) not in seen:  # a file may have several names
            seen.add(key)
            total += max(_LEAST, status.st_blocks * _BLOCK)

    waiting = [(str(directory), 0)]
    while waiting and total <= enough:
        path, depth = waiting.pop()
        if depth > _DEEPEST:
            raise TooDeepError
        with contextlib.suppress(OSError), os.scandir(path) as entries:  # it was removed meanwhile
            for entry in entries:
                with contextlib.suppress(OSError):
                    add(entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
                if total > enough:
                    break
    with contextlib.suppress(OSError):
        disk = directory.stat().st_dev
        for status in _deleted(holders, disk):
            add(status)
    return total


def _deleted(holders: Collection[int], disk: int) -> list[os.stat_result]:
    """Of the files of that disk that these processes have open, those that have no name any more."""
    found = []
    for pid in holders:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
            for one in descriptors:
                with contextlib.suppress(OSError):
                    status = one.stat()
                    if status.st_nlink == 0 and status.st_dev == disk:
                        found.append(status)
    return found
