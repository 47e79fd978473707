"""The records of what a machine does at one moment: its GPUs and what computes there, its CPUs and memory.

Values only. `harness.machine` fills them, `harness.taint` judges them, the window shows them.
"""

from dataclasses import dataclass, field
from typing import Any, Self

from harness.result import Record, RecordError


@dataclass(frozen=True)
class GpuProcess(Record):
    """A process that computes on a GPU.

    Attributes:
        pid: as the driver counts; in a container it may be a number of the host's.
        name: what it is called; None where that cannot be known.
        memory_used: bytes of the GPU's memory; None where the driver does not say.
        own: whether it belongs to the run that is looked at; None where that cannot be known, as for a pid that is the
            host's, or where no run is looked at.
        sm_percent: how much of the time since the sample before its kernels ran, at the most; None where unknown.
        instances: ids of the GPU instances (MIG) that it computes in; empty without MIG.
    """

    pid: int
    name: str | None
    memory_used: int | None
    own: bool | None = None
    sm_percent: int | None = None
    instances: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class GpuSample(Record):
    """One GPU at one moment. Every number is None where the driver does not give it.

    Attributes:
        index: NVML's, in PCI bus order.
        name: the product; "NVIDIA GPU" where the driver does not say.
        uuid: "GPU-...".
        utilization: percent of the last sampling period in which a kernel ran.
        memory_used, memory_total: bytes.
        power_w, power_limit_w: watts.
        temperature_c: of the chip, degrees Celsius.
        energy_j: joules since the driver was loaded; only a difference means something.
        sm_clock_mhz: of the streaming multiprocessors.
        memory_clock_mhz: of the memory.
        throttle: why the clocks are held down, in words; empty when they are not, or when that is unknown.
        processes: those that compute here, by pid; empty when there are none, or when that is unknown.
        lost: the GPU fell off the bus or needs a reset; nothing else is known of it.
        unknown: names of the fields above that the driver did not give.
    """

    index: int
    name: str
    uuid: str | None = None
    utilization: int | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    temperature_c: int | None = None
    energy_j: float | None = None
    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    throttle: list[str] = field(default_factory=list)
    processes: list[GpuProcess] = field(default_factory=list)
    lost: bool = False
    unknown: list[str] = field(default_factory=list)

    @classmethod
    def from_dict(cls, data: Any) -> "GpuSample":
        """As `Record.from_dict`, with the processes as records."""
        if isinstance(data, dict) and isinstance(data.get("processes"), list):
            data = {**data, "processes": [GpuProcess.from_dict(one) for one in data["processes"]]}
        return super().from_dict(data)


@dataclass(frozen=True)
class MachineSample(Record):
    """The machine at one moment.

    Attributes:
        at: seconds since the epoch.
        clock: the same moment on `time.monotonic`, which all processes of a Linux machine share; 0 in older records.
        gpus: in NVML's order; empty where `gpu_error` says why there is no number.
        gpu_error: one line for a person; empty where NVML answered.
        cpu_percent: of all CPUs together, 0 to 100, since the sample before; time that was stolen counts as used.
        steal_percent: of the same, what the hypervisor gave to others while something here wanted it; None where the
            kernel does not say.
        cpu_count: logical CPUs.
        cpu_name: the model.
        cpu_mhz: of the fastest CPU now, which is one that works; None where the kernel does not say. A virtual machine
            often names one number for ever.
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
    clock: float = 0.0
    steal_percent: float | None = None
    cpu_mhz: float | None = None

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """As `Record.from_dict`, with the GPUs as records."""
        if not isinstance(data, dict) or not isinstance(data.get("gpus", []), list):
            raise RecordError("a machine sample is an object with a list of gpus")
        return super().from_dict({**data, "gpus": [GpuSample.from_dict(one) for one in data.get("gpus", [])]})
