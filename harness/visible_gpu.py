"""Which GPU a run gets, by what CUDA_VISIBLE_DEVICES says. Pure."""

from collections.abc import Sequence

from harness.machine_sample import GpuSample

_OLD_MIG = "MIG-GPU-"  # before driver 470: MIG-GPU-<uuid>/<GPU instance>/<compute instance>


def first_visible(visible_devices: str | None) -> str:
    """The first GPU that CUDA shows: an index ("0") or the beginning of a UUID ("GPU-…", "MIG-…"); empty if none.

    CUDA's indices are NVML's where CUDA_DEVICE_ORDER is PCI_BUS_ID, as `harness.run_environment` has it.

    Args:
        visible_devices: the variable's value; None where it is not set, and all GPUs are shown.
    """
    if visible_devices is None:
        return "0"
    first = visible_devices.split(",")[0].strip()
    # CUDA shows what comes before the first entry that is no device.
    return first if first.isdecimal() or first.startswith(("GPU-", "MIG-")) else ""


def find_gpu(gpus: Sequence[GpuSample], wanted: str) -> GpuSample | None:
    """The GPU among NVML's that `first_visible` named; None where it cannot be told.

    An instance (MIG) names its GPU only in old drivers' words; else it is found where there is one GPU alone.
    """
    if wanted.isdecimal():
        return next((gpu for gpu in gpus if gpu.index == int(wanted)), None)
    if wanted.startswith(_OLD_MIG):
        wanted = wanted.removeprefix("MIG-").partition("/")[0]
    if wanted.startswith("MIG-"):
        return gpus[0] if len(gpus) == 1 else None
    found = [gpu for gpu in gpus if gpu.uuid is not None and wanted and gpu.uuid.startswith(wanted)]
    return found[0] if len(found) == 1 else None


def lease_name(gpus: Sequence[GpuSample], wanted: str) -> str:
    """What a lease calls the GPU: its UUID where it is known, so that an index and a UUID are one GPU's; else `wanted`.

    Two instances of one GPU (MIG) share neither processors nor memory: each has a lease of its own.
    """
    gpu = find_gpu(gpus, wanted)
    return wanted if gpu is None or gpu.uuid is None or wanted.startswith("MIG-") else gpu.uuid
