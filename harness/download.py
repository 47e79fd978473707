"""One file over HTTP: resumed where it broke off, tried again after a pause, refused when it is not what was promised.

What has come lies in a `.part` file with a note of what the server said of it, so that a later process goes on. Whether
the content is the right one, the caller's check decides.
"""

import http.client
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from harness.http_get import DownloadError, PassingError, Promise, get, pieces, promise_of
from harness.result import RecordError
from harness.text import one_line

# Failures in a row without a byte of progress, and whole files that turned out damaged, before it is given up.
_FAILURES: Final = 6
_DAMAGED: Final = 2
# The longest pause of our own, in seconds.
_PAUSE_S: Final = 60.0
# A server that never ends must not fill the disk.
_LARGEST: Final = 64 << 30
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class DamagedError(Exception):
    """What came is not what was promised; the text says how."""


@dataclass
class Transfer:
    """How a download is carried out; the default pauses for real and tells nobody.

    Attributes:
        got: called with the number of bytes that came.
        have: called with the number that was there before; with a negative one if they are thrown away.
        expect: called with a file's size once that is known.
        pause: called with seconds to wait.
        stopped: asked between two pieces whether to give up.
    """

    got: Callable[[int], None] = field(default=lambda _count: None)
    have: Callable[[int], None] = field(default=lambda _count: None)
    expect: Callable[[int], None] = field(default=lambda _size: None)
    pause: Callable[[float], object] = time.sleep
    stopped: Callable[[], bool] = field(default=lambda: False)


def download(url: str, part: Path, check: Callable[[Path, Promise], None], transfer: Transfer) -> None:
    """Bring a file to `part`, whole and checked.

    Args:
        url: http or https.
        part: the file to write, and to go on with if a part of it is there.
        check: raises DamagedError if the whole file is not the right one.
        transfer: how.

    Raises:
        DownloadError: it cannot be had; what came so far stays, unless it was damaged.
        OSError: it cannot be written.
    """
    failures = damaged = 0
    one = _Part(url, part, transfer)
    furthest = one.size
    while True:
        try:
            one.fetch()
            check(part, one.promise)
            one.forget_promise()
            return
        except DamagedError as error:
            one.discard()
            damaged += 1
            if damaged == _DAMAGED:
                raise DownloadError(f"{one_line(url)} is not what it should be: {error}") from None
        except PassingError as error:
            failures = failures + 1 if one.size <= furthest else 1
            furthest = max(furthest, one.size)
            if error.anew:
                one.discard()
            if failures == _FAILURES:
                reason = one_line(str(error))
                raise DownloadError(f"{one_line(url)} cannot be downloaded: {reason}; try again later") from None
            jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads the load, guards nothing
            transfer.pause(max(error.pause_s, min(2.0**failures, _PAUSE_S) * jitter))


class _Part:
    """The `.part` file, its note, and the requests that make it grow."""

    def __init__(self, url: str, path: Path, transfer: Transfer) -> None:
        self._url = url
        self._path = path
        self._note = path.with_name(path.name + ".json")
        self._transfer = transfer
        self._expected = False
        self.promise = self._known_promise()
        transfer.have(self.size)

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self._path.stat().st_size if self._path.exists() else 0

    def fetch(self) -> None:
        """Make one request for what is missing.

        Raises:
            PassingError: more is missing still, and may come.
            DownloadError: it will not come.
        """
        if self._transfer.stopped():
            raise DownloadError(f"{one_line(self._url)} was given up")
        if self.size and self.size == self.promise.size:
            self._expect()
            return
        if self.size and (not self.promise.validator or -1 < self.promise.size < self.size):
            self.discard()
        headers = {}
        if self.size:
            headers = {"Range": f"bytes={self.size}-", "If-Range": self.promise.validator}
        promised: dict[str, str] = {}
        with get(self._url, headers, promised) as response:
            if response.status == HTTPStatus.PARTIAL_CONTENT:
                self._continues(response.headers)
            else:
                self.discard()
                self._begin(promise_of(response.headers, promised))
            self._expect()
            self._write(response)
        if -1 < self.promise.size != self.size:
            raise PassingError(f"it broke off after {self.size:,} of {self.promise.size:,} bytes")

    def _continues(self, headers: Any) -> None:
        """Raise unless what comes belongs behind what is there."""
        told = _RANGE.fullmatch(headers.get("Content-Range", ""))
        size = self.promise.size
        if not self.size or told is None or int(told[1]) != self.size or (size > -1 and told[2] != str(size)):
            raise PassingError("the server sent another part than the one asked for", anew=True)

    def _begin(self, promise: Promise) -> None:
        if promise.size > _LARGEST:
            raise DownloadError(f"{one_line(self._url)} has {promise.size:,} bytes, which is no shard")
        self.promise = promise
        self._note.write_text(promise.to_json() + "\n", encoding="utf-8")

    def _write(self, response: http.client.HTTPResponse) -> None:
        with self._path.open("ab") as stream:
            for piece in pieces(response):
                stream.write(piece)
                self._transfer.got(len(piece))
                if self._transfer.stopped():
                    raise DownloadError(f"{one_line(self._url)} was given up")
                if stream.tell() > _LARGEST:
                    raise DownloadError(f"{one_line(self._url)} does not end")

    def _expect(self) -> None:
        if not self._expected and self.promise.size > -1:
            self._expected = True
            self._transfer.expect(self.promise.size)

    def discard(self) -> None:
        """Throw away what has come."""
        self._transfer.have(-self.size)
        self._path.unlink(missing_ok=True)
        self.forget_promise()

    def forget_promise(self) -> None:
        """Remove the note: it stands for an unfinished file."""
        self._note.unlink(missing_ok=True)

    def _known_promise(self) -> Promise:
        try:
            return Promise.from_json(self._note.read_bytes())
        except (OSError, RecordError):
            return Promise()
