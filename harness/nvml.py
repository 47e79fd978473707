"""What the GPUs do, as NVML tells it. The only module that imports pynvml, and only when it is used.

What the driver does not say is None, never 0, and named in `GpuSample.unknown`. It judges nothing, and it starts
nothing on a GPU. NVML has been seen to hang, and to crash its host process when a GPU is lost: call this from a
process that may die (see `harness.machine`). `CUDA_VISIBLE_DEVICES` means nothing to NVML: all GPUs are listed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final

from harness.result import Record
from harness.text import one_line

# NVML's return codes that decide something here. They are its ABI; pynvml has them too, but loading it costs 17 ms.
_UNINITIALIZED: Final = 1
_NO_PERMISSION: Final = 4
_DRIVER_NOT_LOADED: Final = 9
_LIBRARY_NOT_FOUND: Final = 12
_GPU_IS_LOST: Final = 15
_RESET_REQUIRED: Final = 16
_VERSION_MISMATCH: Final = 18

NO_LIBRARY: Final = "no NVIDIA driver on this machine (libnvidia-ml.so.1 was not found)"
NOT_LOADED: Final = "the NVIDIA driver is installed but not loaded; in a container, no GPU was passed in"
MISMATCH: Final = "the NVIDIA driver was updated since this machine started; reboot it"
NO_GPU: Final = "the NVIDIA driver is loaded but shows no GPU"
_UNAVAILABLE: Final = {
    _LIBRARY_NOT_FOUND: NO_LIBRARY,
    _DRIVER_NOT_LOADED: NOT_LOADED,
    _VERSION_MISMATCH: MISMATCH,
    _NO_PERMISSION: "this user may not talk to the NVIDIA driver; look at the permissions of /dev/nvidiactl",
}

# Bits of nvmlDeviceGetCurrentClocksEventReasons; 1 is idle, which slows nobody down.
_THROTTLE: Final = {
    0x002: "application clocks",
    0x004: "power cap",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "software thermal",
    0x040: "hardware thermal",
    0x080: "power brake",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability",
}
_IDLE: Final = 0x001
_UNNAMED: Final = "NVIDIA GPU"


class NvmlUnavailableError(Exception):
    """There are no GPU numbers now; the text says why, in one line. `Nvml.sample` may succeed later."""


class _LostError(Exception):
    """The GPU that was asked is off the bus, or needs a reset."""


@dataclass(frozen=True)
class GpuProcess(Record):
    """A process that computes on a GPU.

    Attributes:
        pid: as the driver counts; in a container it may be a number of the host's.
        name: what it is called; None where that cannot be known.
        memory_used: bytes of the GPU's memory; None where the driver does not say.
    """

    pid: int
    name: str | None
    memory_used: int | None


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
        sm_clock_mhz: of the streaming multiprocessors.
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
    sm_clock_mhz: int | None = None
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


def throttle_words(reasons: int) -> list[str]:
    """A clock event bit mask in words, idle left out; bits that are not known are given as a number."""
    words = [word for bit, word in _THROTTLE.items() if reasons & bit]
    rest = reasons & ~(sum(_THROTTLE) | _IDLE)
    return [*words, f"reason {rest:#x}"] if rest else words


class Nvml:
    """A connection to the driver that opens itself when it is first needed and again after the driver went away."""

    def __init__(self, name_of: Callable[[int], str | None]) -> None:
        """`name_of` tells what a process of the machine is called; None where it cannot."""
        self._name_of = name_of
        self._pynvml: Any = None  # the module, while NVML is initialised
        # Of GPUs seen so far: a lost one cannot be asked for its name any more.
        self._identities: dict[int, tuple[str, str | None]] = {}

    def sample(self) -> list[GpuSample]:
        """All GPUs, one sample each. Takes milliseconds; the first call may take seconds.

        Raises:
            NvmlUnavailableError: no driver, not loaded, a wrong version, no GPU, ...
        """
        nvml = self._opened()
        try:
            count = int(nvml.nvmlDeviceGetCount())
            samples = [self._gpu(nvml, index) for index in range(count)]
        except nvml.NVMLError as error:
            # The driver went away under us; a new initialisation must follow.
            self.close()
            raise _unavailable(error) from None
        if not samples:
            raise NvmlUnavailableError(NO_GPU)
        return samples

    def close(self) -> None:
        """End the connection; `sample` opens a new one."""
        nvml, self._pynvml = self._pynvml, None
        if nvml is not None:
            try:
                nvml.nvmlShutdown()
            except nvml.NVMLError:
                return  # the driver forgot us first

    def _opened(self) -> Any:
        if self._pynvml is None:
            import pynvml

            try:
                pynvml.nvmlInit()
            except pynvml.NVMLError as error:
                raise _unavailable(error) from None
            self._pynvml = pynvml
        return self._pynvml

    def _gpu(self, nvml: Any, index: int) -> GpuSample:
        try:
            gpu = _ask(nvml, nvml.nvmlDeviceGetHandleByIndex, index)
            # Without a handle (no permission for this one, say) it exists, and nothing is known of it.
            sample = self._unknown(index) if gpu is None else self._known(nvml, index, gpu)
        except _LostError:
            return self._unknown(index, lost=True)
        self._identities[index] = (sample.name, sample.uuid)
        return sample

    def _unknown(self, index: int, *, lost: bool = False) -> GpuSample:
        name, uuid = self._identities.get(index, (_UNNAMED, None))
        given = {"index", "name", "lost", "unknown"} | ({"uuid"} if uuid else set())
        unknown = [one.name for one in fields(GpuSample) if one.name not in given]
        return GpuSample(index=index, name=name, uuid=uuid, lost=lost, unknown=unknown)

    def _known(self, nvml: Any, index: int, gpu: Any) -> GpuSample:
        name = _ask(nvml, nvml.nvmlDeviceGetName, gpu)
        uuid = _ask(nvml, nvml.nvmlDeviceGetUUID, gpu)
        utilization = _ask(nvml, nvml.nvmlDeviceGetUtilizationRates, gpu)
        # Version 2 leaves out what the driver reserves for itself, as nvidia-smi does; old drivers lack it.
        memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, gpu, nvml.nvmlMemory_v2)
        if memory is None:
            memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, gpu)
        milliwatts = _ask(nvml, nvml.nvmlDeviceGetPowerUsage, gpu)
        milliwatts_limit = _ask(nvml, nvml.nvmlDeviceGetEnforcedPowerLimit, gpu)
        temperature = _ask(nvml, nvml.nvmlDeviceGetTemperatureV, gpu, nvml.NVML_TEMPERATURE_GPU)
        if temperature is None:  # a driver older than that call
            temperature = _ask(nvml, nvml.nvmlDeviceGetTemperature, gpu, nvml.NVML_TEMPERATURE_GPU)
        clock = _ask(nvml, nvml.nvmlDeviceGetClockInfo, gpu, nvml.NVML_CLOCK_SM)
        reasons = _ask(nvml, nvml.nvmlDeviceGetCurrentClocksEventReasons, gpu)
        if reasons is None:  # its name until driver 535
            reasons = _ask(nvml, nvml.nvmlDeviceGetCurrentClocksThrottleReasons, gpu)
        processes = _ask(nvml, nvml.nvmlDeviceGetComputeRunningProcesses_v3, gpu)
        if processes is None:
            processes = _ask(nvml, nvml.nvmlDeviceGetComputeRunningProcesses_v2, gpu)
        given: dict[str, Any] = {
            "uuid": uuid,
            "utilization": None if utilization is None else int(utilization.gpu),
            "memory_used": None if memory is None else int(memory.used),
            "memory_total": None if memory is None else int(memory.total),
            "power_w": None if milliwatts is None else milliwatts / 1000,
            "power_limit_w": None if milliwatts_limit is None else milliwatts_limit / 1000,
            "temperature_c": temperature,
            "sm_clock_mhz": clock,
            "throttle": None if reasons is None else throttle_words(reasons),
            "processes": None if processes is None else self._processes(processes),
        }
        unknown = [key for key, value in given.items() if value is None]
        known = {key: value for key, value in given.items() if value is not None}
        return GpuSample(index=index, name=one_line(name or _UNNAMED, 60), unknown=unknown, **known)

    def _processes(self, found: list[Any]) -> list[GpuProcess]:
        # Under MIG a process is listed once an instance.
        memory: dict[int, int | None] = {}
        for one in found:
            before, more = memory.get(one.pid, 0), one.usedGpuMemory
            memory[one.pid] = None if before is None or more is None else before + more
        return [GpuProcess(pid, self._name_of(pid), used) for pid, used in sorted(memory.items())]


def _ask(nvml: Any, question: Callable[..., Any], *arguments: Any) -> Any:
    """What the driver answers; None where it has no answer, or no such question."""
    try:
        return question(*arguments)
    except nvml.NVMLError as error:
        if error.value in {_GPU_IS_LOST, _RESET_REQUIRED}:
            raise _LostError from None
        if error.value in {_UNINITIALIZED, _DRIVER_NOT_LOADED}:
            raise
        return None
    except nvml.NVMLLibraryMismatchError:
        return None


def _unavailable(error: Any) -> NvmlUnavailableError:
    reason = _UNAVAILABLE.get(error.value, f"the NVIDIA driver does not answer: {one_line(str(error), 100)}")
    return NvmlUnavailableError(reason)
