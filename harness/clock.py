"""The run's clock and what is charged to it.

On a CPU it counts CPU seconds, because other load on the machine moves those far less than the wall clock; on CUDA
it counts wall seconds between synchronised points. It kills nothing: the deadline is the runner's.
"""

import resource
import time
from collections.abc import Callable

from harness.settings import ClockKind, Preset


def cpu_seconds() -> float:
    """CPU seconds of this process: all its threads, and the children that it has waited for."""
    below = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + below.ru_utime + below.ru_stime


def clock_kind(device_type: str) -> ClockKind:
    """The clock for a torch device type."""
    return "cpu" if device_type == "cpu" else "wall"


def reader(kind: ClockKind, synchronise: Callable[[], None]) -> Callable[[], float]:
    """A function that reads the clock, in seconds. `synchronise` waits for the device's queue; the CPU has none."""
    if kind == "cpu":
        return cpu_seconds

    def wall_seconds() -> float:
        synchronise()
        return time.monotonic()

    return wall_seconds


class Budget:
    """How much of a run's time is spent. Pure: clock readings in, seconds out.

    The first `preset.warmup_steps` steps, and what comes before them (building the model), are not charged, but at
    most `preset.warmup_s` seconds of them: allocation and compilation are not what is being compared.
    """

    def __init__(self, seconds: float, preset: Preset, began: float) -> None:
        self.seconds = seconds
        self.steps = 0
        self.spent = 0.0
        self._preset = preset
        self._began = began
        self._charged_from: float | None = None

    def charge(self, now: float, warm: bool = False) -> float:
        """Bring `spent` up to date with a clock reading, and return it. `warm`: the untimed steps are over."""
        untimed_until = self._began + self._preset.warmup_s
        if self._charged_from is None and (warm or now > untimed_until):
            self._charged_from = min(now, untimed_until)
        self.spent = 0.0 if self._charged_from is None else max(0.0, now - self._charged_from)
        return self.spent

    def next_step(self, now: float) -> bool:
        """Whether another batch may be handed out; if so, it is counted."""
        if self.charge(now, warm=self.steps >= self._preset.warmup_steps) >= self.seconds:
            return False
        self.steps += 1
        return True

    def overrun(self, now: float) -> float:
        """Seconds past what a run may overrun its budget by; negative if it kept to it.

        A tenth of the budget and a second, for the last step and what the script does after it: one that goes on
        training when the batches have ended is past that.
        """
        return self.charge(now) - (1.1 * self.seconds + 1.0)
