"""A network and an IPC namespace of one's own: no interface but a dead loopback, no socket or queue of anybody else.

An unprivileged process may make them within a user namespace, in which it keeps its user id. Where containers forbid
that, `harness.syscall_filter` refuses sockets all the same. No mount namespace: which files can be reached is
Landlock's, which works in more places. No PID namespace: it would need another process between the runner and the run.
"""

import os
from pathlib import Path
from typing import Final

from harness.errors import ClearError
from harness.kernel import unshare

_NEWUSER: Final = 0x10000000
_NEWNET: Final = 0x40000000
_NEWIPC: Final = 0x08000000


class NamespaceError(ClearError):
    """This process is neither in its old namespaces nor usable in the new ones."""


def separate() -> frozenset[str]:
    """Leave the namespaces of the system; which of "user", "net" and "ipc" are now this process's own.

    In a user namespace this process holds all capabilities until it drops them. It must have a single thread.

    Raises:
        NamespaceError: the user namespace could be made, but not be given this user's id.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        unshare(_NEWUSER | _NEWNET | _NEWIPC)
    except OSError:
        return _separate_as_root()
    try:
        # Before the kernel lets a group be mapped, setgroups must be forbidden: it could shed a group that denies.
        for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path("/proc/self", name).write_bytes(content.encode())
    except OSError as error:
        raise NamespaceError(f"a user namespace could not be given its user: {error.strerror}") from None
    return frozenset({"user", "net", "ipc"})


def _separate_as_root() -> frozenset[str]:
    try:
        unshare(_NEWNET | _NEWIPC)
    except OSError:
        return frozenset()
    return frozenset({"net", "ipc"})
