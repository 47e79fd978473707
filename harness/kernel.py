"""System calls that Python has no name for, through libc. It knows what none of them is for. Linux only."""

import ctypes
import os
import platform
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

# As uname names it, by how the tables of the kernel name it.
MACHINES: Final = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def machine() -> str:
    """The instruction set: "x86_64", "aarch64", or "" for one whose system calls are not known here."""
    return MACHINES.get(platform.machine(), "")


def syscall(number: int, *arguments: "int | ctypes.Array[ctypes.c_char] | None") -> int:
    """Make a system call by its number. An argument is a number, or a buffer whose address is passed.

    Raises:
        OSError: it failed.
    """
    words = [ctypes.c_long(one or 0) if isinstance(one, int | None) else one for one in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *words))


def prctl(option: int, *arguments: "int | ctypes.Array[ctypes.c_char]") -> int:
    """Change how the kernel treats this process: an option, and what it takes.

    Raises:
        OSError: it failed.
    """
    padded = [*arguments, 0, 0, 0, 0][:4]
    words = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in padded]
    return _checked(_LIBC.prctl(ctypes.c_int(option), *words))


def unshare(flags: int) -> None:
    """Leave the namespaces whose flags are given for new ones.

    Raises:
        OSError: it failed.
    """
    _checked(_LIBC.unshare(ctypes.c_int(flags)))


def _checked(answer: int) -> int:
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
