"""How far a download is, in one line of plain text that is drawn over itself. Only ever on a terminal."""

import sys
import threading
import time
from collections.abc import Callable
from typing import Final

_BAR: Final = 24
_BETWEEN_S: Final = 0.1
_MB: Final = 1_000_000


def line(files: int, sizes: list[int], got: int, per_s: float) -> str:
    """The line for `got` bytes of `files` files, of which some tell their sizes in bytes."""
    total = sum(sizes) * files // len(sizes) if sizes else 0
    share = min(got / total, 1.0) if total else 0.0
    bar = "#" * int(share * _BAR)
    about = "" if len(sizes) == files else "about "
    parts = [f"[{bar:-<{_BAR}}] {share:4.0%} of {files} shards", f"{got / _MB:,.0f} MB of {about}{total / _MB:,.0f}"]
    if per_s > 0:
        parts.append(f"{per_s / _MB:.1f} MB/s")
        left = max(total - got, 0) / per_s
        parts.append(f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left")
    return ", ".join(parts)


class Progress:
    """Counts bytes from several threads and draws the line now and then."""

    def __init__(self, files: int, draw: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._draw = draw
        self._now = now
        self._lock = threading.Lock()
        self._sizes: list[int] = []
        self._got = 0
        self._came = 0
        self._began = now()
        self._drawn_at = self._began - _BETWEEN_S

    def expect(self, size: int) -> None:
        """A file's size is known."""
        with self._lock:
            self._sizes.append(size)

    def have(self, count: int) -> None:
        """Bytes were there before, or are thrown away if `count` is negative."""
        with self._lock:
            self._got += count

    def got(self, count: int) -> None:
        """Bytes came."""
        with self._lock:
            self._got += count
            self._came += max(count, 0)
            now = self._now()
            if now - self._drawn_at < _BETWEEN_S:
                return
            self._drawn_at = now
            seconds = now - self._began
            text = line(self._files, self._sizes, self._got, self._came / seconds if seconds > 1 else 0.0)
            self._draw(text)


def drawer() -> Callable[[str], None] | None:
    """What draws over one line of standard error; None if that is no terminal. An empty text clears the line."""
    if not sys.stderr.isatty():
        return None
    return lambda text: print(f"\r\x1b[2K{text[:110]}", end="", file=sys.stderr, flush=True)  # noqa: T201
