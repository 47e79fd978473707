"""The GPUs, asked for in another process: the driver can hang or crash whoever asks it."""

import subprocess
import sys
from typing import Final

from autoresearch_tui.doctor.check import Check, as_root
from harness.machine_sample import GpuSample, MachineSample
from harness.nvml import MISMATCH, NO_LIBRARY
from harness.result import RecordError

_GIB: Final = 1 << 30
# The first question to cold GPUs takes seconds each.
PATIENCE_S: Final = 20.0

# What a taint needs to be seen, by its field in a sample.
_NEEDED: Final = {
    "processes": "who else computes on it",
    "throttle": "why it is slowed down",
    "sm_clock_mhz": "its clock",
}


def machine_sample() -> MachineSample | str:
    """One sample; a string says in one line why there is none."""
    command = [sys.executable, "-I", "-m", "harness.machine", "--count", "1"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return f"the NVIDIA driver did not answer within {PATIENCE_S:g} s"
    try:
        return MachineSample.from_json(done.stdout)
    except RecordError:
        return f"asking the NVIDIA driver ended the process that asked (exit status {done.returncode})"


def check_gpu(sample: MachineSample | str) -> tuple[Check, bool]:
    """The check, and whether a GPU can be used. A machine without a driver is fine: runs take the CPU."""
    if isinstance(sample, str):
        return Check("GPU", False, sample, as_root("reboot")), False
    if sample.gpu_error == NO_LIBRARY:
        return Check("GPU", None, f"{NO_LIBRARY}; runs use the CPU"), False
    if sample.gpu_error:
        mend = as_root("reboot") if sample.gpu_error == MISMATCH else ""
        return Check("GPU", False, sample.gpu_error, mend), False
    lost = [one for one in sample.gpus if one.lost]
    detail = "; ".join(_in_words(one) for one in sample.gpus)
    return Check("GPU", not lost, detail, as_root("reboot") if lost else ""), len(lost) < len(sample.gpus)


def _in_words(gpu: GpuSample) -> str:
    words = [f"{gpu.index}: {gpu.name}"]
    if gpu.lost:
        return f"{words[0]} is lost"
    if gpu.memory_total is not None:
        words.append(f"{gpu.memory_total / _GIB:.0f} GiB")
    if gpu.processes:
        count = len(gpu.processes)
        words.append(f"in use by {count} process{'es' if count > 1 else ''}")
    if gpu.throttle:
        words.append(f"slowed down: {', '.join(gpu.throttle)}")
    if unseen := [what for name, what in _NEEDED.items() if name in gpu.unknown]:
        words.append(f"the driver does not tell {', '.join(unseen)}: no run will be marked for that")
    return ", ".join(words)
