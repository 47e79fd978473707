"""Which processes belong to a run: the one that was named and those below it. Read only, best effort."""

from collections.abc import Sequence

import psutil

from harness.process_name import GPU_DEVICES, holds_device


class RunFamily:
    """Tells the run's own processes from others.

    A process that was once the run's stays so: when it is killed, the driver may list it a little longer than the
    kernel. One that moves away from its parents (a daemon) has been seen before that, or is found below the runner,
    which adopts orphans.
    """

    def __init__(self, of: int, devices: Sequence[str] = GPU_DEVICES) -> None:
        """`of` is the process at the top; only who holds one of `devices` can be told."""
        self._of = of
        self._devices = tuple(devices)
        self._seen: set[int] = set()

    def owns(self, pid: int) -> bool | None:
        """Whether it belongs to the run; None where the number says nothing: no process of it holds a GPU here.

        In a container the driver may count as the host does, and the same number can be an innocent process.
        """
        if pid in self._seen:
            return True
        try:
            process = psutil.Process(pid)
            above = [process.pid, *(one.pid for one in process.parents())]
        except psutil.Error:
            return None
        if not holds_device(pid, self._devices):
            return None
        if self._of in above:
            self._seen.add(pid)
            return True
        return False
