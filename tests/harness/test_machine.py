"""harness.machine as others use it: a process that prints lines."""

import contextlib
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness import machine
from harness.machine_sample import MachineSample
from harness.nvml import NvmlUnavailableError
from harness.result import RecordError
from tests.harness.nvml_standin import compiled, environment

COMMAND = [sys.executable, "-I", "-m", "harness.machine"]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("nvml"))


@contextlib.contextmanager
def running(command: list[str], env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_lines_are_samples(driver: Path) -> None:
    """Every line is a whole sample: both GPUs, CPU and memory within their bounds, time going forward."""
    done = subprocess.run(
        [*COMMAND, "--every", "0.1", "--count", "2"], env=environment(driver), capture_output=True, check=True
    )
    samples = [MachineSample.from_json(line) for line in done.stdout.splitlines()]
    assert done.stderr == b""
    assert len(samples) == 2
    assert samples[0].at < samples[1].at
    for sample in samples:
        assert [gpu.utilization for gpu in sample.gpus] == [98, 0]
        assert not sample.gpu_error
        assert 0 <= sample.cpu_percent <= 100
        assert 0 < sample.memory_used < sample.memory_total == psutil.virtual_memory().total
        assert sample.cpu_count == psutil.cpu_count()
        assert sample.cpu_name


def test_no_driver_still_gives_the_machine(tmp_path: Path) -> None:
    """Without a driver there are no GPUs, one line says why, and CPU and memory are there."""
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"not a library")
    done = subprocess.run([*COMMAND, "--count", "1"], env=environment(tmp_path), capture_output=True, check=True)
    sample = MachineSample.from_json(done.stdout)
    assert sample.gpus == []
    assert "no NVIDIA driver" in sample.gpu_error
    assert sample.memory_total > 0


def test_a_sample_survives_its_line(driver: Path) -> None:
    """Reading what was written gives the same record back, nested records included."""
    done = subprocess.run(
        [*COMMAND, "--count", "1"], env=environment(driver, "foreign"), capture_output=True, check=True
    )
    sample = MachineSample.from_json(done.stdout)
    assert [process.pid for process in sample.gpus[0].processes] == [4194400, 4194401]
    assert MachineSample.from_json(sample.to_json()) == sample


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", '{"at": 1, "gpus": 3}', '{"at": 1, "gpus": [3]}', '{"at": 1, "gpus": [{}]}']
)
def test_a_torn_line_is_a_record_error(line: str) -> None:
    """Whatever is not a sample is refused with the one error that readers of records know."""
    with pytest.raises(RecordError):
        MachineSample.from_json(line)


def test_a_crash_in_the_driver_ends_only_the_sampler(driver: Path) -> None:
    """When the library kills its process, the reader sees the end of the lines and nothing else."""
    with running(COMMAND, environment(driver, "crash")) as process:
        assert first_line(process) == b""
        assert process.wait(timeout=60) == -signal.SIGSEGV


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_the_driver_hangs(driver: Path, number: signal.Signals) -> None:
    """A call that never comes back does not keep the process from ending when told, and it ends without a word."""
    with running(COMMAND, environment(driver, "hang")) as process:
        assert first_line(process) == b"hanging\n"
        process.send_signal(number)
        assert process.wait(timeout=60) == -number
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_hang_in_the_driver_ends_the_sampler(driver: Path) -> None:
    """A call that never comes back ends the process by itself when patience is over."""
    code = "import harness.machine as m; m.NVML_PATIENCE_S = 0.2; m.main([])"
    with running([sys.executable, "-I", "-c", code], environment(driver, "hang")) as process:
        assert first_line(process) == b"hanging\n"
        assert first_line(process) == b""
        assert process.wait(timeout=60) == -signal.SIGALRM


def test_it_ends_quietly_when_nobody_reads() -> None:
    """A reader that goes away ends it, without a word on standard error."""
    with running([*COMMAND, "--every", "0.05"]) as process:
        assert first_line(process)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


def test_it_ends_when_its_parent_is_killed() -> None:
    """A parent that is killed takes the sampler with it, long before the next line would find nobody."""
    code = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
    command = [sys.executable, "-I", "-c", code, *COMMAND, "--every", "3600"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        try:
            assert first_line(parent)
        finally:
            parent.kill()
        assert parent.stdout is not None
        # The pipe's writing end is the sampler's alone now: it reports the end when the sampler is gone.
        assert select.select([parent.stdout], [], [], 60)[0]
        assert parent.stdout.read() == b""


# Forks a sampler as a server of processes would: with signals blocked, from a process that goes on living.
FORKS = """
import os, signal, sys
from harness.machine import stream
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
if os.fork() == 0:
    try:
        stream(1, float(sys.argv[1]), os.getppid())
    finally:
        os._exit(9)
os.close(1)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
if sys.argv[2:]:
    os.kill(int(sys.stdin.readline()), signal.SIGTERM)
_, status = os.wait()
print(os.waitstatus_to_exitcode(status), file=sys.stderr)
"""


def forks(*arguments: str) -> list[str]:
    return [sys.executable, "-I", "-c", FORKS, *arguments]


def test_a_forked_sampler_writes_to_its_descriptor(driver: Path) -> None:
    """A process that was forked to sample tells of the machine, and comes back when nobody reads any more."""
    with running(forks("0.05"), environment(driver)) as parent:
        samples = [MachineSample.from_json(first_line(parent)) for _ in range(2)]
        assert parent.stdout is not None
        assert parent.stderr is not None
        parent.stdout.close()
        assert parent.stderr.read() == b"9\n"
    assert samples[0].clock < samples[1].clock
    assert [len(sample.gpus) for sample in samples] == [2, 2]


def test_a_forked_sampler_ends_with_its_parent(driver: Path) -> None:
    """One that was forked, too, ends when its parent is killed, long before its next line."""
    with running(forks("3600"), environment(driver)) as parent:
        assert first_line(parent)
        parent.kill()
        assert parent.stdout is not None
        assert select.select([parent.stdout], [], [], 60)[0]
        assert parent.stdout.read() == b""


def test_a_forked_sampler_that_hangs_ends_when_told(driver: Path) -> None:
    """Signals that its parent had blocked end it while the driver hangs."""
    with subprocess.Popen(
        forks("1", "told"),
        env=environment(driver, "hang"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as parent:
        try:
            assert first_line(parent) == b"hanging\n"
            [child] = psutil.Process(parent.pid).children()
            _, errors = parent.communicate(f"{child.pid}\n".encode(), timeout=60)
        finally:
            parent.kill()
    assert errors == b"-15\n"


def test_samples_share_the_readers_clock(driver: Path) -> None:
    """A sample's clock lies between two readings of `time.monotonic` in the process that ordered it."""
    before = time.monotonic()
    done = subprocess.run([*COMMAND, "--count", "1"], env=environment(driver), capture_output=True, check=True)
    sample = MachineSample.from_json(done.stdout)
    assert before - 0.001 <= sample.clock <= time.monotonic()


def test_what_a_kernel_does_not_say_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without steal in the CPU's times, and without a frequency, both are None, never 0."""
    monkeypatch.setattr(psutil, "cpu_times_percent", lambda interval: (interval, 1.0))
    monkeypatch.setattr(machine, "_cpu_facts", lambda _key: [])
    sample = machine.Sampler().sample()
    assert (sample.steal_percent, sample.cpu_mhz) == (None, None)
    assert MachineSample.from_json(sample.to_json()) == sample


def test_an_older_line_is_still_a_sample() -> None:
    """A line that lacks what came to be told later is read, and what it lacks is unknown."""
    sample = MachineSample.from_json('{"at": 1.0, "gpus": [{"index": 0, "name": "x", "processes": []}]}')
    assert (sample.steal_percent, sample.gpus[0].energy_j) == (None, None)


def test_interval_is_checked() -> None:
    """An interval that would spin, or that is no number, is a usage error in one line."""
    for wrong in ("0", "-1", "nan", "often"):
        done = subprocess.run([*COMMAND, "--every", wrong], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("python -I -m harness.machine: error: argument --every:")


def test_a_missing_driver_is_not_asked_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure NVML is left alone for a while, and then asked again."""
    asked: list[float] = []
    now = [1000.0]

    class Absent:
        def __init__(self, name_of: object) -> None: ...

        def sample(self) -> list[object]:
            asked.append(now[0])
            raise NvmlUnavailableError("gone")

    monkeypatch.setattr(machine, "Nvml", Absent)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    sampler = machine.Sampler()
    for _ in range(3):
        assert sampler.sample().gpu_error == "gone"
    now[0] += machine.RETRY_S
    assert sampler.sample().gpu_error == "gone"
    assert asked == [1000.0, 1000.0 + machine.RETRY_S]
