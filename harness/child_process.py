"""One of the runner's own Python processes: started in a session of its own, watched, killed, reaped.

What it says and what that means is the runner's business.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import resource


class ChildProcess:
    """A module of the harness, running with the descriptors it was passed and the environment it was given.

    Attributes:
        pid: its process id, which is also its session's and its process group's.
        pidfd: becomes readable when it ends.
        usage: what it and the children it waited for used, once it is reaped.
        exit_code: as in `subprocess`: negative for a signal; None until it is reaped.
    """

    def __init__(
        self, module: str, fds: Sequence[int], environment: Mapping[str, str], directory: Path, log_fd: int
    ) -> None:
        """Start `python -I -m module FD...`.

        Isolated (-I), so that no file near the genome can stand in for ours; -B, so that it writes no byte code.

        Raises:
            OSError: it could not be started.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-u", "-m", module, *map(str, fds)],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=fds,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.pidfd = os.pidfd_open(self.pid)
        self.usage: resource.struct_rusage | None = None

    @property
    def exit_code(self) -> int | None:
        """See the class."""
        return self._process.returncode

    def kill(self) -> None:
        """Kill it and its process group, and reap it."""
        if self.usage is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.reap()

    def reap(self) -> None:
        """Wait for its end, which is near: `pidfd` is readable, or it was killed."""
        if self.usage is None:
            _, status, self.usage = os.wait4(self.pid, 0)
            self._process.returncode = os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Kill it if it lives, and let go of it."""
        self.kill()
        os.close(self.pidfd)


def describe_end(exit_code: int | None) -> str:
    """How a process ended, in words."""
    if exit_code is None or exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"killed by {name}" + (" (out of memory?)" if exit_code == -signal.SIGKILL else "")
