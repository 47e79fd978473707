"""The sandbox: a process gives up what a genome must not have, before it runs any of it.

Three layers, of which each closes what the others leave open or cannot do on a machine: Landlock for files, TCP and
signals; namespaces for the network; a filter of system calls for sockets and other processes. Then limits, and no
privileges. The process does it all by itself, in a few milliseconds and with nothing installed. bubblewrap would be a
program to install; it needs the namespaces that most rented containers forbid, and bounds neither memory nor signals.

What is left open: which paths exist, their sizes and times (stat); how loaded the machine is, and so a slow way to tell
another process something; what an already open descriptor gives, so pass none that should not be had; where
`Enforced.missing` names it, that. It kills nothing and watches nothing, and a disk can be filled with many small files.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness import control_group, landlock, limits, namespaces, privileges, syscall_filter
from harness.errors import ClearError
from harness.landlock import Rule
from harness.readable_paths import device_paths, fact_paths, kernel_paths, python_paths
from harness.result import Record, RecordError

_GIB: Final = 1 << 30
_PROBE_PATIENCE_S: Final = 20.0

FILES: Final = "files"
ATTRIBUTES: Final = "owners, modes and times of files"
NETWORK: Final = "network"
SOCKETS: Final = "unix sockets"
PROCESSES: Final = "other processes"
SIGNALS: Final = "signals"
PRIORITIES: Final = "limits and priorities of others"
PRIVILEGES: Final = "privileges"
MEMORY: Final = "memory"
COUNT: Final = "number of processes"
SIZE: Final = "size of files"

NO_LANDLOCK: Final = "no Landlock"
NO_FILTER: Final = "no system call filter"


class SandboxError(ClearError):
    """This process cannot be confined as it is; the harness's fault, not the machine's."""


def most_memory() -> int:
    """Three quarters of the machine's memory, in bytes: what a run may take unless somebody says otherwise."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4


@dataclass(frozen=True)
class Confinement:
    """What a process may still have.

    Attributes:
        writable: directories, no symbolic links, that must exist; the first is the home, the place for temporary files
            and the working directory.
        readable: files and directories to read besides Python and the system's libraries; what does not exist is left
            out, and a symbolic link is an error.
        gpu: whether the NVIDIA devices stay in reach.
        apart: whether it must have no way to tell another confined process anything; locks on files are then pretended.
        memory_bytes: that may be taken more than there is now.
        processes: and threads, below this process.
        file_bytes: the largest file.
    """

    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    gpu: bool = False
    apart: bool = False
    memory_bytes: int = field(default_factory=most_memory)
    processes: int = 256
    file_bytes: int = 4 * _GIB


@dataclass(frozen=True)
class Enforced(Record):
    """What was done.

    Attributes:
        held: what is confined, by name, and by what.
        missing: what is not, by name, and why.
    """

    held: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """Both in one line, what is missing last."""
        ways: dict[str, list[str]] = {}
        for name, how in self.held.items():
            ways.setdefault(how, []).append(name)
        parts = [f"{', '.join(names)}: {how}" for how, names in ways.items()]
        parts += [f"NOT CONFINED {name}: {why}" for name, why in self.missing.items()]
        return "; ".join(parts) or "nothing is confined"


def in_common(all_of: Iterable[Enforced]) -> Enforced:
    """What was done to each of several processes; of what one lacks, its reason."""
    together: list[Enforced] = list(all_of)
    missing = {name: why for one in together for name, why in one.missing.items()}
    held = together[0].held if together else {}
    return Enforced({name: how for name, how in held.items() if name not in missing}, missing)


def confine(confinement: Confinement) -> Enforced:
    """Confine this process and all that it will start, for good. Say what could not be done, and go on without.

    Call it before any of the genome runs, and before CUDA is used: that starts threads.

    Raises:
        SandboxError: there are threads, which would stay unconfined, or a directory to write to is not there.
        LandlockError: a path is a symbolic link.
        NamespaceError: it is left half-way.
        OSError: what always works did not.
    """
    if (threads := len(os.listdir("/proc/self/task"))) != 1:  # noqa: PTH208 - only their number counts
        raise SandboxError(f"a process with {threads} threads cannot be confined; confine it before it starts any")
    _settle(confinement)
    version = landlock.abi()
    # Paths are looked up while this process may still go everywhere.
    rules = landlock.ruleset(_rules(confinement), version) if version else None
    bounds = {"memory": confinement.memory_bytes, "processes": confinement.processes}
    grouped = control_group.join(bounds)
    limits.die_first()
    apart = namespaces.separate()
    dropped = privileges.drop_capabilities()
    privileges.forgo_new_privileges()
    privileges.forbid_dumps()
    counted = _limit(confinement, own_namespace="user" in apart)
    if rules is not None:
        landlock.restrict(rules)
    filtered = syscall_filter.install(
        syscall_filter.Filter(
            pid=os.getpid(),
            gpu=confinement.gpu,
            apart=confinement.apart,
            signals=version >= landlock.SCOPES_ABI,
            truncation=version >= landlock.TRUNCATE_ABI,
        )
    )
    return _account(confinement, _Done(version, apart, filtered, grouped, counted, dropped))


def _settle(confinement: Confinement) -> None:
    """Give the process a home and an empty input, and its files to this user alone."""
    os.umask(0o077)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if null != 0:
        os.close(null)
    for place in confinement.writable:
        if not place.is_dir():
            raise SandboxError(f"there is no directory {place} for a run to write to")
    if confinement.writable:
        home = str(confinement.writable[0])
        os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = home
        os.chdir(home)


def _rules(confinement: Confinement) -> list[Rule]:
    gpu = confinement.gpu
    return [
        *(Rule(path, landlock.RUN) for path in python_paths()),
        *(Rule(path, landlock.READ) for path in fact_paths(gpu=gpu)),
        *(Rule(path, landlock.DEVICE) for path in device_paths(gpu=gpu)),
        *(Rule(path, landlock.READ) for path in (kernel_paths() if gpu else ())),
        *(Rule(path, landlock.READ) for path in confinement.readable),
        *(Rule(path, landlock.WRITE) for path in confinement.writable),
    ]


def _limit(confinement: Confinement, *, own_namespace: bool) -> bool:
    """Set the limits; whether that on processes will be kept to."""
    limits.limit_memory(confinement.memory_bytes, mapped=not confinement.gpu)
    limits.limit_files(confinement.file_bytes)
    limits.forbid_priorities()
    return limits.limit_processes(confinement.processes, own_namespace=own_namespace)


@dataclass(frozen=True)
class _Done:
    """What came of each step."""

    landlock: int
    namespaces: frozenset[str]
    filtered: bool
    grouped: frozenset[str]
    counted: bool
    dropped: bool


def _account(confinement: Confinement, done: _Done) -> Enforced:
    rules = f"Landlock {done.landlock}" if done.landlock else ""
    calls = "system call filter" if done.filtered else ""
    apart = "namespace" if "net" in done.namespaces else ""
    inside = "user namespace" if "user" in done.namespaces else ""
    count = str(confinement.processes) if done.counted or "processes" in done.grouped else ""
    how = {
        FILES: rules if done.landlock >= landlock.TRUNCATE_ABI or done.filtered else "",
        ATTRIBUTES: calls,
        NETWORK: _and(apart, calls),
        SOCKETS: calls,
        PROCESSES: _and(rules, inside),
        SIGNALS: rules if done.landlock >= landlock.SCOPES_ABI else calls,
        PRIORITIES: calls,
        PRIVILEGES: "dropped" if done.dropped else "",
        MEMORY: f"{confinement.memory_bytes / _GIB:.1f} GiB{'' if 'memory' in done.grouped else ' a process'}",
        COUNT: count,
        SIZE: f"{confinement.file_bytes / _GIB:.1f} GiB",
    }
    why = {
        FILES: NO_LANDLOCK if not done.landlock else f"Landlock older than {landlock.TRUNCATE_ABI}, {NO_FILTER}",
        NETWORK: f"no network namespace, {NO_FILTER}",
        PROCESSES: f"{NO_LANDLOCK}, no user namespace",
        SIGNALS: f"Landlock older than {landlock.SCOPES_ABI}, {NO_FILTER}",
        PRIVILEGES: "an instruction set that is not known here",
        COUNT: "root is not counted, and no control group can be made",
    }
    return Enforced({k: v for k, v in how.items() if v}, {k: why.get(k, NO_FILTER) for k, v in how.items() if not v})


def _and(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def probe() -> Enforced | str:
    """What this machine offers, found by confining a process that does nothing; a string says why it failed."""
    command = [sys.executable, "-I", "-B", "-m", "harness.sandbox"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PROBE_PATIENCE_S, check=False)
        return Enforced.from_json(done.stdout)
    except subprocess.TimeoutExpired:
        return f"confining a process took more than {_PROBE_PATIENCE_S:g} s"
    except RecordError:
        return f"confining a process ended it (exit status {done.returncode})"


if __name__ == "__main__":
    sys.stdout.write(confine(Confinement()).to_json())
