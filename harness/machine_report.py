"""What the machine did during one run's training: its samples, summed up. Pure; `harness.taint` judges it.

Only what lies between training's beginning and its end counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any, Final, Self

from harness.gpu_owners import Foreign, GpuOwners
from harness.machine_sample import MachineSample
from harness.result import Record
from harness.text import one_line
from harness.visible_gpu import find_gpu

# A median of fewer is luck.
_LEAST_IN_A_THIRD: Final = 3

# After so many intervals and so many seconds without a sample the sampler is taken to be dead; a loaded machine delays
# it by an interval, or by a second.
_SILENT_INTERVALS: Final = 3.0
_SILENT_S: Final = 2.0

# Foreign processes that a report names; the number of all of them is told, too.
_NAMED: Final = 5


@dataclass(frozen=True)
class MachineReport(Record):
    """What the machine did during one run's training. What is not known is None.

    Attributes:
        samples: that were taken during training.
        seconds: of training, on the wall.
        lost: why the numbers end before training did, one line; empty where they do not.
        gpu_error: why there is nothing of a GPU, one line; empty where there is, and where none was used.
        unknown: what the driver never told of the GPU, by names of `GpuSample`: there, nothing seen means nothing.
        gpu_index, gpu_uuid, gpu_name: the GPU that was used; None, None and "" where none was, or it is not known.
        utilization, utilization_most: percent of the time in which a kernel ran: the mean and the highest sample.
        memory_peak: bytes of the GPU's memory that the run's own processes had together, in the highest sample. It is
            the driver's count: contexts and libraries included. A peak between two samples is not seen.
        power_w: mean watts.
        energy_j: joules by the card's own counter, from the first sample to the last.
        sm_clock_mhz: median.
        sm_clock_spread_mhz: the highest less the lowest.
        sm_clock_thirds: medians of the first and the last third of the samples; empty where those are too few.
        throttled: by reason, the share of the samples in which the clocks were held down for it, 0 to 1.
        foreign: processes that were not the run's, those that computed longest first, and no more than five.
        foreign_count: how many there were.
        cpu_name, cpu_count: the CPUs' model and number.
        cpu_percent: how busy all CPUs together were, 0 to 100, mean; what was stolen counts as busy.
        steal_percent: of the CPU time that anything here wanted, what the hypervisor gave to others, 0 to 100.
        steal_thirds: the same for the first and the last third; empty where those are too few.
        load1: mean load average over a minute.
        cpu_mhz: median of the fastest CPU's frequency.
        cpu_mhz_thirds: as `sm_clock_thirds`.
    """

    samples: int
    seconds: float
    lost: str = ""
    gpu_error: str = ""
    unknown: list[str] = field(default_factory=list)
    gpu_index: int | None = None
    gpu_uuid: str | None = None
    gpu_name: str = ""
    utilization: float | None = None
    utilization_most: int | None = None
    memory_peak: int | None = None
    power_w: float | None = None
    energy_j: float | None = None
    sm_clock_mhz: float | None = None
    sm_clock_spread_mhz: float | None = None
    sm_clock_thirds: list[float] = field(default_factory=list)
    throttled: dict[str, float] = field(default_factory=dict)
    foreign: list[Foreign] = field(default_factory=list)
    foreign_count: int = 0
    cpu_name: str = ""
    cpu_count: int = 0
    cpu_percent: float | None = None
    steal_percent: float | None = None
    steal_thirds: list[float] = field(default_factory=list)
    load1: float | None = None
    cpu_mhz: float | None = None
    cpu_mhz_thirds: list[float] = field(default_factory=list)

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """As `Record.from_dict`, with the foreign processes as records."""
        if isinstance(data, dict) and isinstance(data.get("foreign"), list):
            data = {**data, "foreign": [Foreign.from_dict(one) for one in data["foreign"]]}
        return super().from_dict(data)


def report(
    samples: Sequence[MachineSample],
    *,
    started: float,
    began: float,
    ended: float,
    gpu: str = "",
    own_most: int = 1,
    every_s: float = 1.0,
) -> MachineReport:
    """What a run's samples amount to.

    Args:
        samples: in order, from before the run's first process was started; see `harness.machine.stream`.
        started: when that was, on `time.monotonic`: who computed on the GPU before is not the run's.
        began: training's beginning, on the same clock.
        ended: its end.
        gpu: what `harness.visible_gpu.first_visible` names; empty for a run that uses none.
        own_most: how many processes of the run compute on the GPU at once, at the most. Only used where the driver's
            pids say nothing (a container): of the processes that were not there before the run was started, the first
            so many are taken for its own.
        every_s: seconds between samples, as they were ordered.
    """
    within = [one for one in samples if began <= one.clock <= ended]
    before = [one for one in samples if one.clock < started]
    steal = [_stolen(one) for one in within]
    frequency = [one.cpu_mhz for one in within]
    return MachineReport(
        samples=len(within),
        seconds=round(ended - began, 3),
        cpu_name=within[-1].cpu_name if within else "",
        cpu_count=within[-1].cpu_count if within else 0,
        cpu_percent=_mean(one.cpu_percent for one in within),
        steal_percent=_mean(steal),
        steal_thirds=_thirds(steal, fmean),
        load1=_mean(one.load1 for one in within),
        cpu_mhz=_median(frequency),
        cpu_mhz_thirds=_thirds(frequency, median),
        **(
            {"lost": _silence(samples, began, ended, every_s)}
            | (_gpu_part(before, within, gpu, own_most) if gpu else {})
        ),
    )


def _gpu_part(
    before: Sequence[MachineSample], within: Sequence[MachineSample], wanted: str, own_most: int
) -> dict[str, Any]:
    """The fields of a report that are about the GPU."""
    errors = [one_line(one.gpu_error) for one in within if one.gpu_error]
    seen = [gpu for one in within if (gpu := find_gpu(one.gpus, wanted)) is not None]
    if not seen:
        unknown = [f"the driver did not tell which GPU {one_line(wanted, 60)} is"] if within else [""]
        return {"gpu_error": (errors or unknown)[-1]}
    well = [gpu for gpu in seen if not gpu.lost]
    clocks = [gpu.sm_clock_mhz for gpu in well]
    known_clocks = [one for one in clocks if one is not None]
    energy = [gpu.energy_j for gpu in well if gpu.energy_j is not None]
    reasons = Counter(reason for gpu in well for reason in gpu.throttle)
    earlier = [gpu for one in before if (gpu := find_gpu(one.gpus, wanted)) is not None]
    owned = GpuOwners(earlier, well, own_most)
    foreign = owned.foreign()
    part: dict[str, Any] = {
        "unknown": [] if not well else [name for name in well[0].unknown if all(name in gpu.unknown for gpu in well)],
        "gpu_index": seen[-1].index,
        "gpu_uuid": seen[-1].uuid,
        "gpu_name": seen[-1].name,
        "utilization": _mean(gpu.utilization for gpu in well),
        "utilization_most": max((gpu.utilization for gpu in well if gpu.utilization is not None), default=None),
        "memory_peak": owned.memory_peak(),
        "power_w": _mean(gpu.power_w for gpu in well),
        "energy_j": round(energy[-1] - energy[0], 3) if len(energy) > 1 and energy[-1] >= energy[0] else None,
        "sm_clock_mhz": _median(clocks),
        "sm_clock_spread_mhz": max(known_clocks) - min(known_clocks) if known_clocks else None,
        "sm_clock_thirds": _thirds(clocks, median),
        "throttled": {reason: round(count / len(well), 4) for reason, count in reasons.most_common()},
        "foreign": foreign[:_NAMED],
        "foreign_count": len(foreign),
    }
    if len(well) < len(seen):
        part["lost"] = "the GPU was lost"
    elif errors:
        part["lost"] = errors[-1]
    return part


def _stolen(sample: MachineSample) -> float | None:
    """Of the CPU time that was wanted, the percent that was given to others."""
    if sample.steal_percent is None:
        return None
    return min(100.0, 100.0 * sample.steal_percent / max(sample.cpu_percent, sample.steal_percent, 1e-9))


def _silence(samples: Sequence[MachineSample], began: float, ended: float, every_s: float) -> str:
    last = max([began, *(one.clock for one in samples if one.clock <= ended)])
    silent = ended - last
    if silent <= max(_SILENT_S, _SILENT_INTERVALS * every_s):
        return ""
    return f"the machine was not watched for the last {silent:.0f} s of {ended - began:.0f} s"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return round(fmean(known), 3) if known else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return float(median(known)) if known else None


def _thirds(values: Sequence[float | None], middle: Callable[[list[float]], float]) -> list[float]:
    """`middle` of the first and of the last third of what is known; nothing where a third is too short."""
    known = [float(one) for one in values if one is not None]
    third = len(known) // 3
    return [middle(known[:third]), middle(known[-third:])] if third >= _LEAST_IN_A_THIRD else []
