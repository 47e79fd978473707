"""What the GPUs do, as NVML tells it. The only module that imports pynvml, and only when it is used.

What the driver does not say is None, never 0, and named in `GpuSample.unknown`. It judges nothing, and it starts
nothing on a GPU. NVML has been seen to hang, and to crash its host process when a GPU is lost: call this from a
process that may die (see `harness.machine`). `CUDA_VISIBLE_DEVICES` means nothing to NVML: all GPUs are listed.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from harness.machine_sample import GpuProcess, GpuSample
from harness.text import one_line
from harness.throttle_reasons import throttle_words

# NVML's return codes that decide something here. They are its ABI; pynvml has them too, but loading it costs 17 ms.
_UNINITIALIZED: Final = 1
_NO_PERMISSION: Final = 4
_NOT_FOUND: Final = 6
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

_UNNAMED: Final = "NVIDIA GPU"
_NO_INSTANCE: Final = 0xFFFFFFFF  # of a process on a GPU without MIG


class NvmlUnavailableError(Exception):
    """There are no GPU numbers now; the text says why, in one line. `Nvml.sample` may succeed later."""


class _LostError(Exception):
    """The GPU that was asked is off the bus, or needs a reset."""


class Nvml:
    """A connection to the driver that opens itself when it is first needed and again after the driver went away."""

    def __init__(
        self, name_of: Callable[[int], str | None], owned: Callable[[int], bool | None] = lambda _pid: None
    ) -> None:
        """`name_of` tells what a process is called, `owned` whether it is the run's; None where they cannot."""
        self._name_of = name_of
        self._owned = owned
        self._pynvml: Any = None  # the module, while NVML is initialised
        # Of GPUs seen so far: a lost one cannot be asked for its name any more.
        self._identities: dict[int, tuple[str, str | None]] = {}
        self._busy_until: dict[int, int] = {}  # by GPU: the driver's time of what it said last of processes' use

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
        millijoules = _ask(nvml, nvml.nvmlDeviceGetTotalEnergyConsumption, gpu)
        clock = _ask(nvml, nvml.nvmlDeviceGetClockInfo, gpu, nvml.NVML_CLOCK_SM)
        memory_clock = _ask(nvml, nvml.nvmlDeviceGetClockInfo, gpu, nvml.NVML_CLOCK_MEM)
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
            "energy_j": None if millijoules is None else millijoules / 1000,
            "sm_clock_mhz": clock,
            "memory_clock_mhz": memory_clock,
            "throttle": None if reasons is None else throttle_words(reasons),
            "processes": None if processes is None else self._processes(processes, self._busy(nvml, index, gpu)),
        }
        unknown = [key for key, value in given.items() if value is None]
        known = {key: value for key, value in given.items() if value is not None}
        return GpuSample(index=index, name=one_line(name or _UNNAMED, 60), unknown=unknown, **known)

    def _processes(self, found: list[Any], busy: dict[int, int] | None) -> list[GpuProcess]:
        # Under MIG a process is listed once an instance.
        memory: dict[int, int | None] = {}
        instances: dict[int, list[int]] = {}
        for one in found:
            before, more = memory.get(one.pid, 0), one.usedGpuMemory
            memory[one.pid] = None if before is None or more is None else before + more
            # An old driver's list has no such field, a GPU without MIG a number that is none.
            instance = getattr(one, "gpuInstanceId", _NO_INSTANCE)
            instances.setdefault(one.pid, []).extend([] if instance in {None, _NO_INSTANCE} else [instance])
        return [
            GpuProcess(
                pid=pid,
                name=self._name_of(pid),
                memory_used=used,
                own=self._owned(pid),
                sm_percent=None if busy is None else busy.get(pid, 0),
                instances=sorted(set(instances[pid])),
            )
            for pid, used in sorted(memory.items())
        ]

    def _busy(self, nvml: Any, index: int, gpu: Any) -> dict[int, int] | None:
        """By pid, the most of the multiprocessors' time since the last call, in percent; None where it is not told."""
        try:
            found = nvml.nvmlDeviceGetProcessUtilization(gpu, self._busy_until.get(index, 0))
        except nvml.NVMLError as error:
            _go_on_after(error)
            # pynvml raises "success" where the driver has nothing to tell.
            return {} if error.value in {0, _NOT_FOUND} else None
        busy: dict[int, int] = {}
        for one in found:
            busy[one.pid] = max(busy.get(one.pid, 0), one.smUtil)
            self._busy_until[index] = max(self._busy_until.get(index, 0), one.timeStamp)
        return busy


def _ask(nvml: Any, question: Callable[..., Any], *arguments: Any) -> Any:
    """What the driver answers; None where it has no answer, or no such question."""
    try:
        return question(*arguments)
    except nvml.NVMLError as error:
        _go_on_after(error)
        return None
    except nvml.NVMLLibraryMismatchError:
        return None


def _go_on_after(error: Any) -> None:
    """Nothing, where one question failed; raises where no further one makes sense."""
    if error.value in {_GPU_IS_LOST, _RESET_REQUIRED}:
        raise _LostError from None
    if error.value in {_UNINITIALIZED, _DRIVER_NOT_LOADED}:
        raise error


def _unavailable(error: Any) -> NvmlUnavailableError:
    reason = _UNAVAILABLE.get(error.value, f"the NVIDIA driver does not answer: {one_line(str(error), 100)}")
    return NvmlUnavailableError(reason)
