"""What a run printed, kept as a file of bounded size: its beginning and its end.

The content is untrusted bytes and stays as it came; whoever shows it cleans it (`harness.text.tail`).
"""

import contextlib
from collections import deque
from pathlib import Path
from typing import Final

LIMIT: Final = 4 << 20


class RunLog:
    """A log of at most about `limit` bytes. The first half is written as it comes, the last half at `close`.

    A log that cannot be written (a full disk) costs the log, not the run: `error` says why.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path: Final = path
        self.error: OSError | None = None
        self._head_left = limit // 2
        self._tail_limit = limit - limit // 2
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._left_out = 0
        path.unlink(missing_ok=True)
        self._file = path.open("xb", buffering=0)

    def write(self, data: bytes) -> None:
        """Take what was printed."""
        head, rest = data[: self._head_left], data[self._head_left :]
        self._head_left -= len(head)
        self._put(head)
        if not rest:
            return
        self._tail.append(rest)
        self._tail_size += len(rest)
        while self._tail_size - len(self._tail[0]) >= self._tail_limit:
            dropped = len(self._tail.popleft())
            self._tail_size -= dropped
            self._left_out += dropped

    def close(self) -> None:
        """Write the end, with a line that says how much is missing before it."""
        if self._file.closed:
            return
        tail = b"".join(self._tail)
        cut = max(0, len(tail) - self._tail_limit)
        if missing := self._left_out + cut:
            self._put(f"\n[... {missing} bytes left out ...]\n".encode())
        self._put(tail[cut:])
        with contextlib.suppress(OSError):
            self._file.close()

    def _put(self, data: bytes) -> None:
        try:
            while data and self.error is None:
                data = data[self._file.write(data) or 0 :]
        except OSError as error:
            self.error = error
