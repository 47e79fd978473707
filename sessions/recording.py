"""Records a session's terminal as asciinema casts: capped, rotated, never in the way.

`<folder>/NNNN.cast`, each of which replays by itself. What a person types with the wheel in her hand is not recorded:
it may be a secret. A disk that refuses costs the recording alone, and `trouble` says so.
"""

import codecs
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sessions.cast import Event, event_line, header_line
from sessions.store import private_dir

LIMIT_BYTES: Final = 8 << 20
KEEP: Final = 4

_FLUSH_S: Final = 1.0
_BUFFER_BYTES: Final = 256 << 10
# A new file begins between two escape sequences; an agent that leaves one open for so long gets cut all the same.
_OVERRUN_BYTES: Final = 1 << 20
_RESET: Final = "\x18\x1bc\x1b]2;\x07\x1b]7501;\x1b\\"


class CastRecorder:
    """The recording of one session, through all its agent's launches. No method raises or waits for anyone.

    Attributes:
        trouble: why nothing is recorded any more, one line; "" while all is well.
        repaint: what makes a blank terminal look like the agent's before the next `output`; None in the middle of
            an escape sequence. Asked at the beginning of each file but the first.
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        clock: Callable[[], float] = time.monotonic,
        limit_bytes: int = LIMIT_BYTES,
        keep: int = KEEP,
    ) -> None:
        """Nothing is written before the first event.

        Args:
            folder: where the casts lie; made, for its owner alone, when it is needed.
            size: columns and rows.
            clock: seconds, never running backwards.
            limit_bytes: of one file, give or take one event and a repaint.
            keep: files at most; the oldest goes first.
        """
        self.trouble = ""
        self.repaint: Callable[[], bytes | None] = lambda: b""
        self._folder = folder
        self._size = size
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._keep = max(1, keep)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._fd = -1
        self._began_at = 0.0
        self._bytes = 0
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._flushed_at = 0.0

    def output(self, data: bytes) -> None:
        """What the agent wrote. Call it before the screen takes it: the repaint must not hold it yet."""
        self._turn_over()
        text = self._decoder.decode(data)
        if text:  # a character cut in two waits for its other half
            self._add("o", text)

    def typed(self, data: bytes) -> None:
        """What the supervisor typed to the agent of its own accord."""
        self._add("i", data.decode("utf-8", "replace"))

    def resized(self, cols: int, rows: int) -> None:
        """The terminal has another size."""
        self._size = (cols, rows)
        self._add("r", f"{cols}x{rows}")

    def launched(self) -> None:
        """An agent begins, on a blank terminal."""
        self._decoder.reset()
        self._add("m", "launched")
        self._add("o", _RESET)

    def ended(self, status: int) -> None:
        """The agent has ended with that exit status; negative for a signal."""
        self._add("x", str(status))

    def flush_when_due(self) -> None:
        """Write what is a second old. Call it now and then while nothing happens."""
        if self._buffer and self._clock() - self._flushed_at >= _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        data = b"".join(self._buffer)
        self._buffer.clear()
        self._buffered = 0
        self._flushed_at = self._clock()
        try:
            while data and self._fd >= 0:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is buffered and let go of the file; a later event begins another."""
        self.flush()
        self._release()

    def _add(self, kind: str, data: str) -> None:
        if self._fd < 0 and not self._begin(self.repaint() or b""):
            return
        self._put(kind, data)
        if self._buffered >= _BUFFER_BYTES:
            self.flush()
        else:
            self.flush_when_due()

    def _put(self, kind: str, data: str) -> None:
        self._write(event_line(Event(max(0.0, self._clock() - self._began_at), kind, data)))

    def _write(self, line: str) -> None:
        data = line.encode("ascii")
        self._buffer.append(data)
        self._buffered += len(data)
        self._bytes += len(data)

    def _turn_over(self) -> None:
        """Begin another file where this one is full."""
        if self._fd < 0 or self._bytes < self._limit_bytes:
            return
        repaint = self.repaint()
        if repaint is None and self._bytes < self._limit_bytes + _OVERRUN_BYTES:
            return
        self.close()
        self._begin(repaint or b"")

    def _begin(self, repaint: bytes) -> bool:
        """Open the next file; whether there is one."""
        if self.trouble:
            return False
        try:
            private_dir(self._folder)
            numbers = sorted(int(one.stem) for one in self._folder.glob("*.cast") if one.stem.isdecimal())
            path = self._path(numbers[-1] + 1 if numbers else 1)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            for number in numbers[: max(0, len(numbers) + 1 - self._keep)]:
                self._path(number).unlink(missing_ok=True)
        except OSError as error:
            self._give_up(error)
            return False
        self._began_at = self._flushed_at = self._clock()
        self._bytes = 0
        self._write(header_line(self._size, int(time.time())))
        if repaint:
            self._put("o", repaint.decode("utf-8", "replace"))
        return True

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04}.cast"

    def _give_up(self, error: OSError) -> None:
        self.trouble = f"the recording has ended: {self._folder}: {error.strerror or error}"
        self._buffer.clear()
        self._buffered = 0
        self._release()

    def _release(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            try:
                os.close(fd)
            except OSError as error:  # a network disk may say only now that it is full
                self.trouble = self.trouble or f"the recording has ended: {self._folder}: {error.strerror or error}"
