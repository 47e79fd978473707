"""`results.tsv`: written from the records, in the session's directory and, for the agent, in its worktree.

The one in the worktree is replaced only while it is what we wrote: a file that somebody edited, or that was there
before, belongs to him.
"""

import stat
from collections.abc import Sequence
from pathlib import Path

from harness.ledger import is_ours, tsv_text
from harness.result import Experiment
from sessions.store import replace_file

_LARGEST = 16 << 20  # bytes; ours is 100 times smaller after a thousand experiments


def write_results(own: Path, mirror: Path, records: Sequence[Experiment]) -> bool:
    """Write both files; whether the mirror was ours to write.

    Raises:
        OSError: the disk is full, or a place cannot be written; what could not be replaced is as it was.
    """
    everything = list(records)
    text = tsv_text(everything)
    replace_file(own, text)
    if not mirror.parent.is_dir():  # somebody removed the worktree
        return True
    if not _is_plain(mirror) or not is_ours(mirror, everything):
        return False
    replace_file(mirror, text)
    return True


def _is_plain(path: Path) -> bool:
    """Whether a path is missing, or a file that can be read without waiting."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return True
    return stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST
