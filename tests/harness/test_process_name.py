"""What a process that uses a GPU is called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.process_name import process_name, title


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["python3.11", "-u", "-X", "dev", "src/train.py", "--depth", "8"], "train.py"),
        (["/usr/bin/python", "-I", "-m", "harness.child", "x.py"], "harness.child"),
        (["python", "-c", "pass", "train.py"], "python"),
        (["/opt/llama/server", "-m", "model"], "server"),
        (["python"], "python"),
        ([], ""),
        ([""], ""),
    ],
)
def test_a_process_is_called_by_what_it_runs(argv: list[str], expected: str) -> None:
    """An interpreter is named by its script or module, any other program by itself."""
    assert title(argv) == expected


def test_a_name_needs_a_gpu_device(tmp_path: Path) -> None:
    """A process of the same number that holds no GPU device is somebody else: no name; one that holds it has one."""
    device = tmp_path / "nvidia0"
    with device.open("w"):
        assert process_name(os.getpid(), (str(device),))
    assert process_name(os.getpid(), (str(device),)) is None
    assert process_name(4_194_400) is None


def test_a_hostile_name_is_cleaned(tmp_path: Path) -> None:
    """What a process calls itself cannot reach a terminal as control sequences, nor be long."""
    hostile = "\x1b[2J\x1b]0;owned\x07evil\n" + "x" * 500
    with (
        (tmp_path / "gpu").open("w") as device,
        subprocess.Popen(
            [hostile],
            executable=shutil.which("cat"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[device.fileno()],
        ) as process,
    ):
        try:
            assert process.stdin is not None
            process.stdin.write(b"there\n")
            process.stdin.flush()
            assert process.stdout is not None
            assert process.stdout.readline() == b"there\n"  # it has its own command line by now
            name = process_name(process.pid, (str(tmp_path),))
        finally:
            process.kill()
    assert name is not None
    assert name.startswith("evil x")
    assert len(name) <= 40
