"""What the machine does: GPUs, CPU and memory, one JSON object a line. A process of its own.

    python -I -m harness.machine --every SECONDS [--count N] [--of PID]

NVML may hang or crash the process that calls it, so nobody else calls it: whoever wants numbers starts this process
(or forks one that calls `stream`) and reads lines (`MachineSample.from_json`); when it ends, there are no numbers. It
ends by itself when nobody reads, when its parent dies, and when NVML does not come back. It measures and does not
judge: see `harness.taint`. CPU and memory are the whole machine's: a container's limits are not looked at.
"""

import argparse
import contextlib
import ctypes
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from harness.machine_sample import GpuSample, MachineSample
from harness.nvml import Nvml, NvmlUnavailableError
from harness.process_name import process_name
from harness.run_family import RunFamily
from harness.text import one_line

# A driver that is not there is looked for again only so often: an attempt may try to load its kernel module.
RETRY_S: Final = 10.0
# Opening eight cold GPUs takes seconds; a call that takes longer than this has hung.
NVML_PATIENCE_S: Final = 30.0
# The first sample's CPU percentage covers this long.
_FIRST_LOOK_S: Final = 0.1
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


class Sampler:
    """Takes samples in this process. `sample` may never return, or take the process with it: see the module.

    The first sample takes at least a tenth of a second after the GPUs were asked, so that it has a CPU percentage.
    """

    def __init__(self, of: int | None = None) -> None:
        """`of` is the process whose run is looked at: what computes at or below it is the run's own."""
        self._nvml = Nvml(process_name) if of is None else Nvml(process_name, RunFamily(of).owns)
        self._gpu_error = ""
        self._retry_at = 0.0
        self._cpu_name = cpu_name()
        self._look_s = _FIRST_LOOK_S

    def sample(self) -> MachineSample:
        """The machine now; CPU use since the last call."""
        at, clock = time.time(), time.monotonic()
        if self._look_s:  # both count from their first call
            psutil.cpu_percent(interval=None)
            psutil.cpu_times_percent(interval=None)
        gpus, gpu_error = self._gpus()
        time.sleep(self._look_s)
        self._look_s = 0.0
        memory = psutil.virtual_memory()
        return MachineSample(
            at=round(at, 3),
            gpus=gpus,
            gpu_error=gpu_error,
            cpu_percent=psutil.cpu_percent(interval=None),
            cpu_count=psutil.cpu_count() or 1,
            cpu_name=self._cpu_name,
            load1=round(os.getloadavg()[0], 2),
            memory_used=memory.total - memory.available,
            memory_total=memory.total,
            clock=round(clock, 3),
            steal_percent=getattr(psutil.cpu_times_percent(interval=None), "steal", None),
            cpu_mhz=cpu_mhz(),
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
    return one_line(next(iter(_cpu_facts("model name")), "") or platform.machine() or "CPU", 60)


def cpu_mhz() -> float | None:
    """The highest frequency of a CPU now, in MHz; None where the kernel does not say."""
    numbers = []
    for fact in _cpu_facts("cpu MHz"):
        with contextlib.suppress(ValueError):
            numbers.append(float(fact))
    return max(numbers, default=None)


def _cpu_facts(key: str) -> list[str]:
    """What /proc/cpuinfo says under a key, an entry a CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.startswith(key)]


def die_with_parent() -> None:
    """Have the kernel send SIGTERM when the thread that started this process ends. Linux only; elsewhere nothing."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died meanwhile, and no signal will come
            os._exit(0)  # a forked process must not run on into what its parent was doing


def main(argv: list[str] | None = None) -> int:
    """Print samples until told otherwise; 0 when `--count` is reached or nobody reads any more."""
    parser = argparse.ArgumentParser(prog="python -I -m harness.machine", description="Machine samples as JSON lines.")
    parser.add_argument("--every", type=_seconds, default=1.0, metavar="SECONDS", help="between samples (1)")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="end after N samples (0: never)")
    parser.add_argument("--of", type=int, metavar="PID", help="what computes at or below this process is marked")
    options = parser.parse_args(argv)
    stream(sys.stdout.fileno(), options.every, options.of, options.count)
    return 0


def stream(write_fd: int, every_s: float, of: int | None = None, count: int = 0) -> None:
    """Write a sample to a descriptor now and every `every_s` seconds, one JSON line each, until nobody reads.

    For a process that does nothing else, and may die: a forked one ends itself (`os._exit`) when this returns. SIGINT
    and SIGTERM end it at once, as does the end of its parent, and SIGALRM where NVML hangs.

    Args:
        write_fd: a pipe's writing end, blocking.
        every_s: between the beginnings of two samples.
        of: the process at the top of the run; see `Sampler`.
        count: return after so many samples; 0: go on.
    """
    # The kernel's own answers end this process even while NVML hangs, which a Python handler would wait for.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGALRM})
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # the error says it, too
    die_with_parent()
    sampler = Sampler(of)
    due = time.monotonic()
    taken = 0
    while True:
        signal.setitimer(signal.ITIMER_REAL, NVML_PATIENCE_S)
        line = sampler.sample().to_json().encode() + b"\n"
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not _written(write_fd, line):
            return
        taken += 1
        if taken == count:
            return
        # A reader that stopped for a while gets no flood of overdue samples.
        due = max(due + every_s, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def _written(fd: int, line: bytes) -> bool:
    """Write a whole line; False when nobody reads it any more."""
    try:
        while line:
            line = line[os.write(fd, line) :]
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
