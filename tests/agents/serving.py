"""What the scripted models' HTTP servers have in common: one server on 127.0.0.1 for as long as a test needs it."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.agents.scripted import Script


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], script: Script, **state: Any) -> Iterator[int]:
    """Serve the script, and give the port.

    Args:
        handler: speaks the API; finds `script`, `numbers` (1, 2, ...) and the state on its `server`.
        script: the model's mind.
        state: what else the handler keeps from one request to the next.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    for name, value in {"script": script, "numbers": itertools.count(1), **state}.items():
        setattr(server, name, value)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """Keeps quiet, and knows nothing that a GET could fetch."""

    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Silence."""

    def do_GET(self) -> None:
        self.send_error(404)
