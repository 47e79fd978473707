"""Bounds on what a process may use up: memory, processes, the size of a file. It kills nothing.

Memory is bounded for each process by itself, and so is no bound on what many of them take together; a control group is,
see `harness.control_group`. A disk can be filled with many files that are each small enough.
"""

import os
import platform
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

_OOM_FIRST: Final = b"1000"
# Since this kernel a user namespace counts its own processes.
_COUNTED_APART_SINCE: Final = (5, 14)


def limit_memory(amount: int, *, mapped: bool) -> None:
    """Let this process, and each of its children, take `amount` bytes more than it has now.

    Args:
        amount: bytes.
        mapped: whether all that is mapped counts. Not so on a GPU, for which hundreds of gigabytes are mapped and never
            used: then only what is private and can be written counts.
    """
    kind = resource.RLIMIT_AS if mapped else resource.RLIMIT_DATA
    fields = Path("/proc/self/statm").read_bytes().split()  # pages: size first, data sixth
    _lower(kind, amount + int(fields[0 if mapped else 5]) * resource.getpagesize())


def die_first() -> None:
    """Have the kernel choose this process, and its children, when the machine's memory is used up."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(_OOM_FIRST)


def limit_files(size: int) -> None:
    """Let no file grow beyond `size` bytes."""
    _lower(resource.RLIMIT_FSIZE, size)


def limit_processes(count: int, *, own_namespace: bool) -> bool:
    """Let this process have `count` processes and threads below it; whether the kernel will keep to that.

    It never does for root. Else it counts all processes of the user, unless these have a user namespace of their own.
    """
    if os.geteuid() == 0:
        return False
    if not own_namespace or _kernel_version() < _COUNTED_APART_SINCE:
        count += _tasks_of(os.getuid())
    _lower(resource.RLIMIT_NPROC, count)
    return True


def forbid_priorities() -> None:
    """No real-time schedule, and no niceness below the present one, whatever this user may do elsewhere."""
    _lower(resource.RLIMIT_RTPRIO, 0)
    _lower(resource.RLIMIT_NICE, 0)


def _lower(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _kernel_version() -> tuple[int, ...]:
    numbers = platform.release().split("-")[0].split(".")[:2]
    return tuple(int(one) for one in numbers if one.isdigit())


def _tasks_of(uid: int) -> int:
    total = 0
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # it ended meanwhile, or hides
            if process.name.isdigit() and process.stat().st_uid == uid:
                total += len(os.listdir(process / "task"))  # noqa: PTH208 - only their number counts
    return total
