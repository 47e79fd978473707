"""What the machine does: GPUs, CPU and memory, one JSON object a line. A process of its own.

    python -I -m harness.machine --every SECONDS [--count N]

NVML may hang or crash the process that calls it, so nobody else calls it: whoever wants numbers starts this process
and reads lines (`MachineSample.from_json`); when it ends, there are no numbers. It ends by itself when nobody reads,
when its parent dies, and when NVML does not come back. It measures and does not judge. CPU and memory are the whole
machine's: a container's limits are not looked at.
"""

import argparse
import ctypes
import os
import platform
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import psutil

from harness.nvml import GpuSample, Nvml, NvmlUnavailableError
from harness.process_name import process_name
from harness.result import Record, RecordError
from harness.text import one_line

# A driver that is not there is looked for again only so often: an attempt may try to load its kernel module.
RETRY_S: Final = 10.0
# Opening eight cold GPUs takes seconds; a call that takes longer than this has hung.
NVML_PATIENCE_S: Final = 30.0
# The first sample's CPU percentage covers this long.
_FIRST_LOOK_S: Final = 0.1
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


@dataclass(frozen=True)
class MachineSample(Record):
    """The machine at one moment.

    Attributes:
        at: seconds since the epoch.
        gpus: in NVML's order; empty where `gpu_error` says why there is no number.
        gpu_error: one line for a person; empty where NVML answered.
        cpu_percent: of all CPUs together, 0 to 100, since the sample before.
        cpu_count: logical CPUs.
        cpu_name: the model.
        load1: processes that ran or wanted to, averaged over a minute.
        memory_used, memory_total: bytes; used is what could not be had for a new process.
    """

    at: float
    gpus: list[GpuSample] = field(default_factory=list)
    gpu_error: str = ""
    cpu_percent: float = 0.0
    cpu_count: int = 0
    cpu_name: str = ""
    load1: float = 0.0
    memory_used: int = 0
    memory_total: int = 0

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """As `Record.from_dict`, with the GPUs as records."""
        if not isinstance(data, dict) or not isinstance(data.get("gpus", []), list):
            raise RecordError("a machine sample is an object with a list of gpus")
        return super().from_dict({**data, "gpus": [GpuSample.from_dict(one) for one in data.get("gpus", [])]})


class Sampler:
    """Takes samples in this process. `sample` may never return, or take the process with it: see the module.

    Making one takes a tenth of a second, so that the first sample has a CPU percentage.
    """

    def __init__(self) -> None:
        self._nvml = Nvml(process_name)
        self._gpu_error = ""
        self._retry_at = 0.0
        self._cpu_name = cpu_name()
        psutil.cpu_percent(interval=None)  # counts from here
        time.sleep(_FIRST_LOOK_S)

    def sample(self) -> MachineSample:
        """The machine now; CPU use since the last call."""
        gpus, gpu_error = self._gpus()
        memory = psutil.virtual_memory()
        return MachineSample(
            at=round(time.time(), 3),
            gpus=gpus,
            gpu_error=gpu_error,
            cpu_percent=psutil.cpu_percent(interval=None),
            cpu_count=psutil.cpu_count() or 1,
            cpu_name=self._cpu_name,
            load1=round(os.getloadavg()[0], 2),
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
        )

    def _gpus(self) -> tuple[list[GpuSample], str]:
        if time.monotonic() < self._retry_at:
            return [], self._gpu_error
        try:
            return self._nvml.sample(), ""
        except NvmlUnavailableError as error:
            self._gpu_error = str(error)
            self._retry_at = time.monotonic() + RETRY_S
            return [], self._gpu_error


def cpu_name() -> str:
    """The CPU's model, one line; its architecture where the kernel does not name it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return one_line(next(names, "") or platform.machine() or "CPU", 60)


def die_with_parent() -> None:
    """Have the kernel send SIGTERM when the thread that started this process ends. Linux only; elsewhere nothing."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died meanwhile, and no signal will come
            sys.exit(0)


def main(argv: list[str] | None = None) -> int:
    """Print samples until told otherwise; 0 when `--count` is reached or nobody reads any more."""
    parser = argparse.ArgumentParser(prog="python -I -m harness.machine", description="Machine samples as JSON lines.")
    parser.add_argument("--every", type=_seconds, default=1.0, metavar="SECONDS", help="between samples (1)")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="end after N samples (0: never)")
    options = parser.parse_args(argv)
    # The kernel's own answers end this process even while NVML hangs, which a Python handler would wait for.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    die_with_parent()
    sampler = Sampler()
    due = time.monotonic()
    taken = 0
    while True:
        signal.setitimer(signal.ITIMER_REAL, NVML_PATIENCE_S)
        line = sampler.sample().to_json().encode() + b"\n"
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not _written(line):
            return 0
        taken += 1
        if taken == options.count:
            return 0
        # A reader that stopped for a while gets no flood of overdue samples.
        due = max(due + options.every, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def _written(line: bytes) -> bool:
    """Write a whole line to standard output; False when nobody reads it any more."""
    try:
        while line:
            line = line[os.write(sys.stdout.fileno(), line) :]
    except BrokenPipeError:
        return False
    return True


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.05 <= value <= 3600:
        raise argparse.ArgumentTypeError("between 0.05 and 3600 seconds")
    return value


if __name__ == "__main__":
    sys.exit(main())
