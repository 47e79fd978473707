"""Compiles the stand-in for NVML's library, which the real pynvml loads when it is first in LD_LIBRARY_PATH."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("nvml_standin.c")


def compiled(directory: Path, *flags: str) -> Path:
    """Build the library in `directory`, which is returned; skips the test where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in for libnvidia-ml with")
    library = directory / "libnvidia-ml.so.1"
    command = [compiler, "-Wall", "-Werror", "-shared", "-fPIC", f"-Wl,-soname,{library.name}", *flags]
    subprocess.run([*command, "-o", str(library), str(_SOURCE)], check=True)
    return directory


def environment(driver: Path, scenario: str = "healthy", **more: str) -> dict[str, str]:
    """This process's environment, with the stand-in for its driver."""
    return {**os.environ, "LD_LIBRARY_PATH": str(driver), "NVML_STANDIN": scenario, **more}
