"""Ways round: another namespace, another interface, memory and queues that are no files."""

import ctypes
import os
import signal

from harness import kernel
from harness.sandbox import PRIVILEGES
from tests.harness.escapes.attempt import CALLS, Surroundings, against


@against(PRIVILEGES)
def mount_something(at: Surroundings) -> None:
    number = {"x86_64": 165, "aarch64": 40}[kernel.machine()]
    target = ctypes.create_string_buffer(bytes(at.scratch))
    kernel.syscall(number, ctypes.create_string_buffer(b"x"), target, ctypes.create_string_buffer(b"tmpfs"), 0, None)
    kernel.syscall({"x86_64": 166, "aarch64": 39}[kernel.machine()], target, 0)


@against(CALLS)
def make_another_user_namespace(_at: Surroundings) -> None:
    kernel.unshare(0x10000000)


@against(CALLS)
def clone_into_a_user_namespace(_at: Surroundings) -> None:
    number = {"x86_64": 56, "aarch64": 220}[kernel.machine()]
    if kernel.syscall(number, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        os._exit(0)


@against(CALLS)
def go_round_the_filter_with_io_uring(_at: Surroundings) -> None:
    kernel.syscall(425, 4, ctypes.create_string_buffer(120))


@against(CALLS)
def share_memory_by_a_key(_at: Surroundings) -> None:
    kernel.syscall({"x86_64": 29, "aarch64": 194}[kernel.machine()], 0, 4096, 0o1600)


@against(CALLS)
def keep_a_key(_at: Surroundings) -> None:
    number = {"x86_64": 248, "aarch64": 217}[kernel.machine()]
    text = [ctypes.create_string_buffer(one) for one in (b"user", b"escape")]
    kernel.syscall(number, *text, ctypes.create_string_buffer(b"1"), 1, -2)


@against(CALLS)
def make_memory_that_no_limit_counts(_at: Surroundings) -> None:
    os.close(os.memfd_create("escape"))
