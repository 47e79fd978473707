"""What a process may no longer become: no new privileges, no capabilities, no core dump, not traced by its equals."""

import ctypes
import resource
import struct
from typing import Final

from harness.kernel import machine, prctl, syscall

# prctl(2)
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4

# capabilities(7)
_CAPSET: Final = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION: Final = 0x20080522
_HIGHEST_CAPABILITY: Final = 63


def forgo_new_privileges() -> None:
    """No set-user-id bit and no file capability counts from now on. Landlock and the filter need it."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> bool:
    """Give up every capability, and the way back to them that exec(2) is for root.

    Returns:
        Whether that was done: not on a machine whose numbers of system calls are not known here.

    Raises:
        OSError: the kernel refused.
    """
    for number in range(_HIGHEST_CAPABILITY + 1):
        try:
            prctl(_PR_CAPBSET_DROP, number)
        except OSError:
            break  # past the last one that this kernel knows; or there is none to drop
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if not machine():
        return False
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0), 8)
    syscall(_CAPSET[machine()], header, ctypes.create_string_buffer(bytes(24), 24))
    return True


def forbid_dumps() -> None:
    """Write no core file, and let no process of the same user look into this one."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl(_PR_SET_DUMPABLE, 0)
