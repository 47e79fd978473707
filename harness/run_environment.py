"""The environment variables of a run's processes: named ones and no others, so that a genome gets no secret. Pure."""

from collections.abc import Mapping
from typing import Final

RUN_ID_VARIABLE: Final = "AUTORESEARCH_RUN_ID"
HUB_CACHE_VARIABLE: Final = "HF_HUB_CACHE"

# Where programs, shared libraries and GPUs are found, and which language errors are in.
_PASSED_ON: Final = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES")

# glibc gives freed memory back to the kernel above these sizes; kept, a training step is 8 to 30 % shorter.
_MALLOC: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


def hub_cache(ours: Mapping[str, str]) -> str:
    """Where kernels lie that were downloaded before, as huggingface_hub looks for them; a run's own home has none."""
    home = ours.get("HF_HOME") or f"{ours.get('XDG_CACHE_HOME') or ours.get('HOME', '') + '/.cache'}/huggingface"
    return ours.get(HUB_CACHE_VARIABLE) or f"{home}/hub"


def run_environment(ours: Mapping[str, str], run_id: str, scratch: str) -> dict[str, str]:
    """The whole environment of one process of a run.

    Args:
        ours: the runner's own environment.
        run_id: marks the processes of this run, so that leftovers can be told.
        scratch: the directory that a run may write to; its home.
    """
    return {
        **{name: ours[name] for name in _PASSED_ON if name in ours},
        **_MALLOC,
        "HOME": scratch,
        "TMPDIR": scratch,
        # One thread: two spin under contention, and then CPU time measures the neighbours.
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # as NVML counts, so that the GPU that is watched is the one that is used
        "HF_HUB_OFFLINE": "1",  # without it a missing kernel costs 23 s of retries
        HUB_CACHE_VARIABLE: hub_cache(ours),
        RUN_ID_VARIABLE: run_id,
    }
