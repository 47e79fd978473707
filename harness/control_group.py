"""A control group for a run: a bound on what all its processes take together, root's too.

It needs a /sys/fs/cgroup that this process may write to, as root has on a machine of its own, and few containers have.
Whoever comes next removes the empty ones of processes that are gone. A group is made within the one that this process
is in, so that a bound on that holds on.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_ROOT: Final = Path("/sys/fs/cgroup")
_PREFIX: Final = "autoresearch-run-"

# What is written into the first of a version's files that bounds it.
_FILES: Final = {
    "memory": ("memory.max", "memory.limit_in_bytes"),
    "processes": ("pids.max", "pids.max"),
}
_CONTROLLERS: Final = {"memory": "memory", "processes": "pids"}


def join(bounds: dict[str, int], root: Path = _ROOT, membership: Path = Path("/proc/self/cgroup")) -> frozenset[str]:
    """Enter a new group with these bounds on "memory" (bytes) and "processes"; those of them that hold now.

    It takes 5 to 20 ms where it succeeds, and next to nothing where it cannot.
    """
    try:
        lines = [line.split(":", 2) for line in membership.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return frozenset()
    held = set()
    for _, controllers, path in lines:
        unified = not controllers
        mine = [one for one in bounds if unified or _CONTROLLERS[one] in controllers.split(",")]
        base = (root if unified else root / controllers) / path.lstrip("/")
        if mine and (not unified or (root / "cgroup.controllers").exists()):
            with suppress(OSError):  # not ours to write
                held |= _enter(base, {one: (_FILES[one][0 if unified else 1], bounds[one]) for one in mine})
    return frozenset(held)


def _enter(base: Path, files: dict[str, tuple[str, int]]) -> set[str]:
    if not os.access(base, os.W_OK):
        return set()
    for left in base.glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX)).exists():  # else it may be about to enter
            with suppress(OSError):  # what it started is still there
                left.rmdir()
    group = base / f"{_PREFIX}{os.getpid()}"
    group.mkdir(exist_ok=True)
    held = set()
    try:
        for name, (file, value) in files.items():
            if (group / file).exists():  # else that controller is not passed on to here
                (group / file).write_bytes(b"%d" % value)
                held.add(name)
        if held:
            (group / "cgroup.procs").write_bytes(b"%d" % os.getpid())
    finally:
        with suppress(OSError):  # it is empty only if nothing held, or this process could not enter
            group.rmdir()
    return held
