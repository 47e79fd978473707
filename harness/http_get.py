"""One GET: the answer, and what the servers on the way said of the file; errors told apart by whether to try again.

Of urllib only http, https, proxies and redirects are in use here. Nothing is written, and nothing tried twice.
"""

import email.utils
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from harness.errors import ClearError
from harness.result import Record
from harness.text import one_line

# Seconds: without a byte; the longest that a server may ask for.
_TIMEOUT_S: Final = 30.0
_ASKED_S: Final = 300.0
_CHUNK: Final = 1 << 18
_HEADERS: Final = {"User-Agent": "autoresearch-tui", "Accept-Encoding": "identity"}
_PASSING: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}
)
_SHA256: Final = re.compile(r'"?([0-9a-f]{64})"?')


class DownloadError(ClearError):
    """A file cannot be downloaded, or not the right one; one line that names its address."""


class PassingError(Exception):
    """Worth another try, after `pause_s` seconds at least; from the beginning if `anew`."""

    def __init__(self, reason: str, pause_s: float = 0.0, anew: bool = False) -> None:
        super().__init__(reason)
        self.pause_s = pause_s
        self.anew = anew


@dataclass(frozen=True)
class Promise(Record):
    """What a server said of a file.

    Attributes:
        size: in bytes; -1 if it did not say.
        sha256: hexadecimal; empty if it did not say.
        validator: a strong ETag or the time of the last change, by which it knows the file again; may be empty.
    """

    size: int = -1
    sha256: str = ""
    validator: str = ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https, never from the latter to the former; keeps what the first server says of the file."""

    def __init__(self, promised: dict[str, str]) -> None:
        self._promised = promised

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        for name in ("X-Linked-Etag", "X-Linked-Size"):  # the hub's: SHA-256 and size of the file behind the link
            if name in headers:
                self._promised.setdefault(name, headers[name])
        schemes = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if schemes[1] != "https" and schemes != ("http", "http"):
            raise DownloadError(f"{one_line(req.full_url)} leads to {one_line(newurl)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def get(url: str, headers: dict[str, str], promised: dict[str, str]) -> Any:
    """The answer to a request; its errors told apart by whether another try makes sense."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DownloadError(f"{one_line(url)} is no http or https address")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _Redirects(promised),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    try:
        return opener.open(urllib.request.Request(url, headers=_HEADERS | headers), timeout=_TIMEOUT_S)  # noqa: S310 - see above
    except urllib.error.HTTPError as error:
        with error:
            reason = f"the server answers {error.code} {one_line(str(error.reason), 80)}".rstrip()
            anew = error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            if error.code in _PASSING or anew:
                raise PassingError(reason, _asked_pause(error.headers.get("Retry-After", "")), anew) from None
        raise DownloadError(f"{one_line(url)} cannot be downloaded: {reason}") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise DownloadError(f"{one_line(url)} cannot be trusted: {one_line(str(error.reason))}") from None
        raise PassingError(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise PassingError(str(error) or type(error).__name__) from None


def pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it comes; a connection that fails is worth another try, unlike a disk that does."""
    while True:
        try:
            piece = response.read1(_CHUNK)
        except (OSError, http.client.HTTPException, ValueError) as error:  # the last: a chunk's size that is none
            raise PassingError(str(error) or type(error).__name__) from None
        if not piece:
            return
        yield piece


def promise_of(headers: Any, promised: dict[str, str]) -> Promise:
    """What the servers on the way said of the file."""
    etag = headers.get("ETag", "")
    validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    told = headers.get("Content-Length", ""), promised.get("X-Linked-Size", "")
    sizes = {int(size) for size in told if size.isdecimal()}
    if len(sizes) > 1:
        raise PassingError(f"the servers name two sizes, {' and '.join(map(str, sorted(sizes)))} bytes")
    digest = _SHA256.fullmatch(promised.get("X-Linked-Etag", headers.get("X-Linked-Etag", "")))
    return Promise(max(sizes, default=-1), digest[1] if digest else "", validator)


def _asked_pause(text: str) -> float:
    """The seconds of a Retry-After header, within bounds; 0 for one that makes no sense."""
    if text.isdecimal():
        return min(float(text), _ASKED_S)
    try:
        wait = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(wait, 0.0), _ASKED_S)
