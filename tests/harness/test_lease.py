"""A GPU's lease among real processes."""

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import lease as lease_module
from harness.lease import lease
from harness.watch import DeadlineError, StoppedError

# Takes a lease, says so, and holds it until its standard input ends. What it waits for, it says, too.
HOLDER = """
import sys
from pathlib import Path
from harness.lease import lease
with lease(Path(sys.argv[1]), sys.argv[2], sys.argv[3], on_wait=lambda line: print(line, flush=True)):
    print("held", flush=True)
    sys.stdin.read()
print("released", flush=True)
"""

# Takes a lease and forks a process that keeps every descriptor and outlives it.
FORKING = """
import os, sys
from pathlib import Path
from harness.lease import lease
with lease(Path(sys.argv[1]), "0", "forking"):
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        sys.stdin.read()
        os._exit(0)
    os.wait()
"""


@contextlib.contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def said(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().rstrip("\n")


def soon() -> float:
    return time.monotonic() + 60


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second process waits, says for whom, and gets the GPU when the first is done."""
    with process(HOLDER, tmp_path, "GPU-1", "run-a") as first:
        assert said(first) == "held"
        with process(HOLDER, tmp_path, "GPU-1", "run-b") as second:
            assert said(second) == f"waiting for GPU 1, which run run-a has (process {first.pid})"
            assert first.communicate(timeout=60)[0] == "released\n"
            assert said(second) == "held"


def test_each_gpu_has_its_own(tmp_path: Path) -> None:
    """A lease on one GPU is not in the way of another's."""
    with process(HOLDER, tmp_path, "GPU-1", "run-a") as first:
        assert said(first) == "held"
        with lease(tmp_path, "GPU-2", "run-b", deadline=time.monotonic()):
            pass


def test_the_kernel_releases_what_a_killed_process_held(tmp_path: Path) -> None:
    """`kill -9` of the holder frees the GPU, and what it wrote in the file is in nobody's way."""
    with process(HOLDER, tmp_path, "0", "run-a") as first:
        assert said(first) == "held"
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=60)
        assert "run-a" in (tmp_path / "gpu-0.lock").read_text()
        with lease(tmp_path, "0", "run-b", deadline=time.monotonic()):
            pass


def test_a_forked_child_that_lives_on_holds_nothing(tmp_path: Path) -> None:
    """A child of the holder that keeps its descriptors and outlives it does not keep the GPU."""
    with process(FORKING, tmp_path) as holder:
        child = int(said(holder))
        with pytest.raises(DeadlineError), lease(tmp_path, "0", "run-b", deadline=time.monotonic()):
            pytest.fail("it is held")
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(timeout=60)
        os.kill(child, 0)  # lives
        with lease(tmp_path, "0", "run-b", deadline=time.monotonic()):
            pass


def test_an_order_to_stop_ends_the_waiting(tmp_path: Path) -> None:
    """Whoever waits without a deadline is still stopped by its descriptor."""
    reading, writing = os.pipe()
    with process(HOLDER, tmp_path, "0", "run-a") as first:
        assert said(first) == "held"
        with (
            pytest.raises(StoppedError),
            lease(tmp_path, "0", "run-b", stop_fd=reading, on_wait=lambda _line: os.close(writing)),
        ):
            pytest.fail("it is held")
    os.close(reading)


def test_a_deadline_ends_the_waiting(tmp_path: Path) -> None:
    """Past its deadline nobody waits, and a free GPU is had even then."""
    with process(HOLDER, tmp_path, "0", "run-a") as first:
        assert said(first) == "held"
        with pytest.raises(DeadlineError), lease(tmp_path, "0", "run-b", deadline=time.monotonic() - 1):
            pytest.fail("it is held")
    with lease(tmp_path, "0", "run-b", deadline=time.monotonic() - 1):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 5000, b'{"pid": "x"}', b"[]"], ids=range(5))
def test_what_the_file_says_does_not_matter(tmp_path: Path, content: bytes) -> None:
    """A file with anything in it is as good as a new one, and whoever waits for its holder is told less, no more."""
    file = tmp_path / "gpu-0.lock"
    file.write_bytes(content)
    with lease(tmp_path, "0", "run-b", deadline=time.monotonic()):
        pass
    with process(HOLDER, tmp_path, "0", "run-a") as first:
        assert said(first) == "held"
        file.write_bytes(content)
        lines: list[str] = []
        with (
            pytest.raises(DeadlineError),
            lease(tmp_path, "0", "b", deadline=time.monotonic(), on_wait=lines.append),
        ):
            pytest.fail("it is held")
        assert lines == ["waiting for GPU 0, which another run has"]


def test_a_removed_file_does_not_make_two_holders(tmp_path: Path) -> None:
    """Whoever waited on a file that was removed meanwhile takes the new one, as everybody after it does."""
    with process(HOLDER, tmp_path, "0", "run-a") as first:
        assert said(first) == "held"
        with process(HOLDER, tmp_path, "0", "run-b") as second:
            assert said(second).startswith("waiting for GPU 0")
            (tmp_path / "gpu-0.lock").unlink()
            assert said(second) == "held"
            with pytest.raises(DeadlineError), lease(tmp_path, "0", "run-c", deadline=time.monotonic()):
                pytest.fail("it is held")


def test_a_file_that_is_removed_under_the_lock_is_no_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock on a file that was removed between opening and locking is not taken for the GPU's."""
    locked: list[int] = []
    lock = lease_module._lock

    def lock_and_lose_once(fd: int) -> bool:
        locked.append(fd)
        if len(locked) == 1:
            (tmp_path / "gpu-0.lock").unlink()
        return lock(fd)

    monkeypatch.setattr(lease_module, "_lock", lock_and_lose_once)
    with lease(tmp_path, "0", "run-a"), process(HOLDER, tmp_path, "0", "run-b") as second:
        assert said(second).startswith("waiting for GPU 0, which run run-a has")
    assert len(locked) == 2


def test_names_are_safe(tmp_path: Path) -> None:
    """Neither a GPU's nor a run's name leaves the directory or reaches a terminal as it is."""
    directory = tmp_path / "leases"
    with process(HOLDER, directory, "../../\x1b[2Jevil", "run\x1b[2J\nnext") as first:
        assert said(first) == "held"
        assert [one.parent for one in directory.iterdir()] == [directory]
        lines: list[str] = []
        with (
            pytest.raises(DeadlineError),
            lease(directory, "../../\x1b[2Jevil", "b", deadline=time.monotonic(), on_wait=lines.append),
        ):
            pytest.fail("it is held")
    assert lines[0].isprintable()


def test_the_directory_is_the_users_alone(tmp_path: Path) -> None:
    """A directory that is made is closed to others, and so is the file."""
    with lease(tmp_path / "state" / "leases", "0", "run-a"):
        directory = tmp_path / "state" / "leases"
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "gpu-0.lock").stat().st_mode) == 0o600


def test_an_error_gives_the_gpu_back(tmp_path: Path) -> None:
    """An exception in the holder's work passes through, and the GPU is free."""
    with pytest.raises(KeyError), lease(tmp_path, "0", "run-a"):
        raise KeyError
    with process(HOLDER, tmp_path, "0", "run-b") as second:
        assert said(second) == "held"
