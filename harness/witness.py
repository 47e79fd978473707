"""A process of its own that watches the machine while a run is timed, as the runner sees it: what it has said so far.

It may crash, hang or be killed (the driver's library does that to it): then there are no further samples, the report
says so, and the run goes on.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from harness.child_process import ChildProcess
from harness.machine import stream
from harness.machine_report import MachineReport, report
from harness.machine_sample import MachineSample
from harness.pipes import Lines
from harness.result import RecordError

# So many samples of a budget tell its thirds apart; oftener than that the watching would be felt.
_SAMPLES: Final = 20
_MOST_EVERY_S: Final = 1.0
_LEAST_EVERY_S: Final = 0.2


class Witness:
    """The witness and its samples.

    Attributes:
        child: its process.
        fd: what it says arrives here, and is handed to `hear`.
        samples: so far, in order.
    """

    def __init__(self, budget_s: float, environment: Mapping[str, str]) -> None:
        """Start it; it looks as often as a budget of so many seconds needs.

        Raises:
            OSError: it could not be started.
        """
        self.samples: list[MachineSample] = []
        self._every_s = min(_MOST_EVERY_S, max(_LEAST_EVERY_S, budget_s / _SAMPLES))
        self._lines = Lines()
        self.fd, theirs = os.pipe()
        try:
            with Path(os.devnull).open("wb") as nowhere:  # what a driver prints is not the run's
                self.child = ChildProcess(
                    partial(stream, theirs, self._every_s, os.getpid()),
                    "witness",
                    keep=(theirs,),
                    environment=environment,
                    directory=Path("/"),
                    log_fd=nowhere.fileno(),
                )
        except OSError:
            os.close(self.fd)
            raise
        finally:
            os.close(theirs)

    def hear(self, data: bytes) -> None:
        """Take what came from it."""
        for message in self._lines.feed(data):
            with contextlib.suppress(RecordError):
                self.samples.append(MachineSample.from_dict(message))

    def report(self, *, started: float, began: float, gpu: str) -> MachineReport:
        """What the machine did from training's beginning until now.

        Args:
            started: when the run's first process was started, on `time.monotonic`.
            began: when training began, on the same clock.
            gpu: as `harness.visible_gpu.first_visible` names it; empty for a run that uses none.
        """
        ended = time.monotonic()
        return report(self.samples, started=started, began=began, ended=ended, gpu=gpu, every_s=self._every_s)

    def close(self) -> None:
        """End it."""
        self.child.close()
        os.close(self.fd)
