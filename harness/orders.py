"""The words between the fork server and whoever has runs made: an order with its descriptors, and how a run ended.

Packets over a unix socket, one object each. What a run says of itself goes elsewhere: see `harness.events`.
"""

import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.result import Record, RecordError

# Larger than any order: paths, and a handful of numbers.
_PACKET: Final = 1 << 16
# Events, stop, log.
_DESCRIPTORS: Final = 3


@dataclass(frozen=True)
class Order(Record):
    """One run that is wanted.

    Attributes:
        request: a `harness.result.RunRequest` as JSON.
    """

    request: dict[str, Any] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """Whose it is."""
        return str(self.request.get("run_id", ""))


@dataclass(frozen=True)
class Ended(Record):
    """A runner's process has ended.

    Attributes:
        run_id: whose.
        status: as in `subprocess`: negative for a signal.
        reason: why there was none, one line; empty where there was one.
    """

    run_id: str
    status: int = 0
    reason: str = ""


def send_order(link: socket.socket, order: Order, *, events_fd: int, stop_fd: int, log_fd: int) -> None:
    """Ask for a run.

    Args:
        link: to the fork server.
        order: what is wanted.
        events_fd: the runner writes there what it has to say.
        stop_fd: readable, or hung up, when the run must be aborted.
        log_fd: where the runner prints to.

    Raises:
        OSError: the server is gone.
    """
    socket.send_fds(link, [order.to_json().encode()], [events_fd, stop_fd, log_fd])


def receive_order(link: socket.socket) -> tuple[Order, tuple[int, int, int]] | None:
    """The next order with its descriptors for events, stop and log; None when nobody can order any more.

    Raises:
        RecordError: it is no order; its descriptors are closed.
    """
    data, fds, _, _ = socket.recv_fds(link, _PACKET, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not data:
        return None
    try:
        order = Order.from_json(data)
        events_fd, stop_fd, log_fd = fds
    except (RecordError, ValueError) as error:
        close_all(fds)
        raise RecordError(str(error)) from None
    return order, (events_fd, stop_fd, log_fd)


def send_ended(link: socket.socket, ended: Ended) -> None:
    """Say that a run is over; nothing happens if nobody listens any more."""
    with contextlib.suppress(OSError):
        link.send(ended.to_json().encode())


def receive_ended(link: socket.socket) -> Ended | None:
    """The next end of a run; None when the server is gone.

    Raises:
        BlockingIOError: there is none yet, and the socket does not block.
    """
    try:
        data = link.recv(_PACKET)
    except ConnectionError:
        return None
    return Ended.from_json(data) if data else None


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)
