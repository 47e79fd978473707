"""Landlock: which files this process may still open, and how; that it may neither use TCP nor signal others.

A rule names a directory or a file that exists, and holds for everything below it. What has no rule is refused, whoever
owns it. It does not govern what is open already, what stat(2) tells of a path, nor chmod(2) and its like, and before
ABI 6 no signals: see `harness.syscall_filter`. See landlock(7) for what came with which ABI.
"""

import ctypes
import enum
import errno
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import ClearError
from harness.kernel import syscall

# The same numbers on every machine.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446

_VERSION_FLAG: Final = 1
_RULE_PATH_BENEATH: Final = 1

TCP_ABI: Final = 4
SCOPES_ABI: Final = 6
TRUNCATE_ABI: Final = 3
_NET: Final = 0b11  # bind and connect, TCP
_SCOPES: Final = 0b11  # abstract unix sockets and signals


class Access(enum.IntFlag):
    """LANDLOCK_ACCESS_FS_*."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ: Final = Access.READ_FILE | Access.READ_DIR
RUN: Final = READ | Access.EXECUTE
DEVICE: Final = Access.READ_FILE | Access.WRITE_FILE | Access.IOCTL_DEV
# No pipe and no socket: whoever opens one later that lies where a file should be would wait for ever.
WRITE: Final = (
    READ
    | Access.WRITE_FILE
    | Access.TRUNCATE
    | Access.REFER
    | Access.MAKE_REG
    | Access.MAKE_DIR
    | Access.MAKE_SYM
    | Access.REMOVE_FILE
    | Access.REMOVE_DIR
)

_OF_FILES: Final = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV
_SINCE: Final = ((5, Access.IOCTL_DEV), (TRUNCATE_ABI, Access.TRUNCATE), (2, Access.REFER))


class LandlockError(ClearError):
    """The rules cannot be made as they were asked for."""


@dataclass(frozen=True)
class Rule:
    """What may be done with a path and all that is below it.

    Attributes:
        path: absolute, and no symbolic link: whoever owns its place could point it at anything.
        access: what is allowed; what does not apply to a file is left out for one.
    """

    path: Path
    access: Access


def abi() -> int:
    """The version that the kernel offers; 0 where it has none, or it was left out at boot."""
    try:
        return syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def handled(version: int) -> Access:
    """Every access right that a version knows; each is refused where no rule allows it."""
    rights = Access((1 << 16) - 1)
    for since, right in _SINCE:
        if version < since:
            rights &= ~right
    return rights


def ruleset(rules: Iterable[Rule], version: int) -> int:
    """Make the rules, without following them yet; returns a descriptor. A path that cannot be found gets none.

    Raises:
        LandlockError: a path is a symbolic link.
        OSError: a path cannot be looked up.
    """
    rights = handled(version)
    words = [rights, _NET if version >= TCP_ABI else 0, _SCOPES if version >= SCOPES_ABI else 0]
    words = words[: 1 if version < TCP_ABI else 2 if version < SCOPES_ABI else 3]
    attributes = _buffer(struct.pack(f"={len(words)}Q", *words))
    fd = syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for rule in rules:
            _add(fd, rule, rights)
    except BaseException:
        os.close(fd)
        raise
    return fd


def restrict(fd: int) -> None:
    """Follow the rules from now on, and all children too; needs no_new_privs. Closes the descriptor.

    Raises:
        OSError: the kernel refused.
    """
    try:
        syscall(_RESTRICT_SELF, fd, 0)
    finally:
        os.close(fd)


def _add(fd: int, rule: Rule, rights: Access) -> None:
    try:
        parent = os.open(rule.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
            return  # who cannot find it can do nothing with it
        raise
    try:
        mode = os.fstat(parent).st_mode
        if stat.S_ISLNK(mode):
            raise LandlockError(f"{rule.path} is a symbolic link; a run may only be given files and directories")
        allowed = rule.access & rights & (~Access(0) if stat.S_ISDIR(mode) else _OF_FILES)
        if allowed:
            attributes = _buffer(struct.pack("=Qi", allowed, parent))
            syscall(_ADD_RULE, fd, _RULE_PATH_BENEATH, attributes, 0)
    finally:
        os.close(parent)


def _buffer(content: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(content, len(content))
