"""The runner as a child process, with small programs that stand in for it."""

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from harness.result import Outcome, RunProgress, RunRequest, RunResult
from sessions.harness_process import run_harness

# What every stand-in begins with: the arguments, as the runner gets them, and a way to speak.
HEAD = """
import json, os, signal, subprocess, sys, time
request = json.load(open(sys.argv[sys.argv.index("--request") + 1]))
fd = int(sys.argv[sys.argv.index("--events-fd") + 1])
def say(kind, **facts):
    record = {"kind": kind, "run_id": request["run_id"], "commit": request["commit"], **facts}
    os.write(fd, json.dumps(record).encode() + b"\\n")
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


async def run(
    request: RunRequest,
    script: str,
    seen: list[RunProgress] | None = None,
    abort: asyncio.Event | None = None,
    grace_s: float = 10.0,
) -> RunResult:
    heard = [] if seen is None else seen
    runner = (sys.executable, "-I", "-c", HEAD + script)
    return await run_harness(request, heard.append, abort or asyncio.Event(), runner=runner, grace_s=grace_s)


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
    result = await run(request_, script, seen)
    assert (result.outcome, result.val_bpb, result.commit) == (Outcome.OK, 1.5, request_.commit)
    assert [one.steps for one in seen] == [0, 1, 2]


async def test_the_environment_has_no_secrets(request_: RunRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner gets what finds programs and GPUs, and none of the agent's keys; it runs in / in its own group."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    script = """
facts = [sorted(os.environ), os.getcwd(), os.getpgid(0) == os.getpid(), os.environ["CUDA_VISIBLE_DEVICES"]]
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
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
subprocess.Popen(sleeper, start_new_session=True, pass_fds=(fd,))
say("progress", phase="training")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert (await run(request_, script)).outcome == Outcome.ABORTED
    assert alive(request_.run_id) == []


async def test_an_abort_is_asked_for(request_: RunRequest) -> None:
    """SIGTERM goes to the runner, and what it answers is the result."""
    abort = asyncio.Event()
    script = """
def stop(*_):
    say("result", outcome="aborted", reason="stopped from outside")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
say("progress", phase="training")
while True:
    signal.pause()
"""
    runner = (sys.executable, "-I", "-c", HEAD + script)
    result = await run_harness(request_, lambda _: abort.set(), abort, runner=runner)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "stopped from outside")


async def test_an_abort_is_enforced(request_: RunRequest) -> None:
    """A runner that ignores the request is killed after its grace, and its processes with it."""
    abort = asyncio.Event()
    script = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
say("progress", phase="training")
time.sleep(600)
"""
    runner = (sys.executable, "-I", "-c", HEAD + script)
    result = await run_harness(request_, lambda _: abort.set(), abort, runner=runner, grace_s=0.2)
    assert (result.outcome, result.reason) == (Outcome.ABORTED, "the runner died (signal 9)")
    assert alive(request_.run_id) == []


async def test_a_cancelled_task_leaves_no_runner(request_: RunRequest) -> None:
    """When the task that runs it is cancelled, the runner ends, too."""
    started = asyncio.Event()
    script = "say('progress', phase='training')\ntime.sleep(600)\n"
    runner = (sys.executable, "-I", "-c", HEAD + script)
    task = asyncio.ensure_future(run_harness(request_, lambda _: started.set(), asyncio.Event(), runner=runner))
    await started.wait()
    assert len(alive(request_.run_id)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert alive(request_.run_id) == []


async def test_a_runner_that_cannot_be_started(request_: RunRequest) -> None:
    """No such program, or no place to write to, is an abort with a reason."""
    result = await run_harness(request_, lambda _: None, asyncio.Event(), runner=("/nowhere/python",))
    assert result.outcome == Outcome.ABORTED
    assert result.reason == "the runner could not be started: No such file or directory"


async def test_an_old_kernel_will_do(request_: RunRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pidfd_open the runner's end is noticed all the same."""

    def missing(_pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", missing)
    assert (await run(request_, "say('result', outcome='ok', val_bpb=1.5)")).val_bpb == 1.5


async def test_the_real_runner_answers(request_: RunRequest) -> None:
    """The harness itself, given a corpus that there is not, answers over the pipe."""
    result = await run_harness(request_, lambda _: None, asyncio.Event())
    assert result.outcome != Outcome.OK
    assert "the runner died" not in result.reason
    assert (result.run_id, result.commit) == (request_.run_id, request_.commit)
