"""A filter of system calls (seccomp): what a training script never needs, and what Landlock and namespaces leave open.

Without it a process could reach others through a unix socket's path, change the mode, owner or times of a file that it
cannot open, lower the limits and priorities of a process of the same user, or get at either by way of io_uring. It
works in containers that forbid namespaces. What is not named here is allowed: it is not the wall but its other half.
"""

import ctypes
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from harness.kernel import machine, prctl

# Numbers on x86_64 and aarch64; None where there is no such call.
_Numbers = tuple[int | None, int | None]
_MACHINES: Final = ("x86_64", "aarch64")
_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# On x86_64 the numbers from here on are those of another table (x32).
_X32: Final = 0x40000000

_REFUSED: Final[dict[str, _Numbers]] = {
    # Sockets of every kind; see _sockets for what is left of them.
    "connect": (42, 203),
    # Other processes, which the same user may look into.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # It does what is refused here without asking here.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # New namespaces, in which one is root again, and mounts.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # What a file is said to be: whoever owns it may change that, and Landlock does not look.
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
    "open_by_handle_at": (304, 265),
    # Ways to tell another process something without a file: queues, keys, news of who reads what.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # The machine itself, and the widest roads to a fault of the kernel.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "syslog": (103, 116),
}
_SOCKET: Final[_Numbers] = (41, 198)
_SOCKETPAIR: Final[_Numbers] = (53, 199)
_LISTENING: Final[tuple[_Numbers, ...]] = ((49, 200), (50, 201), (43, 202), (288, 242))  # bind, listen, accept, accept4
_CLONE: Final[_Numbers] = (56, 220)
_CLONE3: Final[_Numbers] = (435, 435)
_FCNTL: Final[_Numbers] = (72, 25)
_IOCTL: Final[_Numbers] = (16, 29)
_FLOCK: Final[_Numbers] = (73, 32)
_TRUNCATE: Final[_Numbers] = (76, 45)
_MEMFD: Final[tuple[_Numbers, ...]] = ((319, 279), (447, 447))  # memfd_create, memfd_secret
_SETPRIORITY: Final[_Numbers] = (141, 140)
_IOPRIO_SET: Final[_Numbers] = (251, 30)
# Their first argument is a process.
_OF_A_PROCESS: Final[dict[str, _Numbers]] = {
    "prlimit64": (302, 261),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
}
_SIGNALS: Final[dict[str, _Numbers]] = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
}
_SIGNALS_BY_HANDLE: Final[tuple[_Numbers, ...]] = ((200, 130), (424, 424))  # tkill, pidfd_send_signal

_NEW_NAMESPACES: Final = 0x7E020080  # CLONE_NEW*: time, mount, cgroup, uts, ipc, user, pid, net
_CLONE_PARENT: Final = 0x8000  # the child would be its maker's sibling
_AF_UNIX: Final = 1
_SOCK_STREAM: Final = 1
_SOCK_SEQPACKET: Final = 5
_SOCK_TYPE: Final = 0xF
# fcntl: signals to an owner (SETOWN, SETSIG, SETOWN_EX), news of others' opens (SETLEASE, NOTIFY); then locks.
_FCNTL_REFUSED: Final = (8, 10, 15, 1024, 1026)
_FCNTL_LOCKS: Final = (6, 7, 37, 38)
# ioctl: signals to an owner (FIOSETOWN, SIOCSPGRP), typing for the person (TIOCSTI, TIOCLINUX).
_IOCTL_REFUSED: Final = (0x8901, 0x8902, 0x5412, 0x541C)

_EPERM: Final = 1
_ENOSYS: Final = 38

# Classic BPF, as in linux/bpf_common.h and linux/seccomp.h.
_LOAD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER_EQUAL: Final = 0x35
_JUMP_ANY_BIT: Final = 0x45
_AND: Final = 0x54
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_ERROR: Final = 0x00050000
_AT_NUMBER: Final = 0
_AT_ARCHITECTURE: Final = 4

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2

_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant
_REFUSE: Final[_Instruction] = (_RETURN, 0, 0, _ERROR | _EPERM)
_PRETEND: Final[_Instruction] = (_RETURN, 0, 0, _ERROR)  # error 0 is success
_GRANT: Final[_Instruction] = (_RETURN, 0, 0, _ALLOW)


@dataclass(frozen=True)
class Filter:
    """What a filter depends on.

    Attributes:
        pid: of the process that it is for, to which alone it may set limits and priorities.
        gpu: CUDA's driver makes a unix socket and memory of its own; it may listen, but nobody may connect.
        apart: whether locks on files are granted without being taken. A process that reads the same file could see
            them, and all read Python's.
        signals: whether signals are left to Landlock; else this process may send them to itself alone.
        truncation: whether truncate(2) is left to Landlock.
    """

    pid: int
    gpu: bool
    apart: bool
    signals: bool
    truncation: bool


def install(what: Filter) -> bool:
    """Filter this process's system calls and its children's, for good; needs no_new_privs and a single thread.

    Returns:
        Whether it is in force: not on a machine whose numbers are not known here, nor where the kernel has no filters.
    """
    if not machine():
        return False
    code = b"".join(struct.pack("=HBBI", *one) for one in _program(what, machine()))
    instructions = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions)))
    try:
        prctl(_PR_SET_SECCOMP, _MODE_FILTER, program)
    except OSError:
        return False
    return True


def _program(what: Filter, name: str) -> Iterator[_Instruction]:
    """The filter's instructions: each case ends in an answer or is passed over."""
    column = _MACHINES.index(name)
    yield (_LOAD, 0, 0, _AT_ARCHITECTURE)
    yield (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[name])
    yield _REFUSE
    yield (_LOAD, 0, 0, _AT_NUMBER)
    if name == "x86_64":
        yield (_JUMP_GREATER_EQUAL, 0, 1, _X32)
        yield _REFUSE
    for numbers, body in _cases(what):
        number = numbers[column]
        if number is not None:
            yield (_JUMP_EQUAL, 0, len(body), number)
            yield from body
    yield _GRANT


def _cases(what: Filter) -> Iterator[tuple[_Numbers, list[_Instruction]]]:
    for numbers in _REFUSED.values():
        yield numbers, [_REFUSE]
    yield from _sockets(what)
    yield _CLONE, [_argument(0), (_JUMP_ANY_BIT, 0, 1, _NEW_NAMESPACES | _CLONE_PARENT), _REFUSE, _GRANT]
    yield _CLONE3, [(_RETURN, 0, 0, _ERROR | _ENOSYS)]  # its flags are out of sight; libc falls back to clone
    pretended = _FCNTL_LOCKS if what.apart else ()
    yield _FCNTL, [*_answer(1, pretended, _PRETEND), *_answer(1, _FCNTL_REFUSED, _REFUSE), _GRANT]
    yield _IOCTL, [*_answer(1, _IOCTL_REFUSED, _REFUSE), _GRANT]
    if what.apart:
        yield _FLOCK, [_PRETEND]
    if not what.truncation:
        yield _TRUNCATE, [_REFUSE]
    if not what.gpu:
        for numbers in _MEMFD:  # memory that no limit counts
            yield numbers, [_REFUSE]
    yield from _processes(what)


def _sockets(what: Filter) -> Iterator[tuple[_Numbers, list[_Instruction]]]:
    """A connected pair of streams is a pipe; of datagrams it is not, they can be sent to anybody."""
    streams = [_argument(1), (_AND, 0, 0, _SOCK_TYPE), *_only((_SOCK_STREAM, _SOCK_SEQPACKET))]
    unix_streams = [_argument(0), (_JUMP_EQUAL, 1, 0, _AF_UNIX), _REFUSE, *streams]
    yield _SOCKETPAIR, unix_streams
    yield _SOCKET, unix_streams if what.gpu else [_REFUSE]
    if not what.gpu:
        for numbers in _LISTENING:
            yield numbers, [_REFUSE]


def _processes(what: Filter) -> Iterator[tuple[_Numbers, list[_Instruction]]]:
    own = (0, what.pid)
    for numbers in _OF_A_PROCESS.values():
        yield numbers, [_argument(0), *_only(own)]
    # Which kind of whom: 0 and 1 are "process" for the one and the other; groups and users are refused.
    yield _SETPRIORITY, [_argument(0), (_JUMP_EQUAL, 1, 0, 0), _REFUSE, _argument(1), *_only(own)]
    yield _IOPRIO_SET, [_argument(0), (_JUMP_EQUAL, 1, 0, 1), _REFUSE, _argument(1), *_only(own)]
    if not what.signals:
        for numbers in _SIGNALS.values():
            yield numbers, [_argument(0), *_only(own)]
        for numbers in _SIGNALS_BY_HANDLE:
            yield numbers, [_REFUSE]


def _argument(index: int) -> _Instruction:
    """Load the lower half of an argument; these machines are little-endian, and the kernel reads no more of these."""
    return (_LOAD, 0, 0, 16 + 8 * index)


def _only(values: tuple[int, ...]) -> list[_Instruction]:
    """Grant if what is loaded is one of `values`."""
    return [part for value in values for part in ((_JUMP_EQUAL, 0, 1, value), _GRANT)] + [_REFUSE]


def _answer(index: int, values: tuple[int, ...], answer: _Instruction) -> list[_Instruction]:
    """Answer so if an argument is one of `values`."""
    return [_argument(index), *(part for value in values for part in ((_JUMP_EQUAL, 0, 1, value), answer))]
