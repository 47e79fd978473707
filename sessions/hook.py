"""The hook client: an agent runs it at an event, and it tells the session's supervisor. Nothing else.

    bin/hook EVENT [JSON]      (in the session's directory; JSON also on standard input)

Whatever happens it prints nothing, which an agent could take for an order, and ends with 0 within seconds: a session
must not be able to disturb its agent. Standard library only, because an agent may wait for it.
"""

import contextlib
import json
import os
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final

_WITHIN_S: Final = 2.0
_READ: Final = 1 << 20
_TEXT: Final = 500
_ITEMS: Final = 60
_DEPTH: Final = 4
_PROTOCOL: Final = 1  # sessions.protocol.PROTOCOL, which is not worth its import here


def main(argv: list[str]) -> None:
    """Send one event.

    Args:
        argv: the socket's path, the event's name and, if it does not come on standard input, its data.
    """
    with contextlib.suppress(Exception):  # an agent must not see our trouble
        path, event, *rest = argv
        text = rest[-1].encode() if rest else _standard_input()
        _send(path, {"event": event[:100], "data": _parsed(text)})


def _standard_input() -> bytes:
    """What there is on standard input until its end; some agents leave it open."""
    if sys.stdin is None or sys.stdin.isatty():
        return b""
    data, deadline = b"", time.monotonic() + _WITHIN_S / 2
    while len(data) < _READ and select.select([0], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(0, 1 << 16)
        if not piece:
            break
        data += piece
    return data


def _parsed(text: bytes) -> Any:
    """The data, cut down to what a profile could look at; nothing where it is no JSON."""
    try:
        return _cut(json.loads(text), _DEPTH)
    except (ValueError, RecursionError):
        return {}


def _cut(value: Any, depth: int) -> Any:
    match value:
        case str():
            return value[:_TEXT]
        case dict() if depth:
            return {str(key)[:_TEXT]: _cut(one, depth - 1) for key, one in list(value.items())[:_ITEMS]}
        case list() if depth:
            return [_cut(one, depth - 1) for one in value[:_ITEMS]]
        case dict() | list():
            return None
    return value


def _send(path: str, event: dict[str, Any]) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        connection.settimeout(_WITHIN_S)
        connection.connect(path)
        messages = {"type": "hello", "protocol": _PROTOCOL}, {"type": "request", "id": 1, "verb": "hook", **event}
        connection.sendall("".join(json.dumps(one) + "\n" for one in messages).encode())
        with connection.makefile("rb") as lines:  # hung up before it was read, a request may be lost
            while line := lines.readline(_READ):
                if b'"reply"' in line:
                    return


def script(socket_path: Path) -> str:
    """The text of `bin/hook`: this module, run by this interpreter, with the session's socket."""
    import shlex

    words = [sys.executable, "-I", "-m", "sessions.hook", str(socket_path)]
    return f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'


if __name__ == "__main__":
    main(sys.argv[1:])
