"""What a process that uses a GPU is called, from /proc. Read only, best effort; None is an answer.

The driver may count pids as the host does while we live in a container, where the same number can be an innocent
process. So a name is given only to a process that is seen to hold a GPU's device file, or that we may not inspect.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.text import one_line

GPU_DEVICES: Final = ("/dev/nvidia", "/dev/dxg")  # the latter under WSL
_PROC: Final = Path("/proc")


def process_name(pid: int, devices: Sequence[str] = GPU_DEVICES) -> str | None:
    """The script or program of the process; None if there is none of that number, or it holds none of the devices."""
    try:
        command = (_PROC / str(pid) / "cmdline").read_bytes()
        short = (_PROC / str(pid) / "comm").read_text(errors="replace")
    except OSError:
        return None
    if not holds_device(pid, devices):
        return None
    return one_line(title(command.decode("utf-8", "replace").rstrip("\0").split("\0")) or short, 40) or None


def title(argv: Sequence[str]) -> str:
    """What tells a command line from others: of `python -u src/train.py --x`, "train.py"; of `python -m a.b`, "a.b"."""
    program = argv[0].rpartition("/")[2] if argv else ""
    if not program.startswith("python"):
        return program
    rest = list(argv[1:])
    while rest:
        word = rest.pop(0)
        if word == "-m" and rest:
            return rest[0]
        if word == "-c":
            break
        if word in {"-X", "-W"} and rest:
            rest.pop(0)
        elif not word.startswith("-"):
            return word.rpartition("/")[2]
    return program


def holds_device(pid: int, devices: Sequence[str]) -> bool:
    """Whether the process has a file open below one of `devices`; true, too, where we may not look."""
    descriptors = _PROC / str(pid) / "fd"
    try:
        links = list(descriptors.iterdir())
    except PermissionError:
        return True  # another user's process: nothing speaks against the driver's word
    except OSError:
        return False
    for link in links:
        try:
            if str(link.readlink()).startswith(tuple(devices)):
                return True
        except OSError:
            continue  # closed meanwhile
    return False
