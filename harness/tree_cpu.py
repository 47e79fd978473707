"""CPU seconds of the processes below this one, as the kernel counts them: what a run really used. Linux only.

Every thread and child is in it, waited for by its parent or not, and orphans that this process has adopted. Of children
that nobody waits for because their parent ignores their end, only what was seen of them while they lived: a part of
those that live shorter than the time between two looks. It kills nothing, and judges nothing.
"""

import os
import resource
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.process_tree import descendants

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
# proc(5), counted from the one after the name: utime, stime, cutime, cstime, and starttime.
_OWN: Final = slice(11, 13)
_WITH_CHILDREN: Final = slice(11, 15)
_BEGAN: Final = 19


@dataclass(frozen=True)
class _Times:
    """Of one process, in seconds: its own, and with the children that it has waited for."""

    identity: tuple[int, str]
    own: float
    all_of: float


class TreeCpu:
    """Counts from when it is made."""

    def __init__(self, spare: Callable[[], Collection[int]]) -> None:
        """`spare` tells which children are not counted, nor what is below them."""
        self._spare = spare
        self._seen: dict[tuple[int, str], float] = {}
        self._most = 0.0
        self._reaped = _reaped()
        there = list(self._look())
        self._before = sum(one.all_of for one in there)
        self._before_each = {one.identity: one.own for one in there}

    def seconds(self) -> float:
        """How much was used since; it never falls."""
        there = list(self._look())
        # A process that ends between the two readings is in both or in none; the next look has it right.
        counted = sum(one.all_of for one in there) + _reaped() - self._reaped - self._before
        self._seen.update((one.identity, one.own) for one in there)
        seen = sum(own - self._before_each.get(identity, 0.0) for identity, own in self._seen.items())
        self._most = max(self._most, counted, seen)
        return self._most

    def _look(self) -> Iterator[_Times]:
        for pid in descendants(self._spare()):
            if (times := _times(pid)) is not None:
                yield times


def _reaped() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _times(pid: int) -> _Times | None:
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile
        return None
    return _Times((pid, fields[_BEGAN]), _seconds(fields[_OWN]), _seconds(fields[_WITH_CHILDREN]))


def _seconds(fields: list[str]) -> float:
    return sum(map(int, fields)) / _TICKS
