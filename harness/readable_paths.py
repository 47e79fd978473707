"""What a run must be able to read, and which devices to use, for Python, torch and CUDA to work. It allows nothing.

Found by training within the sandbox; the parts for a GPU follow what the driver's library is known to open.
"""

import os
import pwd
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from harness.run_environment import HUB_CACHE_VARIABLE

_OF_PREFIX: Final = ("lib", "lib64", "bin", "include", "pyvenv.cfg")
# Shared libraries, and the compilers that torch.compile starts.
_SYSTEM: Final = (
    "/bin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/cuda",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/nix/store",
)
_FACTS: Final = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
)
_FACTS_OF_GPUS: Final = (
    "/proc/devices",
    "/proc/driver/nvidia",
    "/proc/modules",
    "/proc/version",
    "/sys/bus/pci",
    "/sys/devices",
    "/sys/module",
    "/usr/lib/wsl",
    "/usr/share/nvidia",
)
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


@cache
def python_paths() -> tuple[Path, ...]:
    """What can be read and run: this Python with its packages, the harness, the system's programs and libraries.

    Not the whole of the prefix: a person may have made theirs in the home directory. Looked up once, which takes a
    millisecond: a process that forks others should have done it before.
    """
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    paths = [f"{prefix}/{name}" for prefix in prefixes for name in _OF_PREFIX]
    paths += _SYSTEM
    paths += (one for name in ("LD_LIBRARY_PATH", "CUDA_HOME") for one in os.environ.get(name, "").split(":"))
    paths.append(str(Path(__file__).parent))
    return tuple(_real(paths))


def fact_paths(*, gpu: bool) -> list[Path]:
    """What can be read and tells of the machine and of the process itself, and of no other process.

    A child of this process has no way to its own facts: the rule is for one process.
    """
    return _real([*_FACTS, *(_FACTS_OF_GPUS if gpu else ()), f"/proc/{os.getpid()}"])


def kernel_paths() -> list[Path]:
    """Compiled kernels in the hub's cache, and nothing else that lies there: models and data sets may be private."""
    cache = Path(os.environ.get(HUB_CACHE_VARIABLE, ""))
    return _real(map(str, cache.glob("kernels--*"))) if cache.is_absolute() else []


def device_paths(*, gpu: bool) -> list[Path]:
    """The devices that can be read and written. /dev/shm is none of them: it would join what must be apart."""
    nvidia = [*map(str, Path("/dev").glob("nvidia*")), "/dev/dxg"] if gpu else []
    return _real([*_DEVICES, *nvidia])


def _real(paths: Iterable[str]) -> list[Path]:
    """Those that exist, without symbolic links, each once; never a whole file system or a home."""
    return list(dict.fromkeys(_existing(paths)))


def _existing(paths: Iterable[str]) -> Iterator[Path]:
    too_much = {Path("/"), _home()}
    for path in paths:
        if path.startswith("/") and os.path.exists(path):  # noqa: PTH110 - raises for none
            real = Path(os.path.realpath(path))
            if real not in too_much:
                yield real


def _home() -> Path:
    try:
        return Path(os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir))  # not $HOME: in a run that is its scratch
    except KeyError:  # a container's number without a name
        return Path("/root")


def gpu_at_hand() -> bool:
    """Whether there is a device of an NVIDIA driver; it may be broken all the same."""
    return any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/dxg"))
