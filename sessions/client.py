"""The client's side of a session's socket: for the verbs (one question, one answer) and for the window (a stream).

It reaches a supervisor that lives; it starts none and reads no ledger.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from typing import Any, Final

from harness import __version__
from harness.errors import ClearError
from sessions.protocol import MAX_LINE, PROTOCOL, ProtocolError, decode, encode
from sessions.store import SessionDir

_HELLO: Final = {"type": "hello", "protocol": PROTOCOL, "version": __version__}


class UnreachableError(ClearError):
    """No supervisor answers; the text says so in one line."""


class RefusedError(ClearError):
    """The supervisor answered no; the text is its reason, one line."""


def _unreachable(session: SessionDir, error: Exception) -> UnreachableError:
    return UnreachableError(
        f"session {session.id} has no supervisor ({error}); `autoresearch-tui resume {session.id}` starts it again"
    )


def _check_hello(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] != "hello" or message.get("protocol") != PROTOCOL:
        raise ProtocolError(
            f"the session's supervisor speaks protocol {message.get('protocol')} (version {message.get('version')}), "
            f"this program {PROTOCOL} (version {__version__}); attach with that version, or stop and resume the session"
        )
    return message


def ask(session: SessionDir, verb: str, timeout_s: float | None = 5.0, **arguments: Any) -> Any:
    """Ask one question and return the answer's data. `timeout_s=None` waits for ever.

    Raises:
        UnreachableError: no supervisor answers, or it went away.
        RefusedError: it said no.
        ProtocolError: it speaks another protocol.
    """
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(session.socket))
            connection.sendall(encode(_HELLO) + encode({"type": "request", "id": 1, "verb": verb, **arguments}))
            with connection.makefile("rb") as lines:
                _check_hello(decode(lines.readline(MAX_LINE)))
                while line := lines.readline(MAX_LINE):
                    message = decode(line)
                    if message["type"] == "reply" and message.get("id") == 1:
                        return _data_of(message)
        except OSError as error:
            raise _unreachable(session, error) from None
    raise _unreachable(session, ConnectionError("it hung up"))


def _data_of(reply: dict[str, Any]) -> Any:
    if not reply.get("ok"):
        raise RefusedError(str(reply.get("error", "refused without a reason")))
    return reply.get("data")


def open_stream(session: SessionDir) -> socket.socket:
    """A connection after its hellos, for one who reads and writes lines himself, outside an event loop.

    Raises:
        UnreachableError: no supervisor answers.
        ProtocolError: it speaks another protocol.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(session.socket))
        connection.sendall(encode(_HELLO))
        hello = b""
        while not hello.endswith(b"\n"):  # it says nothing more before it is asked
            piece = connection.recv(4096)
            if not piece:
                raise ConnectionError("it hung up")
            hello += piece
        _check_hello(decode(hello))
    except OSError as error:
        connection.close()
        raise _unreachable(session, error) from None
    except ProtocolError:
        connection.close()
        raise
    return connection


class Connection:
    """A lasting connection: requests from any task, events from one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: dict[str, Any]) -> None:
        self.hello: Final = hello
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def request(self, verb: str, **arguments: Any) -> Any:
        """Send a request and wait for its reply. Needs `events` to be read meanwhile, by another task.

        Raises:
            RefusedError: the supervisor said no.
            UnreachableError: it went away.
        """
        number = next(self._ids)
        future = asyncio.get_running_loop().create_future()
        self._replies[number] = future
        try:
            self._writer.write(encode({"type": "request", "id": number, "verb": verb, **arguments}))
            await self._writer.drain()
            return _data_of(await future)
        except OSError as error:
            raise UnreachableError(str(error)) from None
        finally:
            del self._replies[number]

    def send(self, verb: str, **arguments: Any) -> None:
        """Send a request whose reply does not matter."""
        self._writer.write(encode({"type": "request", "id": 0, "verb": verb, **arguments}))

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Everything that is not a reply, until the supervisor hangs up."""
        try:
            while line := await self._reader.readline():
                message = decode(line)
                if message["type"] != "reply":
                    yield message
                elif (future := self._replies.get(message.get("id", 0))) is not None and not future.done():
                    future.set_result(message)
        except (OSError, ValueError):  # reset, or a line longer than MAX_LINE
            return
        finally:
            for future in self._replies.values():
                if not future.done():
                    future.set_exception(UnreachableError("the supervisor hung up"))

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def connect(session: SessionDir) -> Connection:
    """Connect and exchange hellos.

    Raises:
        UnreachableError: no supervisor answers.
        ProtocolError: it speaks another protocol.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(session.socket), limit=MAX_LINE)
        writer.write(encode(_HELLO))
        # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the line.
        async with asyncio.timeout(5.0):
            line = await reader.readline()
        if not line:
            raise ConnectionError("it hung up")
    except (OSError, TimeoutError) as error:
        raise _unreachable(session, error) from None
    return Connection(reader, writer, _check_hello(decode(line)))
