"""The mark of a run, where other processes can see it: in the block of variables that this process was started with.

A process that was forked shows in /proc/PID/environ what its parent was started with, whatever it has set since. So
room is left there when the fork server is started, and a run's id is written over it after the fork; all that is
forked from there carries it. Linux only; it finds and ends nothing.
"""

import ctypes
import os
from pathlib import Path
from typing import Final

from harness.run_environment import RUN_ID_VARIABLE

ROOM: Final = 255
# No run's id.
PADDING: Final = "-" * ROOM

# proc(5), counted from the one after the name: env_start and env_end are the 50th and 51st.
_ENVIRONMENT: Final = slice(47, 49)


def fits(run_id: str) -> bool:
    """Whether a run's id can be a mark."""
    return 0 < len(os.fsencode(run_id)) <= ROOM and "\0" not in run_id


def mark(run_id: str) -> bool:
    """Carry a run's id from now on; whether there was room for it, because this process was started with `PADDING`."""
    start, end = map(int, Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[_ENVIRONMENT])
    name = f"{RUN_ID_VARIABLE}=".encode()
    place = ctypes.string_at(start, end - start).find(name + PADDING.encode())
    if place < 0 or not fits(run_id):
        return False
    ctypes.memmove(start + place + len(name), os.fsencode(run_id).ljust(ROOM, b"\0"), ROOM)
    return True
