"""One run at a time on a GPU: an advisory lock that a run holds while it is timed. Linux and macOS.

It keeps apart those who ask here, in one directory; what else computes on the GPU is for `harness.taint` to see. The
lock is the kernel's, on the file as such (POSIX, not flock): it ends with the process that took it, however that ends,
and a forked child never has it, whichever descriptors it keeps. A process must therefore take a lease itself, ask for a
GPU once at a time, and open the file nowhere else: closing any descriptor of it gives the lease up.

What is written in the file only says who holds it, for a message; stale or torn, it does no harm. Who waits is not in a
queue: whoever asks first after the end gets it.
"""

import contextlib
import fcntl
import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.result import Record, RecordError
from harness.text import one_line, slug
from harness.watch import DeadlineError, StoppedError

# How soon a free GPU is seen; a try costs a few microseconds.
_TRY_EVERY_S: Final = 0.25
_HOLDER_BYTES: Final = 1000


@dataclass(frozen=True)
class Holder(Record):
    """Who holds a lease.

    Attributes:
        pid: as the holder counts; another container's may mean nothing here.
        run_id: of the run that is timed.
    """

    pid: int
    run_id: str


@contextlib.contextmanager
def lease(
    directory: Path,
    gpu: str,
    run_id: str,
    stop_fd: int | None = None,
    deadline: float | None = None,
    on_wait: Callable[[str], None] = lambda _line: None,
) -> Iterator[None]:
    """Hold a GPU while this lasts; waits for it first.

    Args:
        directory: where the lock files are; made for this user alone if there is none.
        gpu: what the lease calls it: see `harness.visible_gpu.lease_name`.
        run_id: for the message to others.
        stop_fd: a descriptor; when it becomes readable the waiting ends. It is not read.
        deadline: on `time.monotonic`; None: it waits for ever.
        on_wait: told in one line whom this waits for, at once and whenever that changes.

    Raises:
        StoppedError: the order to stop came while it waited.
        DeadlineError: the deadline passed meanwhile.
        OSError: the directory or the file cannot be made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"gpu-{slug(gpu.removeprefix('GPU-'), 60)}.lock"
    fd = _locked(path, gpu, stop_fd, deadline, on_wait)
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, Holder(os.getpid(), one_line(run_id, 100)).to_json().encode(), 0)
        yield
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _locked(path: Path, gpu: str, stop_fd: int | None, deadline: float | None, on_wait: Callable[[str], None]) -> int:
    """A descriptor of the file, locked."""
    told = ""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        held = False
        try:
            free = _lock(fd)
            # Whoever removed the file while we had it open left us a lock that nobody else meets.
            held = free and _is_at(fd, path)
            if held:
                return fd
            if not free and told != (line := _waiting(gpu, _holder(fd))):
                told = line
                on_wait(line)
        finally:
            if not held:
                os.close(fd)
        _wait(stop_fd, deadline)


def _lock(fd: int) -> bool:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX permits either
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _wait(stop_fd: int | None, deadline: float | None) -> None:
    """A moment, or until the order to stop."""
    left = _TRY_EVERY_S if deadline is None else min(_TRY_EVERY_S, deadline - time.monotonic())
    if left <= 0:
        raise DeadlineError
    stop = select.poll()
    if stop_fd is not None:
        stop.register(stop_fd, select.POLLIN)
    if stop.poll(left * 1000):
        raise StoppedError


def _holder(fd: int) -> Holder | None:
    """Who says that it holds it; None where nobody does, or not in full."""
    try:
        return Holder.from_json(os.pread(fd, _HOLDER_BYTES, 0))
    except RecordError:
        return None


def _waiting(gpu: str, holder: Holder | None) -> str:
    name = one_line(f"GPU {gpu.removeprefix('GPU-')}", 60)
    if holder is None:
        return f"waiting for {name}, which another run has"
    return f"waiting for {name}, which run {one_line(holder.run_id, 60)} has (process {holder.pid})"
