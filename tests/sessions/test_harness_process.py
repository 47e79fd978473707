"""The fork server as a session keeps it: with small programs that stand in for it, and the real one."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from harness.orders import Order
from harness.result import Outcome, RunProgress, RunRequest, RunResult
from sessions.harness_process import Harness
from tests.harness.running import MODEL, request_for, small_corpus

# A server whose runners do what a script says, with a way to speak. Its runs have real marks.
STAND_IN = """
import json, os, signal, socket, subprocess, sys, time
from harness.orders import Ended, receive_order, send_ended
from harness.run_mark import mark
link = socket.socket(fileno=int(sys.argv[-1]))
while (came := receive_order(link)) is not None:
    order, (fd, stop_fd, log_fd) = came
    request = order.request
    def say(kind, **facts):
        record = {"kind": kind, "run_id": request["run_id"], "commit": request["commit"], **facts}
        os.write(fd, json.dumps(record).encode() + b"\\n")
    child = os.fork()
    if child == 0:
        mark(request["run_id"])
        link.close()
        os.dup2(log_fd, 1)
        os.dup2(log_fd, 2)
        try:
            exec(SCRIPT)
        except SystemExit as end:
            sys.stderr.write(f"{end}\\n")
            os._exit(1)
        os._exit(0)
    for one in (fd, stop_fd, log_fd):
        os.close(one)
    send_ended(link, Ended(request["run_id"], os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
"""


@pytest.fixture
def request_(tmp_path: Path) -> RunRequest:
    (tmp_path / "scratch").mkdir()
    return RunRequest(
        run_id=f"test-{os.getpid()}-{tmp_path.name}",
        commit="c" * 40,
        genome="/train.py",
        scratch=str(tmp_path / "scratch"),
        corpus="/corpus",
        preset="embedded",
        budget_s=1.0,
    )


def standing_in(script: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", f"SCRIPT = {script!r}\n{STAND_IN}")


async def run(
    request: RunRequest,
    script: str,
    on_progress: Callable[[RunProgress], None] = lambda _: None,
    abort: asyncio.Event | None = None,
    grace_s: float = 10.0,
) -> RunResult:
    harness = Harness(standing_in(script), grace_s)
    try:
        return await harness.run(request, on_progress, abort or asyncio.Event())
    finally:
        harness.close()


def alive(run_id: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("AUTORESEARCH_RUN_ID") == run_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


async def test_progress_and_result_are_heard(request_: RunRequest) -> None:
    """Progress arrives in order, then the result; noise, other runs' records and foreign keys change nothing."""
    seen: list[RunProgress] = []
    script = """
print("val_bpb: 0.1")
os.write(fd, b"\\xff noise\\n[1]\\n")
for steps in range(3):
    say("progress", phase="training", spent_s=0.1 * steps, budget_s=1.0, steps=steps, news=True)
say("progress", phase="training", run_id="other")
say("result", outcome="ok", val_bpb=0.5, run_id="other")
say("result", outcome="ok", val_bpb=0.6, commit="other")
say("news")
say("result", outcome="ok", val_bpb=1.5)
"""
    result = await run(request_, script, seen.append)
    assert (result.outcome, result.val_bpb, result.commit) == (Outcome.OK, 1.5, request_.commit)
    assert [one.steps for one in seen] == [0, 1, 2]


async def test_the_environment_has_no_secrets(request_: RunRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gets what finds programs and GPUs, and none of the agent's keys; it runs in / in its own group."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    script = """
facts = [sorted(os.environ), os.getcwd(), os.getpgid(0) == os.getppid(), os.environ["CUDA_VISIBLE_DEVICES"]]
say("result", outcome="crash", reason=json.dumps(facts))
"""
    result = await run(request_, script)
    assert "KEY" not in result.reason
    for fact in ('"AUTORESEARCH_RUN_ID"', '"PATH"', '"/"', "true", '"1"'):
        assert fact in result.reason


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "the runner died (signal 9)"),
        ("sys.exit('no such module \\x1b[31m')", "the runner died (exit status 1): no such module"),
        ("say('result', outcome='ok', val_bpb=1.0, steps='many')", "the runner died (exit status 0)"),
        ("os.kill(os.getppid(), signal.SIGKILL)\nos.read(stop_fd, 1)", "the fork server died (signal 9)"),
    ],
)
async def test_a_runner_that_dies_without_a_result(request_: RunRequest, script: str, reason: str) -> None:
    """It is an abort, which says nothing of the genome, with how it died in one clean line."""
    result = await run(request_, script)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, reason)
    assert (result.run_id, result.commit) == (request_.run_id, request_.commit)


async def test_a_dead_runners_processes_are_ended(request_: RunRequest) -> None:
    """What a killed runner had started, in sessions of its own, does not live on, nor is its end waited for."""
    script = """
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
say("progress", phase="training")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert (await run(request_, script)).outcome == Outcome.ABORTED
    assert alive(request_.run_id) == []


async def test_an_abort_is_asked_for(request_: RunRequest) -> None:
    """The runner's stop descriptor is hung up, and what it answers is the result."""
    abort = asyncio.Event()
    script = """
say("progress", phase="training")
assert os.read(stop_fd, 1) == b""
say("result", outcome="aborted", reason="stopped from outside")
"""
    result = await run(request_, script, lambda _: abort.set(), abort)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "stopped from outside")


async def test_an_abort_is_enforced(request_: RunRequest) -> None:
    """A runner that ignores the request is killed after its grace, and its processes with it."""
    abort = asyncio.Event()
    script = """
os.fork()
say("progress", phase="training")
time.sleep(600)
"""
    result = await run(request_, script, lambda _: abort.set(), abort, grace_s=0.2)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "the runner died (signal 9)")
    assert alive(request_.run_id) == []


async def test_an_abort_does_not_wait_for_a_server_that_hangs(request_: RunRequest) -> None:
    """A server that never begins the run is ended with it."""
    abort = asyncio.Event()
    abort.set()
    harness = Harness((sys.executable, "-I", "-c", "import time; time.sleep(600)"), grace_s=0.1)
    result = await harness.run(request_, lambda _: None, abort)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "the fork server died (signal 9)")


async def test_a_cancelled_task_leaves_no_runner(request_: RunRequest) -> None:
    """When the task that runs it is cancelled, the runner ends, too."""
    started = asyncio.Event()
    script = "say('progress', phase='training')\ntime.sleep(600)\n"
    task = asyncio.ensure_future(run(request_, script, lambda _: started.set()))
    await started.wait()
    assert len(alive(request_.run_id)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert alive(request_.run_id) == []


async def test_a_server_that_cannot_be_started(request_: RunRequest) -> None:
    """No such program is an abort with a reason."""
    result = await Harness(("/nowhere/python",)).run(request_, lambda _: None, asyncio.Event())
    assert result.outcome == Outcome.ABORTED
    assert result.reason == "the runner could not be started: No such file or directory"


async def test_a_server_that_does_not_come_up_says_why(request_: RunRequest) -> None:
    """What it printed last is the reason, in one clean line."""
    harness = Harness((sys.executable, "-I", "-c", "raise SystemExit('no torch here')"))
    result = await harness.run(request_, lambda _: None, asyncio.Event())
    assert (result.outcome, result.reason) == (
        Outcome.ABORTED,
        "the fork server died (exit status 1): no torch here",
    )


@pytest.fixture
async def real() -> AsyncIterator[Harness]:
    harness = Harness()
    harness.start()
    yield harness
    harness.close()


async def test_the_real_runner_answers(real: Harness, request_: RunRequest) -> None:
    """The harness itself, given a corpus that there is not, answers over the pipe, as often as it is asked."""
    for _ in range(2):
        result = await real.run(request_, lambda _: None, asyncio.Event())
        assert result.outcome == Outcome.CRASH  # there is no such genome
        assert "train.py cannot be read" in result.reason
        assert (result.run_id, result.commit) == (request_.run_id, request_.commit)


async def test_two_runs_at_a_time(real: Harness, request_: RunRequest) -> None:
    """Each of two runs that go on at once gets its own answer."""
    other = RunRequest(**{**vars(request_), "run_id": request_.run_id + "-b", "preset": "grand"})
    first, second = await asyncio.gather(
        *(real.run(one, lambda _: None, asyncio.Event()) for one in (request_, other)),
    )
    assert (first.run_id, second.run_id) == (request_.run_id, other.run_id)
    assert "train.py cannot be read" in first.reason
    assert "no preset 'grand'" in second.reason


async def test_a_run_id_that_is_no_mark_is_refused(real: Harness, request_: RunRequest) -> None:
    """A run whose processes could not be found again is not begun."""
    request = RunRequest(**{**vars(request_), "run_id": "x" * 300})
    result = await real.run(request, lambda _: None, asyncio.Event())
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "its id is too long, or none")


async def test_what_is_no_order_does_no_harm(real: Harness, request_: RunRequest) -> None:
    """A server that was sent nonsense goes on."""
    assert real._link is not None
    real._link.socket.send(b"hello")
    real._link.socket.send(Order(vars(request_)).to_json().encode())  # without its descriptors
    result = await real.run(request_, lambda _: None, asyncio.Event())
    assert result.outcome == Outcome.CRASH


async def test_a_server_ends_with_its_owner(real: Harness) -> None:
    """Closed, it is gone, and started again it is another."""
    assert real._link is not None
    pid = real._link.pid
    real.close()
    assert not psutil.pid_exists(pid)
    real.start()
    assert real._link.pid != pid
    os.kill(real._link.pid, signal.SIGKILL)


# An orphan in a session of its own, which no kernel's link leads to when its adopters are dead.
ORPHAN = """
def train(model, run):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            pathlib.Path("orphan").write_text(str(os.getpid()))
            signal.pause()
        os._exit(0)
    os.wait()
    while not os.path.exists("orphan") or not pathlib.Path("orphan").read_text():
        time.sleep(0.01)
    for inputs, targets in run.batches(1):
        model(inputs)
    signal.pause()
"""


async def test_the_death_of_everybody_who_knew_of_a_run_leaves_nothing(real: Harness, tmp_path: Path) -> None:
    """Server and runner are killed at once in mid-run: it is aborted, an orphan of it ends, and the next run works."""
    corpus = small_corpus(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    request = request_for(tmp_path / "a", corpus, MODEL + ORPHAN)
    orphans: list[psutil.Process] = []

    def kill_both(record: RunProgress) -> None:
        if record.steps and real._link is not None and not orphans:
            orphans.append(psutil.Process(int((tmp_path / "a" / "scratch" / "orphan").read_text())))
            server = psutil.Process(real._link.pid)
            for one in [*(child for child in server.children() if child.name() == "runner"), server]:
                one.kill()

    result = await real.run(request, kill_both, asyncio.Event())
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "the fork server died (signal 9)")
    assert alive(request.run_id) == []
    assert not orphans[0].is_running()
    again = await real.run(request_for(tmp_path / "b", corpus, MODEL), lambda _: None, asyncio.Event())
    assert again.outcome == Outcome.OK, again.reason
