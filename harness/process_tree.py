"""The processes below this one: who they are, that they end, and that they end with their parent. Linux only.

Nothing here knows what the processes do. It does not see what hides from the kernel's parent links; a process
that was started by somebody else (cron, systemd) on a run's behalf is out of its reach.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import psutil

# prctl(2)
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(n) for n in (value, 0, 0, 0)]
    if libc.prctl(option, *arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when the thread that started it ends.

    A parent that is gone already sends none: a child that must not outlive it also reads from a pipe of its.
    """
    _prctl(_PR_SET_PDEATHSIG, signal_number)


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """While this lasts, a descendant whose parent ends becomes a child of this process, and so can be found."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        _prctl(_PR_SET_CHILD_SUBREAPER, 0)


def children() -> frozenset[int]:
    """The process ids of this process's children."""
    return frozenset(child.pid for child in psutil.Process().children())


def descendants(spare: Collection[int]) -> list[int]:
    """The process ids of this process's descendants but the children in `spare` and what is below those.

    Those that have ended and were not waited for are among them. It takes some microseconds a process.
    """
    found: list[int] = []
    waiting = [pid for pid in _children_of(os.getpid()) if pid not in spare]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += _children_of(pid)
    return found


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text(encoding="ascii").split())
    except OSError:
        if Path("/proc/self/task", str(os.getpid()), "children").exists():
            return found  # it has ended meanwhile
        with contextlib.suppress(psutil.Error):  # a kernel that keeps no such list: go through all processes
            return [child.pid for child in psutil.Process(pid).children()]
    return found


def end_descendants(spare: Collection[int], patience_s: float = 5.0) -> list[int]:
    """Kill every descendant of this process but the children in `spare` and what is below those.

    Repeats until none is left, because what it kills may just have forked.

    Returns:
        The process ids that could not be ended within `patience_s` seconds; normally none.
    """
    deadline = time.monotonic() + patience_s
    while victims := _descendants(spare):
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.kill()
        _, alive = psutil.wait_procs(victims, timeout=0.2)
        if time.monotonic() > deadline:  # also for one that forks and dies faster than it can be found
            return [victim.pid for victim in alive or _descendants(spare)]
    return []


def _descendants(spare: Collection[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        if child.pid not in spare:
            found.append(child)
            with contextlib.suppress(psutil.Error):  # it ended while we looked
                found.extend(child.children(recursive=True))
    return found
