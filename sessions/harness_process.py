"""A session's fork server: keeps one alive, has runs made by it, hears what they say, and ends them when asked.

It judges no result, and starts no thread: the supervisor forks pseudo-terminals and must stay single-threaded. A server
that dies is replaced when the next run is wanted.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from harness.events import Heard, OnProgress, aborted, obituary
from harness.orders import Ended, Order
from harness.result import Outcome, RunRequest, RunResult
from harness.server_link import SERVER, ServerLink
from sessions.leftovers import end_leftovers
from sessions.store import replace_file

__all__ = ["Harness", "OnProgress"]

# From being asked to end until being made to: time to end a run's processes and to say so.
_GRACE_S: Final = 10.0
# What the kernel and the server need to notice that a runner was killed.
_BURIAL_S: Final = 5.0
_READ: Final = 64 << 10


class Harness:
    """What a supervisor has its runs made by. `run` may be called again while another run goes on."""

    def __init__(self, server: Sequence[str] = SERVER, grace_s: float = _GRACE_S) -> None:
        """Start nothing yet.

        Args:
            server: the command of a fork server, to which the descriptor of its socket is added.
            grace_s: seconds that a runner gets to end a run after being asked.
        """
        self._command = server
        self._grace_s = grace_s
        self._link: ServerLink | None = None
        self._waiting: dict[str, asyncio.Future[Ended | None]] = {}
        self._obituary = ""

    def start(self) -> None:
        """Start the server, unless it lives, without waiting until it is ready; call it in the event loop.

        Raises:
            OSError: it could not be started.
        """
        if self._link is None:
            self._link = ServerLink(self._command)
            asyncio.get_running_loop().add_reader(self._link.socket, self._hear_server)

    def close(self) -> None:
        """End the server; runs that go on are told to end, and end by themselves."""
        if self._link is not None:
            asyncio.get_running_loop().remove_reader(self._link.socket)
            status, printed = self._link.kill()
            self._link, self._obituary = None, obituary("the fork server", status, printed)
        for ended in self._waiting.values():
            if not ended.done():
                ended.set_result(None)

    async def run(self, request: RunRequest, on_progress: OnProgress, abort: asyncio.Event) -> RunResult:
        """Run one genome in a runner of its own.

        Args:
            request: what to run; `request.json` and `runner.log` are written beside its scratch directory.
            on_progress: told where the run is.
            abort: when it is set, the run is ended, and the result says so.

        Returns:
            What the runner said; where it died without a word, a result whose outcome is "aborted" and that says how.
        """
        heard = Heard(request, on_progress)
        with contextlib.ExitStack() as stack:
            try:
                pipe, stop = self._order(request, stack)
            except OSError as error:
                return aborted(request, f"the runner could not be started: {error.strerror or error}")
            waiting = self._waiting[request.run_id] = asyncio.get_running_loop().create_future()
            stack.callback(self._waiting.pop, request.run_id)
            try:
                async with _listening(pipe, heard) as hung_up:
                    ended = await self._until_ended(waiting, hung_up, stop, abort)
            finally:  # also when this task is cancelled
                stop()
                if heard.result is None or not waiting.done():  # a runner that says its result has ended all it started
                    end_leftovers(request.run_id)
        if ended is None:
            # It ended in good order when it lost us, which tells nothing; a score that it had by then counts.
            if heard.result is not None and heard.result.outcome != Outcome.ABORTED:
                return heard.result
            return aborted(request, self._obituary or "the fork server does not answer")
        if heard.result is not None:
            return heard.result
        return aborted(request, ended.reason or obituary("the runner", ended.status, _printed(request)))

    def _order(self, request: RunRequest, stack: contextlib.ExitStack) -> tuple[int, Callable[[], None]]:
        """Ask for a run; where it will be heard, and what asks it to end."""
        folder = Path(request.scratch).parent
        replace_file(folder / "request.json", request.to_json() + "\n")
        self.start()
        assert self._link is not None  # noqa: S101 - it was started
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        lifeline, held = os.pipe()
        stop = contextlib.ExitStack()
        stop.callback(os.close, held)
        stack.callback(stop.close)
        try:
            with (folder / "runner.log").open("wb") as log:
                fds = {"events_fd": writing, "stop_fd": lifeline, "log_fd": log.fileno()}
                self._link.send(Order(vars(request)), **fds)
        finally:
            os.close(writing)
            os.close(lifeline)
        return reading, stop.close

    async def _until_ended(
        self,
        ended: "asyncio.Future[Ended | None]",
        hung_up: asyncio.Event,
        stop: Callable[[], None],
        abort: asyncio.Event,
    ) -> Ended | None:
        """Wait for the runner's end, and see to it when `abort` is set; None: the server was lost before."""
        async with _task(abort.wait()) as asked:
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        stop()
        async with _task(hung_up.wait()) as silent:
            if not ended.done():
                await asyncio.wait({ended}, timeout=self._grace_s)
            elif ended.result() is None:
                await asyncio.wait({silent}, timeout=self._grace_s)
        if not ended.done():
            run_id = next(one for one, waiting in self._waiting.items() if waiting is ended)
            if end_leftovers(run_id):
                await asyncio.wait({ended}, timeout=_BURIAL_S)
            if not ended.done():  # it has not even begun, or nobody tells us of its end
                self.close()
        return ended.result()

    def _hear_server(self) -> None:
        """A run has ended, or the server has."""
        while self._link is not None:
            try:
                ended = self._link.ended()
            except BlockingIOError:
                return
            if ended is None:
                self.close()
            elif (waiting := self._waiting.get(ended.run_id)) is not None and not waiting.done():
                waiting.set_result(ended)


@contextlib.asynccontextmanager
async def _listening(fd: int, heard: Heard) -> AsyncIterator[asyncio.Event]:
    """While this lasts, hear what comes over the pipe; the event is set at its end."""
    loop, hung_up = asyncio.get_running_loop(), asyncio.Event()
    os.set_blocking(fd, False)

    def read() -> None:
        while not hung_up.is_set():
            try:
                data = os.read(fd, _READ)
            except BlockingIOError:
                return
            if data:
                heard.feed(data)
            else:
                loop.remove_reader(fd)
                hung_up.set()

    loop.add_reader(fd, read)
    try:
        yield hung_up
    finally:
        read()  # what it said last
        loop.remove_reader(fd)


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


def _printed(request: RunRequest) -> bytes:
    """What the runner printed."""
    try:
        return (Path(request.scratch).parent / "runner.log").read_bytes()
    except OSError:
        return b""
