"""Confines this process, unless it is told not to, and tries every way out, each in a child of its own.

It "escapes" if it gets what it should not have, else it says what stopped it. Not imported into a test: it has to run
where nothing is confined or started yet.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness import control_group, kernel, landlock, namespaces, syscall_filter
from harness.sandbox import Confinement, Enforced, confine
from tests.harness.escapes import bounds, files, kernel_calls, network, processes
from tests.harness.escapes.attempt import FILE_SIZE, MOST_MEMORY, MOST_PROCESSES, Surroundings, aims, attempts

__all__ = ["aims", "attempts", "bounds", "files", "kernel_calls", "main", "network", "processes"]

PR_SET_DUMPABLE = 4


def outcome(name: str, at: Surroundings) -> str:
    """Try one in a process of its own: "escaped", or what stopped it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            attempts[name](at)
            said = "escaped"
        except (OSError, MemoryError, subprocess.CalledProcessError) as error:
            said = f"{type(error).__name__}: {error}"
        except BaseException as error:  # noqa: BLE001 - a mistake in the attempt, which must fail the test
            said = f"MISTAKE {type(error).__name__}: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    return said or f"ended with {os.waitstatus_to_exitcode(status)}"


def on_a_lesser_machine(lack: str) -> None:
    """Have the sandbox find a machine that offers less."""
    match lack:
        case "nothing":
            pass
        case "landlock":
            landlock.abi = lambda: 0
        case "new landlock":
            landlock.abi = lambda: 1
        case "namespaces":
            namespaces.separate = frozenset
        case "filter":
            syscall_filter.install = lambda _what: False
        case "control group":
            control_group.join = lambda _bounds: frozenset()
        case _:
            raise ValueError(lack)


def become(uid: int) -> None:
    """Go on as another user."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    kernel.prctl(PR_SET_DUMPABLE, 1)  # as a process that was this user's from the start


def main() -> None:
    """Do it: PLACE UID LACK, the last being "nothing", a part of the sandbox, or the whole "sandbox"."""
    place, uid, lack = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    known = json.loads((place / "outside" / "known.json").read_text())
    "".encode("idna")  # what the attempts import, while this user can
    if uid != os.getuid():
        become(uid)
    enforced = Enforced()
    if lack != "sandbox":
        on_a_lesser_machine(lack)
        enforced = confine(
            Confinement(
                writable=(place / "scratch",),
                readable=(place / "tools" / "own",),
                memory_bytes=MOST_MEMORY,
                processes=MOST_PROCESSES,
                file_bytes=FILE_SIZE,
            )
        )
    outcomes = {name: outcome(name, Surroundings(place, place / "outside" / name, **known)) for name in attempts}
    sys.stdout.write(json.dumps({"enforced": enforced.to_json(), "outcomes": outcomes}))


if __name__ == "__main__":
    main()
