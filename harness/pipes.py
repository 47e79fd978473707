"""JSON objects over inherited pipes, one a line: how the runner and its children talk.

The other side may be a genome: what is not an object on a line of reasonable length is dropped, never raised.
What an object means is the reader's business.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, Final

Message = dict[str, Any]

MAX_LINE: Final = 1 << 16


def send(fd: int, message: Mapping[str, Any]) -> None:
    """Write one object.

    Raises:
        OSError: the other side is gone.
    """
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(fd, data) :]


class Lines:
    """Puts what arrives on a pipe together into objects."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """The objects that `data` completes."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest if len(rest) <= MAX_LINE else b""
        return [message for line in lines if (message := _parse(line)) is not None]


def _parse(line: bytes) -> Message | None:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: a thousand brackets
        return None
    return message if isinstance(message, dict) else None


class Channel:
    """A child's pair of pipes: objects in, objects out, both blocking. What the child starts does not inherit them."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._lines = Lines()
        self._arrived: list[Message] = []
        os.set_inheritable(read_fd, False)
        os.set_inheritable(write_fd, False)

    def send(self, **message: Any) -> None:
        """Write one object.

        Raises:
            OSError: the other side is gone.
        """
        send(self._write_fd, message)

    def receive(self) -> Message | None:
        """The next object; None when the other side has hung up."""
        while not self._arrived:
            data = os.read(self._read_fd, MAX_LINE)
            if not data:
                return None
            self._arrived = self._lines.feed(data)
        return self._arrived.pop(0)
