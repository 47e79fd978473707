"""The processes below an agent: whether it started some lately, and ending them all. Linux (/proc) and psutil.

It knows no terminal and no agent, only a process that leads a session of its own.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import psutil

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_POLL_S: Final = 0.03

# Made by kernels with CONFIG_PROC_CHILDREN, which distributions set. It costs the same on a machine with thousands
# of processes; psutil, which stands in, reads every process there is.
_LISTS_CHILDREN: Final = Path(f"/proc/self/task/{os.getpid()}/children").exists()


def started_since(pid: int, since: float) -> bool:
    """Whether a process below `pid` that began after `since` (seconds since the epoch) is still running."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return any((ticks := _began(below)) is not None and boot + (ticks + 1) * _TICK_S > since for below in _below(pid))


def _below(pid: int) -> Iterator[int]:
    if not _LISTS_CHILDREN:
        with contextlib.suppress(psutil.Error):
            yield from (child.pid for child in psutil.Process(pid).children(recursive=True))
        return
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            yield child
            waiting.append(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it ended while we looked
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - half the time of Path.iterdir
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as stream:  # noqa: PTH123 - likewise
                found += map(int, stream.read().split())
    return found


def _began(pid: int) -> int | None:
    """Clock ticks from boot to the process's start; None when it is gone, or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    state, *numbers = stat[stat.rindex(b")") + 2 :].split()  # the name before it may hold spaces and brackets
    return None if state in {b"Z", b"X"} else int(numbers[18])


async def end_session(leader: int, leader_ended: Callable[[], bool], grace_s: float) -> None:
    """End a session's leader, everyone who is still in its session, and everyone below it.

    SIGHUP (with SIGCONT, for those who are stopped), after a grace SIGTERM, after another SIGKILL; it returns as soon
    as nobody is left, and gives up one grace after SIGKILL.

    Args:
        leader: its process id, which is the session's id.
        leader_ended: whether it has ended; reaps it.
        grace_s: seconds to wait after each signal.
    """
    known: set[psutil.Process] = set()
    for signals in ((signal.SIGHUP, signal.SIGCONT), (signal.SIGTERM, signal.SIGCONT), (signal.SIGKILL,)):
        deadline = time.monotonic() + grace_s
        told: set[psutil.Process] = set()
        while time.monotonic() < deadline:
            known = _members(leader, known, gone=leader_ended())
            if not known:
                return
            for process in known - told:  # also those that began after the first round
                for number in signals:
                    with contextlib.suppress(psutil.Error):  # gone, or no longer ours
                        process.send_signal(number)
            told |= known
            await asyncio.sleep(_POLL_S)


def _members(leader: int, known: set[psutil.Process], *, gone: bool) -> set[psutil.Process]:
    """Who lives of those already known, of the leader's session, and below any of them."""
    pids = {process.pid for process in known if _lives(process)}
    if not gone:
        pids.add(leader)
    if not (gone and psutil.pid_exists(leader)):  # otherwise the number, and the session's, is somebody else's now
        for pid in psutil.pids():
            with contextlib.suppress(OSError):
                if os.getsid(pid) == leader:
                    pids.add(pid)
    for pid in list(pids):
        pids.update(_below(pid))
    found = set(known)  # keeps who they were: a number that is used again is another process
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found.add(psutil.Process(pid))
    return {process for process in found if _lives(process)}


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
