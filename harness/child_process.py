"""One of the harness's own processes: forked, cut off from what its maker has, watched, killed, reaped.

What it does is a function's business, and what it says the maker's. A fork costs a millisecond where starting Python
and importing torch costs seconds, and shares what was imported.
"""

import contextlib
import ctypes
import gc
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NoReturn

from harness.kernel import prctl
from harness.process_tree import die_with_parent

if TYPE_CHECKING:
    import resource

# What Python itself ignores: the calls fail instead.
_IGNORED: Final = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
_UNCHANGEABLE: Final = frozenset({signal.SIGKILL, signal.SIGSTOP})
_FAILED: Final = 70  # EX_SOFTWARE
_PR_SET_NAME: Final = 15  # prctl(2)


class ChildProcess:
    """A function that runs in a process of its own, with the descriptors and the environment that it was given.

    Attributes:
        pid: its process id, which is also its session's and its process group's.
        pidfd: becomes readable when it ends.
        usage: what it and the children it waited for used, once it is reaped.
        exit_code: as in `subprocess`: negative for a signal; None until it is reaped.
    """

    def __init__(
        self,
        work: Callable[[], None],
        name: str,
        *,
        keep: Collection[int],
        environment: Mapping[str, str],
        directory: Path,
        log_fd: int,
        lives_on: bool = False,
    ) -> None:
        """Fork it.

        Args:
            work: what it does; its process ends when that returns or raises.
            name: what tools show, 15 characters at most.
            keep: the descriptors that it still has, besides an empty input and its output.
            environment: all of its variables.
            directory: where it works.
            log_fd: where what it prints goes.
            lives_on: whether it is to live on when this process ends.

        Raises:
            OSError: it could not be started.
        """
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # else the child would have a copy of what is not written yet
                stream.flush()
        maker = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            parent = None if lives_on else maker
            _be(work, name, frozenset(keep), dict(environment), directory, log_fd, parent)
        self.pidfd = os.pidfd_open(self.pid)
        self.usage: resource.struct_rusage | None = None
        self.exit_code: int | None = None

    def kill(self) -> None:
        """Kill it and its process group, and reap it."""
        if self.usage is not None:
            return
        for kill in (os.killpg, os.kill):  # it has no group yet when it has just been forked
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)
        self.reap()

    def reap(self) -> None:
        """Wait for its end, which is near: `pidfd` is readable, or it was killed."""
        if self.usage is None:
            _, status, self.usage = os.wait4(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Kill it if it lives, and let go of it."""
        self.kill()
        os.close(self.pidfd)


def _be(
    work: Callable[[], None],
    name: str,
    keep: frozenset[int],
    environment: dict[str, str],
    directory: Path,
    log_fd: int,
    parent: int | None,
) -> NoReturn:
    """The whole life of a child. Nothing of the caller's frames gets another turn."""
    status = _FAILED
    try:
        # What was garbage in the maker must not be collected here: it may hold a number that is another file's by then.
        gc.freeze()
        os.setsid()
        if parent is not None:
            die_with_parent()
            if os.getppid() != parent:
                os._exit(status)
        _forget_signals()
        _take_descriptors(keep, log_fd)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(directory)
        sys.argv = [name]
        show_name(name)
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - there is nobody above
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(status & 0xFF)


def show_name(name: str) -> None:
    """What tools call this process, 15 characters at most."""
    prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.encode()))


def _forget_signals() -> None:
    """Treat signals as a Python that was just started does."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - _UNCHANGEABLE:
        with contextlib.suppress(OSError, ValueError):  # some are the C library's own
            signal.signal(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _take_descriptors(keep: frozenset[int], log_fd: int) -> None:
    """Have an empty input, the log for output, what is to be kept, and no other."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    last = 2
    for fd in sorted(keep):
        os.closerange(last + 1, fd)
        last = fd
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - a descriptor
    sys.stdout, sys.stderr = _written_at_once(1), _written_at_once(2)


def _written_at_once(fd: int) -> io.TextIOWrapper:
    """Text that is written without a buffer: what a process printed before it was killed is in the log."""
    raw: IO[bytes] = open(fd, "wb", buffering=0, closefd=False)  # noqa: SIM115 - a descriptor
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


def describe_end(exit_code: int | None) -> str:
    """How a process ended, in words."""
    if exit_code is None or exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"killed by {name}" + (" (out of memory?)" if exit_code == -signal.SIGKILL else "")
