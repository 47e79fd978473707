"""Where the trainer's compilers keep what they made, from one run to the next: on a GPU that saves minutes.

Genomes write there, and so may make each other train otherwise; the processes that are scored have private places.
"""

import shutil
from pathlib import Path

from harness.scratch_size import TooDeepError, written_bytes

_PLACES = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton", "CUDA_CACHE_PATH": "cuda"}


def open_cache(directory: Path, most_bytes: int) -> dict[str, str]:
    """Make the directory, or empty it if it takes more room than `most_bytes`; the variables that lead there.

    Raises:
        OSError: it cannot be made.
    """
    try:
        full = directory.is_dir() and written_bytes(directory, most_bytes) > most_bytes
    except TooDeepError:
        full = True
    if full or directory.is_symlink():
        shutil.rmtree(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {variable: str(directory / name) for variable, name in _PLACES.items()}
