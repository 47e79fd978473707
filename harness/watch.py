"""Waiting for several things at once: a child's messages, its end, what the run prints, the deadline, an order to stop.

It reports; what follows from it is the runner's business.
"""

import contextlib
import os
import selectors
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from harness.child_process import ChildProcess
from harness.pipes import Lines, Message, send
from harness.run_log import RunLog

_READ_SIZE: Final = 1 << 16
_LOOK_EVERY_S: Final = 0.2
# More than a pipe holds, and an end to it if one of its writers could not be killed.
_DRAIN_READS: Final = 64


class DeadlineError(Exception):
    """The wall deadline passed."""


class StoppedError(Exception):
    """Somebody outside asked for the end."""


@dataclass
class Talk:
    """A child and the runner's ends of the pipes to and from it."""

    child: ChildProcess
    write_fd: int
    read_fd: int
    lines: Lines = field(default_factory=Lines)

    def send(self, message: Message) -> None:
        """Write to it; nothing happens if it is gone, its end is seen elsewhere."""
        with contextlib.suppress(BrokenPipeError):
            send(self.write_fd, message)


class Watch:
    """Waits, while it moves what the run prints into its log.

    Attributes:
        deadline: on `time.monotonic`.
        look: called a few times a second while it waits; what it raises ends the waiting.
    """

    def __init__(self, log: RunLog, log_fd: int, deadline: float, stop_fd: int | None) -> None:
        """Watch a log pipe's reading end, a deadline on `time.monotonic`, and a descriptor that is readable on stop."""
        self._log = log
        self._log_fd = log_fd
        self.deadline = deadline
        self._selector = selectors.DefaultSelector()
        self._stop_fd = stop_fd
        self.look: Callable[[], None] = lambda: None
        self._look_at = 0.0
        self._hearers: dict[int, Callable[[bytes], None]] = {}
        os.set_blocking(log_fd, False)
        self._selector.register(log_fd, selectors.EVENT_READ)
        if stop_fd is not None:
            self._selector.register(stop_fd, selectors.EVENT_READ)

    def messages(self, talk: Talk) -> Iterator[Message]:
        """What a child says, until it has ended (it is not reaped then).

        Raises:
            DeadlineError: it took too long.
            StoppedError: the order to stop came.
        """
        os.set_blocking(talk.read_fd, False)
        self._selector.register(talk.read_fd, selectors.EVENT_READ)
        self._selector.register(talk.child.pidfd, selectors.EVENT_READ)
        try:
            ended = False
            while not ended:
                ready = self._wait()
                ended = talk.child.pidfd in ready
                if ended or talk.read_fd in ready:
                    data = _read(talk.read_fd)
                    while data:
                        yield from talk.lines.feed(data)
                        self._check()
                        data = _read(talk.read_fd) if ended else None  # else the others have their turn first
                    if data == b"" and not ended:  # it closed the pipe and lives on
                        self._selector.unregister(talk.read_fd)
        finally:
            for fd in (talk.read_fd, talk.child.pidfd):
                with contextlib.suppress(KeyError):
                    self._selector.unregister(fd)

    def hear(self, fd: int, hearer: Callable[[bytes], None]) -> None:
        """While this waits, hand what comes over a pipe to somebody."""
        os.set_blocking(fd, False)
        self._hearers[fd] = hearer
        self._selector.register(fd, selectors.EVENT_READ)

    def unhear(self, fd: int) -> None:
        """Take what has come over the pipe, and listen to it no more."""
        if (hearer := self._hearers.pop(fd, None)) is not None:
            self._selector.unregister(fd)
            if data := _read(fd):
                hearer(data)

    def until(self, happened: Callable[[], bool], patience_s: float) -> None:
        """Wait until something has happened, or no longer than that; raises as `messages`."""
        end = time.monotonic() + patience_s
        while not happened() and time.monotonic() < end:
            self._wait()

    def drain(self) -> None:
        """Move what is left in the log pipe; its writers are dead."""
        for _ in range(_DRAIN_READS):
            if not (data := _read(self._log_fd)):
                return
            self._log.write(data)

    def close(self) -> None:
        """Watch no more."""
        self._selector.close()

    def _wait(self) -> set[int]:
        until = min(self.deadline, self._look_at)
        ready = {key.fd for key, _ in self._selector.select(max(0.0, until - time.monotonic()))}
        if self._log_fd in ready and (data := _read(self._log_fd)):
            self._log.write(data)
        for fd in ready & self._hearers.keys():
            if data := _read(fd):
                self._hearers[fd](data)
            elif data == b"":
                self.unhear(fd)
        if self._stop_fd in ready:
            raise StoppedError
        self._check()
        return ready

    def _check(self) -> None:
        now = time.monotonic()
        if now >= self.deadline:
            raise DeadlineError
        if now >= self._look_at:
            self.look()
            self._look_at = time.monotonic() + _LOOK_EVERY_S


def _read(fd: int) -> bytes | None:
    """What is there to read: b"" at the end, None if there is nothing yet."""
    try:
        return os.read(fd, _READ_SIZE)
    except BlockingIOError:
        return None
