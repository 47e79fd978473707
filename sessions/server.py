"""The supervisor's side of its unix socket: peers, requests, events. It knows the protocol, not the session.

A peer that stops reading costs a bounded buffer: events are flags that its sender task turns into messages when
the peer has taken the last ones, so a slow viewer skips frames and states, and nobody waits for it.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol

from harness import __version__
from sessions.protocol import MAX_LINE, PROTOCOL, Frame, ProtocolError, decode, encode

# The fastest that a viewer gets frames; the first one after a rest goes out at once.
_FRAME_INTERVAL_S: Final = 1 / 30
_WRITE_BUFFER: Final = 256 << 10

Handler = Callable[["Peer", dict[str, Any]], Awaitable[Any]]


class RefuseError(Exception):
    """A request that is refused; the text is the reason, one line."""


class ScreenSource(Protocol):
    """What a peer's frames come from."""

    def frame_since(self, version: int | None) -> tuple[Frame, int]:
        """The rows that changed since `version` (None: all), and the version that this is."""
        ...


class Peer:
    """One client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._wake = asyncio.Event()
        self._status: dict[str, Any] | None = None
        self._changed: set[str] = set()
        self._screen: ScreenSource | None = None
        self._seen_version: int | None = None
        self._screen_dirty = False
        self.watching = False

    def watch_screen(self, screen: ScreenSource | None) -> None:
        """Send frames of `screen` from now on, a whole one first; None: no more."""
        self._screen = screen
        self._seen_version = None
        self.screen_changed()

    def status_changed(self, status: dict[str, Any]) -> None:
        """There is a new status; an older one that was not sent yet is forgotten."""
        self._status = status
        self._wake.set()

    def ledger_changed(self, what: str) -> None:
        """The file behind `what` has grown."""
        self._changed.add(what)
        self._wake.set()

    def screen_changed(self) -> None:
        """There is something new to see."""
        if self._screen is not None:
            self._screen_dirty = True
            self._wake.set()

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message and wait until the peer has taken most of what was sent.

        Raises:
            OSError: it is gone.
        """
        self._writer.write(encode(message))
        await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the peer hung up.

        Raises:
            ProtocolError: it sent something else.
        """
        try:
            line = await self._reader.readline()
        except ValueError:
            raise ProtocolError(f"a line is longer than {MAX_LINE} bytes") from None
        return decode(line) if line else None

    async def send_events(self) -> None:
        """Turn the flags into messages, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._status is not None:
                message, self._status = {"type": "status", "status": self._status}, None
                await self.send(message)
            while self._changed:
                await self.send({"type": "changed", "what": self._changed.pop()})
            if self._screen_dirty and self._screen is not None:
                self._screen_dirty = False
                frame, self._seen_version = self._screen.frame_since(self._seen_version)
                await self.send({"type": "frame", "frame": frame.to_wire()})
            await asyncio.sleep(_FRAME_INTERVAL_S)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


class Server:
    """Listens on a session's socket and passes requests to a handler."""

    def __init__(self, path: Path, session: str, handle: Handler) -> None:
        self._path = path
        self._session = session
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._peers: set[Peer] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_gone: Callable[[Peer], None] = lambda _peer: None

    @property
    def viewers(self) -> list[Peer]:
        """The peers that watch."""
        return [peer for peer in self._peers if peer.watching]

    async def start(self) -> None:
        """Listen. Call it with the session's lock held: a socket that lies there is then a dead supervisor's.

        Raises:
            OSError: the socket cannot be made.
        """
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, str(self._path), limit=MAX_LINE)
        finally:
            os.umask(before)

    async def close(self, reason: str) -> None:
        """Say bye to everyone and stop listening."""
        if self._server is not None:
            self._server.close()
        for peer in list(self._peers):
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(peer.send({"type": "bye", "reason": reason}), 0.2)
            peer.close()
        if self._tasks:  # a closed connection ends them; asyncio would complain about cancelled ones
            await asyncio.wait(self._tasks, timeout=1.0)
        self._path.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not _is_same_user(writer.get_extra_info("socket")):
            writer.close()
            return
        writer.transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        peer = Peer(reader, writer)
        self._peers.add(peer)
        events = asyncio.create_task(_quietly(peer.send_events()))
        requests: set[asyncio.Task[None]] = set()
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await self._converse(peer, requests)
        except (OSError, ProtocolError) as error:
            with contextlib.suppress(OSError):
                await peer.send({"type": "bye", "reason": str(error)})
        finally:
            self._peers.discard(peer)
            if task is not None:
                self._tasks.discard(task)
            for one in (events, *requests):
                one.cancel()
            peer.close()
            self.on_gone(peer)

    async def _converse(self, peer: Peer, requests: set[asyncio.Task[None]]) -> None:
        await peer.send({"type": "hello", "protocol": PROTOCOL, "version": __version__, "session": self._session})
        hello = await peer.receive()
        if hello is None:
            return
        if hello["type"] != "hello" or hello.get("protocol") != PROTOCOL:
            raise ProtocolError(f"this supervisor speaks protocol {PROTOCOL} (version {__version__})")
        while (message := await peer.receive()) is not None:
            if message["type"] != "request":
                continue
            # Each in a task of its own: `wait` may take an hour, and the peer may ask something else meanwhile.
            one = asyncio.create_task(_quietly(self._answer(peer, message)))
            requests.add(one)
            one.add_done_callback(requests.discard)

    async def _answer(self, peer: Peer, message: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"type": "reply", "id": message.get("id")}
        try:
            data = await self._handle(peer, message)
            reply |= {"ok": True, "data": data.data if isinstance(data, Answer) else data}
        except RefuseError as error:
            data = None
            reply |= {"ok": False, "error": str(error)}
        await peer.send(reply)
        if isinstance(data, Answer):
            data.delivered()


class Answer:
    """A reply that wants to know that it was delivered: an experiment's verdict that nobody read must be told again."""

    def __init__(self, data: Any, delivered: Callable[[], None]) -> None:
        self.data: Final = data
        self.delivered: Final = delivered


async def _quietly(work: Awaitable[None]) -> None:
    """Do something for a peer that may hang up meanwhile: its reading side notices that and cleans up."""
    with contextlib.suppress(OSError):
        await work


def _is_same_user(connection: socket.socket) -> bool:
    """Whether the other end runs as us, or as root (SO_PEERCRED, unix(7))."""
    if not hasattr(socket, "SO_PEERCRED"):  # macOS: the socket's mode and its directory's must do
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    return uid in {os.getuid(), 0}
