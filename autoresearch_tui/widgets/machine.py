"""This machine: its GPUs where there are any, its CPU and memory always, now and over the last minutes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoresearch_tui.format import MISSING, bar, gibibytes, percent, sparkline, used_of
from autoresearch_tui.lines import Line, Span, joined, line
from autoresearch_tui.state import WindowState
from autoresearch_tui.widgets.line_view import LineView
from harness.text import one_line

if TYPE_CHECKING:
    from harness.machine_sample import GpuSample, MachineSample


class Machine(LineView):
    """The machine's panel."""

    def __init__(self, **names: str) -> None:
        super().__init__(**names)
        self._samples: tuple[MachineSample, ...] = ()
        self._problem = ""

    def show(self, state: WindowState) -> None:
        """Show the last samples."""
        if state.machine is self._samples and state.machine_problem == self._problem:
            return
        self._samples, self._problem = state.machine, state.machine_problem
        self.remake()

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The lines."""
        return None, machine_lines(self._samples, self._problem, cells)


def machine_line(samples: Sequence["MachineSample"], problem: str, cells: int) -> Line:
    """The machine in one line of at most `cells` cells: the first GPU, or CPU and memory."""
    if not samples:
        return line((one_line(problem, max(1, cells)), "warn")) if problem else ()
    sample = samples[-1]
    if not sample.gpus:
        return joined(
            [
                line(("cpu ", "quiet"), percent(sample.cpu_percent), (f" of {sample.cpu_count}", "quiet")),
                line(("mem ", "quiet"), used_of(sample.memory_used, sample.memory_total)),
            ],
            cells,
            ("  ", ""),
        )
    gpu = sample.gpus[0]
    more = f" (+{len(sample.gpus) - 1})" if len(sample.gpus) > 1 else ""
    if gpu.lost:
        return line((f"gpu{gpu.index}{more} × lost", "bad"))
    parts = [
        line((f"gpu{gpu.index}{more} ", "quiet"), percent(gpu.utilization)),
        line(used_of(gpu.memory_used, gpu.memory_total)),
        line(_watts(gpu)),
        line(_degrees(gpu)),
    ]
    if gpu.throttle:
        parts.insert(1, line(("! throttled", "warn")))
    return joined(parts, cells, ("  ", ""))


def machine_lines(samples: Sequence["MachineSample"], problem: str, cells: int) -> list[Line]:
    """The whole panel."""
    if not samples:
        return [line((one_line(problem) or "waiting for the first sample", "warn" if problem else "quiet"))]
    sample = samples[-1]
    lines: list[Line] = []
    for gpu in sample.gpus:
        lines += _gpu_lines(gpu, samples, cells)
    if not sample.gpus:
        # Without what the driver's library said: the panel is narrow, and `doctor` says it.
        reason = one_line(sample.gpu_error).partition(" (")[0] or "no GPU"
        lines.append(line((f"{reason}: CPU and memory", "quiet")))
    history = [one.cpu_percent for one in samples]
    lines.append(_meter("cpu", history, percent(sample.cpu_percent), cells, f"of {sample.cpu_count}"))
    total = sample.memory_total
    memory = [100 * one.memory_used / total for one in samples] if total else []
    lines.append(_meter("mem", memory, used_of(sample.memory_used, total), cells))
    lines.append(line(("load ", "quiet"), f"{sample.load1:.2f}", (f"  {one_line(sample.cpu_name)}", "quiet")))
    return lines


def _gpu_lines(gpu: "GpuSample", samples: Sequence["MachineSample"], cells: int) -> list[Line]:
    name = line((f"gpu{gpu.index} ", "quiet"), (one_line(gpu.name, 40), "strong"))
    if gpu.lost:
        return [line(*name, ("  × lost: it fell off the bus or needs a reset", "bad"))]
    sensors = joined(
        [line(part) for part in (_watts(gpu), _degrees(gpu), _clock(gpu)) if part], max(0, cells - 2), ("  ", "")
    )
    past = [one.gpus for one in samples]
    history = [
        float(match.utilization)
        for gpus in past
        for match in gpus
        if match.index == gpu.index and match.utilization is not None
    ]
    space = _meter_width(cells)
    share = gpu.memory_used / gpu.memory_total if gpu.memory_used is not None and gpu.memory_total else None
    lines = [
        name,
        _meter("util", history, percent(gpu.utilization), cells),
        line(("mem  ", "quiet"), (bar(share, space), "busy"), f" {used_of(gpu.memory_used, gpu.memory_total)}"),
        sensors,
    ]
    if gpu.throttle:
        lines.append(line((f"! throttled: {', '.join(one_line(word) for word in gpu.throttle)}", "warn")))
    for process in gpu.processes:
        owner = one_line(process.name or "unknown", 30)
        lines.append(line((f"{process.pid} ", "quiet"), owner, f"  {gibibytes(process.memory_used)} GiB"))
    return lines


def _meter(name: str, history: Sequence[float], now: str, cells: int, reference: str = "") -> Line:
    """A name, a history on a fixed scale of 0 to 100 %, the value now."""
    space = _meter_width(cells)
    blocks: Span = (sparkline(history[-space:], space, 0.0, 100.0).rjust(space), "busy")
    return line((f"{name:<5}", "quiet"), blocks, f" {now}", (f" {reference}" if reference else "", "quiet"))


def _meter_width(cells: int) -> int:
    return max(4, min(30, cells - 20))


def _watts(gpu: "GpuSample") -> str:
    if gpu.power_w is None:
        return ""
    limit = MISSING if gpu.power_limit_w is None else f"{gpu.power_limit_w:.0f}"
    return f"{gpu.power_w:.0f}/{limit} W"


def _degrees(gpu: "GpuSample") -> str:
    return "" if gpu.temperature_c is None else f"{gpu.temperature_c} °C"


def _clock(gpu: "GpuSample") -> str:
    return "" if gpu.sm_clock_mhz is None else f"{gpu.sm_clock_mhz} MHz"
