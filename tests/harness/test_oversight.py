"""What a run uses is seen from outside: no clock that a genome can reach, and no way to write, gets round that."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bounds import contradicted, overfull, overspent
from harness.process_tree import adopting_orphans, end_descendants
from harness.result import Outcome, RunResult
from harness.runner import PRESETS, run
from harness.scratch_size import TooDeepError, written_bytes
from harness.settings import EMBEDDED
from harness.tree_cpu import TreeCpu
from tests.harness.running import BURN, MODEL, request_for, small_corpus

TIGHT = replace(EMBEDDED, warmup_s=0.2, scratch_bytes=8 << 20)
Run = Callable[[str], RunResult]

# A clock that stands still, in every place where the genome's process could read it.
STILL = """
def train(model, run):
    import harness.clock, resource
    harness.clock.cpu_seconds = time.process_time_ns = time.monotonic = lambda: 0.0
    run._now = lambda: 0.0
    run._budget.charge = lambda now, warm=False: 0.0
    resource.getrusage = None
"""

FORGED = """
    record = b'{"kind": "done", "spent_s": 0.2, "steps": 9, "tokens": 9, "gpu_memory_bytes": 0}\\n'
    for fd in range(3, 20):
        try:
            os.write(fd, record)
        except OSError:
            pass
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_corpus(tmp_path_factory.mktemp("oversight"))


@pytest.fixture
def finish(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a genome's text to its end, with tight bounds; nothing of it is left."""
    monkeypatch.setitem(PRESETS, "embedded", TIGHT)

    def finish_it(text: str) -> RunResult:
        result = run(request_for(tmp_path, corpus, text), lambda _record: None)
        assert psutil.Process().children(recursive=True) == []
        return result

    return finish_it


def test_a_clock_that_was_stopped_ends_nothing_but_the_run(finish: Run) -> None:
    """A genome that makes its clock stand still is ended, and told how much it used of what."""
    result = finish(MODEL + STILL + "    while True:\n        model(next(run.batches(1))[0])\n")
    assert (result.outcome, result.val_bpb) == (Outcome.CRASH, None)
    assert "CPU seconds of a budget of 0.2 s" in result.reason
    assert 2.0 < result.outside_s < 10


@pytest.mark.parametrize(
    "how",
    [
        "    burn_aside(5)\n",
        "    signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n    burn_aside(5)\n",
        "    if os.fork() == 0:\n        os.setsid()\n        burn_aside(5)\n        os._exit(0)\n    os.wait()\n",
        "    from concurrent.futures import ThreadPoolExecutor\n    ThreadPoolExecutor(2).submit(burn, 5).result()\n",
    ],
    ids=["child", "ignored child", "orphan", "thread"],
)
def test_whatever_training_starts_is_charged(finish: Run, how: str) -> None:
    """CPU time of children that nobody waits for, of orphans and of threads counts, though the clock does not move."""
    result = finish(MODEL + BURN + STILL + how)
    assert (result.outcome, result.val_bpb) == (Outcome.CRASH, None)
    assert "CPU seconds" in result.reason


def test_a_record_that_says_done_stops_no_clock(finish: Run) -> None:
    """Who says that it is done and trains on is charged until the process ends."""
    result = finish(MODEL + BURN + STILL + FORGED + "    burn(5)\n    os._exit(0)\n")
    assert result.outcome == Outcome.CRASH
    assert "CPU seconds" in result.reason


def test_an_honest_run_says_what_the_runner_sees(finish: Run) -> None:
    """The seconds from outside are those that were charged, and the warm-up and little else besides."""
    result = finish(MODEL)
    assert result.outcome == Outcome.OK, result.reason
    assert result.training_s - 0.03 < result.outside_s < result.training_s + TIGHT.warmup_s + 1


@pytest.mark.parametrize(
    "how",
    [
        "    with open('big', 'wb') as big:\n        big.write(bytes(64 << 20))\n    signal.pause()\n",
        "    for n in range(1 << 20):\n        os.mkdir(str(n))\n    signal.pause()\n",
        "    os.makedirs('/'.join(['x'] * 200))\n    signal.pause()\n",
    ],
    ids=["one file", "many", "nested"],
)
def test_a_full_scratch_ends_the_run(finish: Run, how: str) -> None:
    """However it is filled, and while the run goes on, a scratch directory that holds too much ends it."""
    result = finish(MODEL + "def train(model, run):\n" + how)
    assert (result.outcome, result.val_bpb) == (Outcome.CRASH, None)
    assert result.reason.startswith(("the run wrote more than 0.0 GiB", "the run nested directories"))


def test_room_is_what_the_disk_gives_away(tmp_path: Path) -> None:
    """A hole takes none, a second name none, an empty file a little, a link nothing of what it points at."""
    (tmp_path / "data").write_bytes(bytes(1 << 20))
    os.link(tmp_path / "data", tmp_path / "again")
    (tmp_path / "elsewhere").symlink_to("/usr")
    with (tmp_path / "hole").open("wb") as hole:
        hole.truncate(1 << 30)
    assert 1 << 20 <= written_bytes(tmp_path, 1 << 40) < 2 << 20
    for n in range(2000):
        (tmp_path / str(n)).touch()
    assert written_bytes(tmp_path, 1 << 40) > (1 << 20) + 2000 * 1000


def test_a_deleted_file_counts_while_it_is_open(tmp_path: Path) -> None:
    """What has no name any more takes room as long as a process of the run holds it."""
    path = tmp_path / "gone"
    with path.open("wb") as stream:
        stream.write(bytes(4 << 20))
        stream.flush()
        path.unlink()
        assert written_bytes(tmp_path, 1 << 40, [os.getpid()]) > 4 << 20
    assert written_bytes(tmp_path, 1 << 40, [os.getpid()]) < 1 << 20


def test_what_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    """A place that cannot be looked through is no place to write to."""
    (tmp_path / "/".join("a" * 100)).mkdir(parents=True)
    with pytest.raises(TooDeepError):
        written_bytes(tmp_path, 1 << 40)


def test_cpu_time_is_counted_once(tmp_path: Path) -> None:
    """A process is charged the same before and after it was waited for, and what is spared is not."""
    script = "import os, time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\nos.read(0, 1)"
    command = [sys.executable, "-I", "-c", script]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **streams) as spared:  # type: ignore[call-overload]
        tree = TreeCpu(lambda: {spared.pid})
        assert tree.seconds() == pytest.approx(0.0, abs=0.02)
        with subprocess.Popen(command, **streams) as counted:  # type: ignore[call-overload]
            counted.stdout.readline()
            before = tree.seconds()
            assert 0.45 <= before < 1.5
            counted.stdin.close()
        assert tree.seconds() == pytest.approx(before, abs=0.15)
        spared.kill()


SECONDS = st.floats(0.0, 1e4)


@given(budget=st.floats(0.1, 1e3), more=SECONDS)
def test_who_keeps_to_the_budget_is_left_alone(budget: float, more: float) -> None:
    """Neither bound ever speaks for a run that used its budget and its warm-up; both do for one that used far more."""
    fair = budget + EMBEDDED.warmup_s
    for clock in ("cpu", "wall"):
        assert not overspent(fair, clock, budget, EMBEDDED)
        assert not contradicted(fair, budget, clock, budget, EMBEDDED)
        far = 1.1 * budget + 11.1 + EMBEDDED.warmup_s + more
        assert overspent(far, clock, budget, EMBEDDED)
        assert contradicted(far, budget, clock, budget, EMBEDDED)


def test_a_clock_that_runs_slow_is_contradicted() -> None:
    """A trainer that stays below the outer bound, but has used much more than it says, is not believed."""
    assert not overspent(23.9, "cpu", 20.0, EMBEDDED)
    assert "23.9 CPU seconds where its own clock counted 16.0" in contradicted(23.9, 16.0, "cpu", 20.0, EMBEDDED)


def test_the_bound_on_the_scratch_is_the_presets() -> None:
    """As many bytes as the preset says, and no more."""
    assert not overfull(TIGHT.scratch_bytes, TIGHT)
    assert overfull(TIGHT.scratch_bytes + 1, TIGHT)


def test_an_orphan_is_found_below_its_adopter() -> None:
    """A process whose parent is gone is charged where orphans are adopted."""
    read, write = os.pipe()
    with adopting_orphans():
        tree = TreeCpu(frozenset)
        if (child := os.fork()) == 0:
            if os.fork() == 0:
                end = time.process_time() + 0.3
                while time.process_time() < end:
                    pass
                os.write(write, b"x")
                signal.pause()
            os._exit(0)
        os.waitpid(child, 0)
        os.read(read, 1)
        assert tree.seconds() > 0.25
        end_descendants(())
    for fd in (read, write):
        os.close(fd)
