"""harness.run_family with real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import process_name
from harness.run_family import RunFamily

# Starts a process that holds the descriptor, says its pid, and waits; both end with their standard input.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-c", "import sys; sys.stdin.read()"], pass_fds=[int(sys.argv[1])])
print(child.pid, flush=True)
child.wait()
"""


def test_a_descendant_that_holds_the_gpu_is_the_runs_own(tmp_path: Path) -> None:
    """A grandchild is the run's own, also once it has ended; for another family it is foreign."""
    family = RunFamily(os.getpid(), (str(tmp_path),))
    with (tmp_path / "gpu").open("w") as device:
        command = [sys.executable, "-I", "-c", PARENT, str(device.fileno())]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[device.fileno()]
        ) as parent:
            assert parent.stdout is not None
            grandchild = int(parent.stdout.readline())
            assert family.owns(grandchild) is True
            assert RunFamily(parent.pid, (str(tmp_path),)).owns(grandchild) is True
            assert RunFamily(grandchild, (str(tmp_path),)).owns(parent.pid) is False
            # Neither holds a GPU's real device: the same number may be another process of the host's.
            assert RunFamily(os.getpid()).owns(grandchild) is None
            parent.communicate(timeout=60)
    assert family.owns(grandchild) is True


def test_a_pid_of_nobody_is_unknown(tmp_path: Path) -> None:
    """A number that no process has here says nothing: it may be the host's."""
    assert RunFamily(1, (str(tmp_path),)).owns(4_194_400) is None


def test_a_process_that_may_not_be_inspected_is_taken_at_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel hides what a process holds, its number decides."""

    def denied(_path: Path) -> object:
        raise PermissionError

    monkeypatch.setattr(process_name.Path, "iterdir", denied)
    assert RunFamily(os.getpid()).owns(os.getpid()) is True
    assert RunFamily(os.getpid()).owns(os.getppid()) is False
