"""What both processes that run a genome do alike: how they begin, where they compute, how they end.

It confines nothing: see `harness.sandbox`.
"""

import contextlib
import faulthandler
import os
import random
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch

from harness.genome_file import crash_line
from harness.pipes import Channel


def begin(read_fd: int, write_fd: int) -> Channel:
    """Take the pair of descriptors that the runner passed."""
    faulthandler.enable()
    return Channel(read_fd, write_fd)


def choose_device(wanted: str) -> torch.device:
    """The device for "cpu", "cuda" or "auto" (CUDA if there is one)."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def describe(device: torch.device) -> str:
    """A device in words."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"cpu: {_cpu_name()}, {torch.get_num_threads()} thread"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def seed_everything(seed: int) -> None:
    """Seed every generator that a genome is likely to use."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # the legacy generator: what a script gets that names none
    torch.manual_seed(seed)


def report_crash(channel: Channel, error: BaseException, genome: Path) -> None:
    """Say in one line what the genome raised; the whole traceback goes to the log."""
    traceback.print_exception(error)
    channel.send(kind="crash", reason=crash_line(error, genome))


def leave() -> NoReturn:
    """End at once: no thread and no exit handler of the genome gets another turn."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the genome may have put anything there; only its text can be lost
            stream.flush()
    os._exit(0)
