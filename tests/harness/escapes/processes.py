"""Other processes of the same user: to signal, to look into, to hamper."""

import ctypes
import fcntl
import os
import resource
import signal
import struct
from pathlib import Path

from harness import kernel
from harness.sandbox import FILES, PRIORITIES, PROCESSES, SIGNALS
from tests.harness.escapes.attempt import CALLS, Surroundings, against, must


@against(SIGNALS)
def signal_it(at: Surroundings) -> None:
    os.kill(at.victim, 0)


@against(SIGNALS)
def signal_it_by_its_handle(at: Surroundings) -> None:
    signal.pidfd_send_signal(os.pidfd_open(at.victim), 0)


@against(CALLS)
def have_it_signalled(at: Surroundings) -> None:
    read, _write = os.pipe()
    fcntl.fcntl(read, fcntl.F_SETOWN, at.victim)


@against(PROCESSES)
def trace_it(at: Surroundings) -> None:
    kernel.syscall({"x86_64": 101, "aarch64": 117}[kernel.machine()], 0x4206, at.victim, 0, 0)  # PTRACE_SEIZE


@against(PROCESSES)
def read_its_memory(at: Surroundings) -> None:
    with Path(f"/proc/{at.victim}/mem").open("rb"):
        pass


@against(PROCESSES)
def read_its_memory_by_a_call(at: Surroundings) -> None:
    there = ctypes.create_string_buffer(struct.pack("@PN", at.address, 16), 16)
    buffer = ctypes.create_string_buffer(16)
    here = ctypes.create_string_buffer(struct.pack("@PN", ctypes.addressof(buffer), 16), 16)
    number = {"x86_64": 310, "aarch64": 270}[kernel.machine()]
    must(kernel.syscall(number, at.victim, here, 1, there, 1, 0) == 16)
    must(buffer.raw == b"sixteen letters!")


@against(FILES)
def list_its_descriptors(at: Surroundings) -> None:
    must(list(Path(f"/proc/{at.victim}/fd").iterdir()))


@against(PROCESSES)
def write_to_its_pipe(at: Surroundings) -> None:
    os.close(os.open(f"/proc/{at.victim}/fd/{at.pipe}", os.O_WRONLY))


@against(CALLS)
def take_its_descriptor(at: Surroundings) -> None:
    kernel.syscall(438, os.pidfd_open(at.victim), at.pipe, 0)  # pidfd_getfd


@against(PROCESSES)
def read_its_environment(at: Surroundings) -> None:
    Path(f"/proc/{at.victim}/environ").read_bytes()


@against(FILES)
def read_its_command_line(at: Surroundings) -> None:
    Path(f"/proc/{at.victim}/cmdline").read_bytes()


@against(PRIORITIES)
def lower_its_limits(at: Surroundings) -> None:
    resource.prlimit(at.victim, resource.RLIMIT_CORE, (0, 0))


@against(PRIORITIES)
def lower_its_priority(at: Surroundings) -> None:
    os.setpriority(os.PRIO_PROCESS, at.victim, 5)


@against(PRIORITIES)
def bind_it_to_a_processor(at: Surroundings) -> None:
    os.sched_setaffinity(at.victim, os.sched_getaffinity(0))
