"""A real HTTP server on 127.0.0.1 that keeps shards, understands ranges, and fails in the ways that it is told to."""

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ShardServer:
    """What it serves, how it is to fail, and what it was asked.

    Attributes:
        url: the address below which the files lie.
        files: content by name.
        faults: for each name how its next answers are wrong, the first first; none left: they are right.
        asked: name and `Range` header of every request, in order.
        validators: whether it names an ETag.
        stuck: set when an answer has stopped half-way, which then waits for `free`.
        free: lets it end.
        refused: set when an answer was an error.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/set"
        self.files: dict[str, bytes] = {}
        self.faults: defaultdict[str, list[str]] = defaultdict(list)
        self.asked: list[tuple[str, str]] = []
        self.validators = True
        self.stuck, self.free, self.refused = threading.Event(), threading.Event(), threading.Event()


@contextmanager
def serving() -> Iterator[ShardServer]:
    """A server, until the end."""

    class Handler(_Handler):
        @property
        def kept(self) -> ShardServer:
            return kept

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        kept = ShardServer(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield kept
        finally:
            kept.free.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    kept: ShardServer

    def log_message(self, *_arguments: Any) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        folder, name = self.path.lstrip("/").split("/")
        kept = self.kept
        if folder == "set":
            kept.asked.append((name, self.headers.get("Range", "")))
        fault = kept.faults[name].pop(0) if folder == "set" and kept.faults[name] else ""
        if fault.isdecimal():
            self.send_response(int(fault))
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()
            kept.refused.set()
        elif fault == "redirect":
            self.to(f"/behind/{name}", hashlib.sha256(kept.files[name]).hexdigest())
        elif fault == "redirect, forged":
            self.to(f"/behind/{name}", "f" * 64)
        elif fault == "redirect, another size":
            self.to(f"/behind/{name}", "", size=1)
        elif fault == "redirect for ever":
            kept.faults[name].append(fault)
            self.to(f"/set/{name}", "")
        elif fault == "redirect to a file":
            self.to("file:///etc/hostname", "")
        elif fault != "hang up":
            self.body(kept.files[name], fault)
        self.close_connection = True

    def to(self, place: str, sha256: str, size: int = 0) -> None:
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("X-Linked-Etag", f'"{sha256}"')
        if size:
            self.send_header("X-Linked-Size", str(size))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self, content: bytes, fault: str) -> None:
        etag = f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324 - a name, as servers have it
        if fault == "corrupt":
            content = (
                content[: len(content) // 2]
                + bytes([content[len(content) // 2] ^ 1])
                + content[len(content) // 2 + 1 :]
            )
        if fault == "a page":
            content = b"<html>Please log in</html>"
        if fault == "lie: shorter":
            content = content[: len(content) // 2]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        at = int(asked[1]) if asked and self.headers.get("If-Range") == etag and fault != "no ranges" else 0
        self.send_response(206 if at else 200)
        if self.kept.validators:
            self.send_header("ETag", etag)
        if at:
            first = 0 if fault == "another range" else at
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        rest = content[at:]
        if fault == "broken chunks":
            self.protocol_version = "HTTP/1.1"
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(rest) + rest[: len(rest) // 2])
            return
        if fault != "no length":
            self.send_header("Content-Length", str(len(rest) + (100 if fault == "lie: longer" else 0)))
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if fault in {"drop", "stick"} else rest)
        if fault == "stick":
            self.wfile.flush()
            self.kept.stuck.set()
            self.kept.free.wait()
