"""The runner as a child process: starts `python -m harness run`, hears what it says, and ends it when asked.

It judges no result, and starts no thread: the supervisor forks pseudo-terminals and must stay single-threaded.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from harness.pipes import Lines
from harness.result import Outcome, RecordError, RunProgress, RunRequest, RunResult
from harness.run_environment import RUN_ID_VARIABLE
from harness.text import one_line, tail
from sessions.leftovers import end_leftovers
from sessions.store import replace_file

OnProgress = Callable[[RunProgress], None]

RUNNER: Final = (sys.executable, "-I", "-m", "harness", "run")
# What programs and GPUs are found by; the agent's keys are none of the runner's business.
_PASSED_ON: Final = (
    *("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME"),
    *("LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"),
)
# From being asked to end until being made to: time to end a run's processes and to say so.
_GRACE_S: Final = 10.0
_POLL_S: Final = 0.1
_READ: Final = 64 << 10


async def run_harness(
    request: RunRequest,
    on_progress: OnProgress,
    abort: asyncio.Event,
    *,
    runner: Sequence[str] = RUNNER,
    grace_s: float = _GRACE_S,
) -> RunResult:
    """Run one genome in a runner of its own.

    Args:
        request: what to run; `request.json` and `runner.log` are written beside its scratch directory.
        on_progress: told where the run is.
        abort: when it is set, the run is ended, and the result says so.
        runner: the command, to which `--request FILE --events-fd N` is added.
        grace_s: seconds that the runner gets to end a run after being asked.

    Returns:
        What the runner said; where it died without a word, a result whose outcome is "aborted" and that says how.
    """
    heard = _Heard(request, on_progress)
    folder = Path(request.scratch).parent
    reading, writing = os.pipe()
    try:
        process = _start(request, folder, writing, runner)
    except OSError as error:
        os.close(reading)
        return _aborted(request, f"the runner could not be started: {error.strerror or error}")
    finally:
        os.close(writing)
    os.set_blocking(reading, False)
    loop = asyncio.get_running_loop()
    loop.add_reader(reading, heard.read, reading)
    try:
        await _until_exit(process, abort, grace_s)
        heard.read(reading)  # what it said last
    finally:  # also when this task is cancelled
        loop.remove_reader(reading)
        os.close(reading)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if heard.result is None:  # a runner that says its result has ended all it started
            end_leftovers(request.run_id)
    return heard.result or _aborted(request, _obituary(process.returncode, folder))


def _start(request: RunRequest, folder: Path, events_fd: int, runner: Sequence[str]) -> subprocess.Popen[bytes]:
    file = folder / "request.json"
    replace_file(file, request.to_json() + "\n")
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with (folder / "runner.log").open("wb") as log:
        return subprocess.Popen(
            [*runner, "--request", str(file), "--events-fd", str(events_fd)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**environment, RUN_ID_VARIABLE: request.run_id},
            pass_fds=(events_fd,),
            start_new_session=True,
        )


async def _until_exit(process: subprocess.Popen[bytes], abort: asyncio.Event, grace_s: float) -> None:
    """Wait for the runner's end; when `abort` is set, ask it to end, and do not wait for ever."""
    async with _task(_exit_of(process)) as exited, _task(abort.wait()) as asked:
        await asyncio.wait({exited, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():
            process.terminate()
            await asyncio.wait({exited}, timeout=grace_s)


@contextlib.asynccontextmanager
async def _task(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """A task that does not outlive the block."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _exit_of(process: subprocess.Popen[bytes]) -> None:
    """Until the process has ended. The end of its pipe would not do: a stray child may hold that."""
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:  # a kernel before 5.3
        while process.poll() is None:
            await asyncio.sleep(_POLL_S)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)


class _Heard:
    """What the runner has said so far."""

    def __init__(self, request: RunRequest, on_progress: OnProgress) -> None:
        self.result: RunResult | None = None
        self._request = request
        self._on_progress = on_progress
        self._lines = Lines()

    def read(self, fd: int) -> None:
        """Take what is in the pipe now."""
        while True:
            try:
                data = os.read(fd, _READ)
            except BlockingIOError:
                return
            if not data:
                asyncio.get_running_loop().remove_reader(fd)
                return
            for message in self._lines.feed(data):
                # Another version's record, or another run's, is none of ours.
                with contextlib.suppress(RecordError):
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("run_id") != self._request.run_id:
            return
        if message.get("kind") == "progress":
            self._on_progress(RunProgress.from_dict(message))
        elif message.get("kind") == "result" and message.get("commit") == self._request.commit:
            self.result = RunResult.from_dict(message)


def _aborted(request: RunRequest, reason: str) -> RunResult:
    return RunResult(request.run_id, request.commit, Outcome.ABORTED, one_line(reason), seed=request.seed)


def _obituary(status: int, folder: Path) -> str:
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    try:
        said = tail((folder / "runner.log").read_bytes(), lines=1)
    except OSError:
        said = []
    return f"the runner died ({how})" + "".join(f": {line}" for line in said)
