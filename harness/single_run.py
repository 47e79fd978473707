"""One run through a fork server of its own, for who has no session: starts it, waits, ends it.

So no variable of the caller's, and nothing in its memory, is in a process of the run.
"""

import os
import selectors
import time
from pathlib import Path
from typing import Final

from harness.events import Heard, OnProgress, aborted, obituary
from harness.orders import Ended, Order
from harness.result import Outcome, RunRequest, RunResult
from harness.server_link import ServerLink

_READ: Final = 1 << 16
# A runner that has lost its server, and is told to end, needs a moment.
_GRACE_S: Final = 10.0


def run_alone(request: RunRequest, on_progress: OnProgress, stop_fd: int) -> RunResult:
    """Run one genome.

    Args:
        request: what to run; `runner.log` is written beside its scratch directory.
        on_progress: told where the run is.
        stop_fd: readable when the run must be aborted. If this process dies, the run ends, too.
    """
    heard = Heard(request, on_progress)
    log_path = Path(request.scratch).parent / "runner.log"
    reading, writing = os.pipe()
    lifeline, held = os.pipe()
    link = None
    try:
        with log_path.open("wb") as log:
            link = ServerLink()
            link.send(Order(vars(request)), events_fd=writing, stop_fd=lifeline, log_fd=log.fileno())
        os.close(writing)
        os.close(lifeline)
        writing = lifeline = -1
        ended = _until_ended(link, heard, reading, stop_fd, held)
        if ended is None:
            os.close(held)
            held = -1
            _until_silent(heard, reading)
    except OSError as error:
        return aborted(request, f"the run could not be started: {error.strerror or error}")
    finally:
        for fd in (reading, writing, lifeline, held):
            if fd >= 0:
                os.close(fd)
        last = link.kill() if link is not None else None
    if heard.result is not None and (ended is not None or heard.result.outcome != Outcome.ABORTED):
        return heard.result
    if ended is None and last is not None:
        return aborted(request, obituary("the fork server", *last))
    if ended is not None and ended.reason:
        return aborted(request, ended.reason)
    return aborted(request, obituary("the runner", ended.status if ended else None, log_path.read_bytes()))


def _until_ended(link: ServerLink, heard: Heard, reading: int, stop_fd: int, held: int) -> Ended | None:
    """Hear what the runner says until it has ended; None: the server ended first."""
    os.set_blocking(reading, False)
    with selectors.DefaultSelector() as selector:
        for one in (link.socket, reading, stop_fd):
            selector.register(one, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if stop_fd in ready:
                selector.unregister(stop_fd)
                os.write(held, b"\n")
            if reading in ready and not _hear(heard, reading):
                selector.unregister(reading)
            if link.socket in ready:
                ended = link.ended()
                _hear(heard, reading)  # what it said last
                return ended


def _until_silent(heard: Heard, reading: int) -> None:
    """Hear what the runner still says, until it hangs up."""
    until = time.monotonic() + _GRACE_S
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            if not _hear(heard, reading):
                return


def _hear(heard: Heard, fd: int) -> bool:
    """Take what is in the pipe now; False at its end."""
    while True:
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return True
        if not data:
            return False
        heard.feed(data)
