"""What a supervisor costs: at rest, under 40 kB/s of an agent's output, and over a night's worth of it."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from sessions.client import ask
from sessions.store import HOME_VARIABLE, find_session
from tests.bench.lab import make_lab

_REST_S = 20.0
_BUSY_S = 20.0
_RATE = 40_000
_NIGHT = 100 << 20

# Draws what real agents draw: a spinner, a clock, and a scrolling log in colours, at a rate; or at rest nothing.
_AGENT = """
import sys, time
rate, total = int(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
print("going", flush=True)
line, sent, begun = 0, 0, time.monotonic()
while sent < total:
    text = "".join(
        f"\\x1b[?2026h\\x1b[{line + n};1H\\x1b[38;5;{n}m{line + n:8} loss 2.{n:04} \\x1b[0m" + "word " * 12 + "\\r\\n"
        for n in range(10)
    ) + f"\\x1b]0;{'|/-'[line % 3]} agent\\x07\\x1b[?2026l"
    line = (line + 10) % 1000
    sys.stdout.write(text)
    sys.stdout.flush()
    sent += len(text)
    if rate:
        time.sleep(max(0.0, begun + sent / rate - time.monotonic()))
print("done", flush=True)
sys.stdin.readline()
sys.stdin.readline()
"""


def figures() -> list[dict[str, Any]]:
    """CPU as a share of a core, beside the goal; memory after a night's output beside that after a tenth of it."""
    rest = _share(0, 0, _REST_S)
    busy = _share(_RATE, _NIGHT, _BUSY_S)
    early, late = _memory()
    return [
        _figure("supervisor's CPU at rest", rest, "of a core", 0.01),
        _figure("supervisor's CPU at 40 kB/s of output", busy, "of a core", 0.05),
        {
            "name": "supervisor's memory after 100 MB of output, against after 10 MB",
            "value": late,
            "unit": "MiB",
            "reference": early,
            "ratio": late / early,
            "goal": "<= 1.1",
            "met": late <= 1.1 * early,
        },
    ]


def _figure(name: str, value: float, unit: str, most: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "reference": most,
        "ratio": value / most,
        "goal": "<= 1",
        "met": value <= most,
    }


class _Session:
    """A session whose agent writes at a rate once it is prompted."""

    def __init__(self, rate: int, total: int) -> None:
        self._words = [str(rate), str(total)]

    def __enter__(self) -> psutil.Process:
        self._folder = tempfile.TemporaryDirectory(prefix="art-")
        home = Path(self._folder.name)
        self._before = os.environ.get(HOME_VARIABLE)
        os.environ[HOME_VARIABLE] = str(home)
        make_lab(home / "lab")
        self._ours("new", "--detach", "--tag", "b", "--lab", str(home / "lab"), "--idle-nudges", "1", "--",
                   sys.executable, "-c", _AGENT, *self._words)  # fmt: skip
        return psutil.Process(ask(find_session("b"), "status")["pid"])

    def __exit__(self, *_: object) -> None:
        self._ours("stop", "b")
        self._folder.cleanup()
        os.environ.pop(HOME_VARIABLE)
        if self._before is not None:
            os.environ[HOME_VARIABLE] = self._before

    @staticmethod
    def _ours(*words: str) -> None:
        command = [sys.executable, "-m", "autoresearch_tui", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def _share(rate: int, total: int, seconds: float) -> float:
    """CPU seconds of the supervisor alone, for each second of the wall clock."""
    with _Session(rate, total) as process:
        time.sleep(8.0)  # the baseline's crash, the brief and the only nudge are over
        before, at = process.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, now = process.cpu_times(), time.monotonic()
    return (after.user + after.system - before.user - before.system) / (now - at)


def _memory() -> tuple[float, float]:
    """Resident MiB after a tenth of a night's output, and after all of it, written as fast as it is read."""
    with _Session(0, _NIGHT) as process:
        agent = psutil.Process(ask(find_session("b"), "status")["agent_pid"])
        early = _resident_after(process, agent, _NIGHT // 10)
        return early, _resident_after(process, agent, _NIGHT)


def _resident_after(process: psutil.Process, agent: psutil.Process, written: int) -> float:
    while agent.io_counters().write_chars < written:
        time.sleep(0.1)
    return process.memory_info().rss / (1 << 20)


if __name__ == "__main__":
    for figure in figures():
        print(figure)
