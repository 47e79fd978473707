"""Reasons not to trust a measurement, from what the machine did while it was taken. Pure.

A taint does not say that a number is wrong: it says that another run, on a quiet machine, may well give another one.
Where nothing was seen, nothing is said: no samples, no taint.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from harness.gpu_owners import Foreign
from harness.machine_report import MachineReport
from harness.settings import ClockKind
from harness.text import one_line
from harness.throttle_reasons import (
    HARDWARE_SLOWDOWN,
    HARDWARE_THERMAL,
    POWER_BRAKE,
    RELIABILITY,
    SOFTWARE_THERMAL,
)


class Taint(StrEnum):
    """Why a measurement is not to be trusted; the word opens a line of `RunResult.taints`."""

    CONTENDED = "contended"
    THROTTLED = "throttled"
    CLOCK_DRIFT = "clock drift"


# What lasts for less than a twentieth of training changes the number of steps by less than that, and the score by less
# than another seed does. One sample alone is a moment, however few there are.
_MOMENT_SHARE: Final = 0.05
_MOMENT_SAMPLES: Final = 1

# Of the CPU time that was wanted, what a hypervisor may give to others: a machine that is shared at all shows a few
# percent. Beyond a tenth the caches are not the run's own either, and CPU seconds are not worth the same any more.
_STEAL_PERCENT: Final = 10.0

# CPU seconds a second. A core shared with one other process leaves a half, two cores shared by three leave two thirds:
# less than a half is a crowd. It tells of a crowd only where no CPU was idle; else the run did not want more.
_CORE_SHARE: Final = 0.5
_BUSY_PERCENT: Final = 90.0
# Shorter than this, the share says how long processes took to start.
_LEAST_S: Final = 2.0

# Clocks that are held down against the card's will. A power cap at full load is how cards work, and application clocks
# are a person's choice: both slow all runs alike.
_SLOWED: Final = frozenset({HARDWARE_SLOWDOWN, HARDWARE_THERMAL, POWER_BRAKE, RELIABILITY, SOFTWARE_THERMAL})

# How far the medians of the first and the last third may lie apart, as a share. A GPU's clock under one load moves by
# a step or two of 15 MHz; a CPU's turbo by several percent with what its neighbours do.
_GPU_DRIFT: Final = 0.05
_CPU_DRIFT: Final = 0.10
_STEAL_DRIFT_PERCENT: Final = 10.0


def taints(report: MachineReport, *, clock: ClockKind, wall_s: float, cpu_s: float) -> list[str]:
    """Reasons not to trust the run's number, one line each, opened by a `Taint`; empty where there is none.

    Args:
        report: what the machine did.
        clock: of the run: "cpu" counts CPU seconds, "wall" is a GPU's.
        wall_s: seconds of training on the wall.
        cpu_s: CPU seconds of all the run's training processes meanwhile.
    """
    found = [
        f"{Taint.THROTTLED}: {reason} in {100 * share:.0f} % of the samples"
        for reason, share in report.throttled.items()
        if reason in _SLOWED and _lasted(share, report)
    ]
    if others := [one for one in report.foreign if _lasted(one.share, report)]:
        found.insert(0, _shared_gpu(others))
    if drift := _drift("SM clock", "MHz", report.sm_clock_thirds, _GPU_DRIFT):
        found.append(drift)
    if clock == "cpu":
        found += _cpu_taints(report, wall_s, cpu_s)
    return found


def _lasted(share: float, report: MachineReport) -> bool:
    return share > _MOMENT_SHARE and round(share * report.samples) > _MOMENT_SAMPLES


def _shared_gpu(others: Sequence[Foreign]) -> str:
    first = others[0]
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    who = f"{one_line(first.name, 40) or 'a process'} (pid {first.pid}){more}"
    return f"{Taint.CONTENDED}: {who} computed on the GPU in {100 * first.share:.0f} % of the samples"


def _cpu_taints(report: MachineReport, wall_s: float, cpu_s: float) -> list[str]:
    found = []
    if report.steal_percent is not None and report.steal_percent > _STEAL_PERCENT:
        stolen = f"{report.steal_percent:.0f} % of the CPU time that was wanted"
        found.append(f"{Taint.CONTENDED}: the hypervisor gave {stolen} to other machines")
    busy = report.cpu_percent
    if busy is not None and busy > _BUSY_PERCENT and wall_s >= _LEAST_S and cpu_s < _CORE_SHARE * wall_s:
        got = f"the run got {cpu_s / wall_s:.2f} of a core"
        found.append(f"{Taint.CONTENDED}: {got}, and the {report.cpu_count} CPUs were {busy:.0f} % busy")
    if drift := _drift("CPU frequency", "MHz", report.cpu_mhz_thirds, _CPU_DRIFT):
        found.append(drift)
    if report.steal_thirds and abs(report.steal_thirds[1] - report.steal_thirds[0]) > _STEAL_DRIFT_PERCENT:
        first, last = report.steal_thirds
        found.append(
            f"{Taint.CLOCK_DRIFT}: the hypervisor took {first:.0f} % of the CPU time in the first third of training, "
            f"{last:.0f} % in the last"
        )
    return found


def _drift(what: str, unit: str, thirds: Sequence[float], limit: float) -> str:
    if len(thirds) != 2 or thirds[0] <= 0 or abs(thirds[1] / thirds[0] - 1) <= limit:
        return ""
    first, last = thirds
    return (
        f"{Taint.CLOCK_DRIFT}: {what} {first:.0f} {unit} in the first third of training, {last:.0f} {unit} in the last"
    )
