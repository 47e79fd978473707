"""More privileges, memory, processes and disk than were given."""

import mmap
import os
import resource
import subprocess
import sys

from harness.sandbox import COUNT, MEMORY, PRIVILEGES, SIZE
from tests.harness.escapes.attempt import FILE_SIZE, MOST_MEMORY, MOST_PROCESSES, Surroundings, against, must


@against(PRIVILEGES)
def run_a_program_of_roots(at: Surroundings) -> None:
    done = subprocess.run([at.place / "tools" / "id", "-u"], capture_output=True, text=True, check=True)
    must(done.stdout.strip() == "0" != str(os.getuid()))


@against(PRIVILEGES)
def be_root_again(_at: Surroundings) -> None:
    """A root without capabilities gets them all back by exec, unless that was forbidden."""
    code = "import os; os.nice(-1)"
    os.setpriority(os.PRIO_PROCESS, 0, 1)
    subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True)


@against(COUNT)
def start_many_processes(_at: Surroundings) -> None:
    read, write = os.pipe()
    try:
        for _ in range(2 * MOST_PROCESSES):
            if os.fork() == 0:
                os.close(write)
                os.read(read, 1)
                os._exit(0)
    finally:
        os.close(write)


@against(MEMORY)
def take_much_memory(_at: Surroundings) -> None:
    bytearray(2 * MOST_MEMORY)


@against(MEMORY)
def map_much_shared_memory(_at: Surroundings) -> None:
    mmap.mmap(-1, 2 * MOST_MEMORY).close()


@against(SIZE)
def write_a_large_file(at: Surroundings) -> None:
    (at.scratch / "large").write_bytes(bytes(2 * FILE_SIZE))


@against(SIZE)
def raise_a_limit(at: Surroundings) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * FILE_SIZE, 4 * FILE_SIZE))
    except ValueError as error:
        raise PermissionError(error) from None
    (at.scratch / "larger").write_bytes(bytes(2 * FILE_SIZE))
