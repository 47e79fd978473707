"""The socket server and its clients, over a real unix socket, with a handler that stands in for the supervisor."""

import asyncio
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessions.client import RefusedError, UnreachableError, ask, connect
from sessions.protocol import PROTOCOL, Frame, ProtocolError, decode, encode
from sessions.server import Answer, Peer, RefuseError, Server
from sessions.store import SessionDir


@pytest.fixture
def session() -> Iterator[SessionDir]:
    """A session directory whose path is short enough for a socket, wherever pytest keeps its own."""
    path = Path(tempfile.mkdtemp(prefix="art-"))
    yield SessionDir(path)
    shutil.rmtree(path)


class Supervisor:
    """Answers what the tests ask, and remembers what it was told."""

    def __init__(self) -> None:
        self.delivered = asyncio.Event()
        self.released = asyncio.Event()
        self.watching = asyncio.Event()
        self.peers: list[Peer] = []

    async def handle(self, peer: Peer, message: dict[str, Any]) -> Any:
        match message["verb"]:
            case "echo":
                return message["text"]
            case "watch":
                peer.watching = True
                self.peers.append(peer)
                self.watching.set()
                return None
            case "wait":
                await self.released.wait()
                return Answer("done", self.delivered.set)
            case _:
                raise RefuseError("not today")


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


@pytest.fixture
async def server(session: SessionDir, supervisor: Supervisor) -> AsyncIterator[Server]:
    one = Server(session.socket, "s", supervisor.handle)
    await one.start()
    yield one
    await one.close("the test is over")


async def test_a_question_gets_its_answer(server: Server, session: SessionDir) -> None:
    """`ask` returns the data of the reply to its own request."""
    assert await asyncio.to_thread(ask, session, "echo", text="a\nb ü") == "a\nb ü"


async def test_a_refusal_carries_its_reason(server: Server, session: SessionDir) -> None:
    """A handler's refusal reaches the client as an error with the same text."""
    with pytest.raises(RefusedError, match="not today"):
        await asyncio.to_thread(ask, session, "explode")


async def test_the_socket_is_its_owners_alone(server: Server, session: SessionDir) -> None:
    """The socket's mode is 0600 from the moment that it exists."""
    assert stat.S_IMODE(session.socket.stat().st_mode) == 0o600


async def test_a_dead_supervisors_socket_is_replaced(session: SessionDir, supervisor: Supervisor) -> None:
    """A socket file that nobody listens on does not keep a new supervisor from listening there."""
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(session.socket))
    dead.close()
    with pytest.raises(UnreachableError, match="has no supervisor"):
        ask(session, "echo", text="")
    one = Server(session.socket, "s", supervisor.handle)
    await one.start()
    try:
        assert await asyncio.to_thread(ask, session, "echo", text="alive") == "alive"
    finally:
        await one.close("")


async def test_another_protocol_is_named_and_refused(server: Server, session: SessionDir) -> None:
    """A client of another protocol is told both versions and hung up on."""
    reader, writer = await asyncio.open_unix_connection(str(session.socket))
    writer.write(encode({"type": "hello", "protocol": PROTOCOL + 1}))
    assert decode(await reader.readline())["protocol"] == PROTOCOL
    bye = decode(await reader.readline())
    assert bye["type"] == "bye"
    assert f"protocol {PROTOCOL}" in bye["reason"]
    assert await reader.readline() == b""
    writer.close()


@pytest.mark.parametrize("garbage", [b"\xff\xfe\n", b"[]\n", b"{}\n", b'{"type": 3}\n', b"x" * 100 + b"\n"])
async def test_garbage_costs_its_sender_the_connection_alone(
    server: Server, session: SessionDir, garbage: bytes
) -> None:
    """After a line that is no message that peer is hung up on, and others are served."""
    reader, writer = await asyncio.open_unix_connection(str(session.socket))
    writer.write(encode({"type": "hello", "protocol": PROTOCOL}) + garbage)
    lines = [line async for line in reader]
    assert decode(lines[-1])["type"] == "bye"
    writer.close()
    assert await asyncio.to_thread(ask, session, "echo", text="still here") == "still here"


async def test_a_delivered_answer_is_known_to_be_delivered(
    server: Server, session: SessionDir, supervisor: Supervisor
) -> None:
    """A client that waits for its answer makes `delivered` happen."""
    supervisor.released.set()
    assert await asyncio.to_thread(ask, session, "wait") == "done"
    await asyncio.wait_for(supervisor.delivered.wait(), 5)


async def test_an_answer_to_nobody_is_not_delivered(
    server: Server, session: SessionDir, supervisor: Supervisor
) -> None:
    """A client that hung up before its answer came leaves it undelivered."""
    gone = asyncio.Event()
    server.on_gone = lambda _peer: gone.set()
    connection = await connect(session)
    connection.send("wait")
    await connection.close()
    await asyncio.wait_for(gone.wait(), 5)
    supervisor.released.set()
    assert await asyncio.to_thread(ask, session, "echo", text="") == ""  # the loop has turned since
    assert not supervisor.delivered.is_set()


class Flood:
    """A screen that always has something new to show."""

    version = 0

    def frame_since(self, version: int | None) -> tuple[Frame, int]:
        self.version += 1
        rows = dict.fromkeys(range(50), ((f"{self.version} " * 40, None, None, 0),))
        return Frame(version is None, 200, 50, (0, 0, True), "", rows), self.version


async def test_a_viewer_that_does_not_read_delays_nobody(
    server: Server, session: SessionDir, supervisor: Supervisor
) -> None:
    """With a peer that never reads, others get answers, and what waits for it stays bounded."""
    reader, writer = await asyncio.open_unix_connection(str(session.socket))
    writer.write(encode({"type": "hello", "protocol": PROTOCOL}))
    writer.write(encode({"type": "request", "id": 1, "verb": "watch"}))
    await asyncio.wait_for(supervisor.watching.wait(), 5)
    reader._transport.pause_reading()  # type: ignore[attr-defined]  # the viewer that stopped reading
    [peer] = supervisor.peers
    screen = Flood()
    peer.watch_screen(screen)
    taken = -1
    while taken != screen.version:  # until the socket and the buffer are full and no more frames are made
        taken = screen.version
        for _ in range(20):
            peer.screen_changed()
            peer.ledger_changed("journal")
            peer.status_changed({"n": 1})
            await asyncio.to_thread(ask, session, "echo", text="")
    assert peer._writer.transport.get_write_buffer_size() < 1 << 20
    assert await asyncio.to_thread(ask, session, "echo", text="quick") == "quick"
    writer.close()


async def test_a_hung_up_supervisor_ends_pending_requests(
    server: Server, session: SessionDir, supervisor: Supervisor
) -> None:
    """A request in flight when the supervisor ends fails with an error that says so."""
    connection = await connect(session)
    events = [event async for event in _after(connection.events(), server.close("bye now"))]
    assert events[-1] == {"type": "bye", "reason": "bye now"}
    with pytest.raises(UnreachableError):
        await connection.request("echo", text="")
    await connection.close()


async def _after(events: AsyncIterator[dict[str, Any]], first: Any) -> AsyncIterator[dict[str, Any]]:
    task = asyncio.ensure_future(first)
    async for event in events:
        yield event
    await task


def test_a_frame_survives_the_wire() -> None:
    """A frame read from its wire form equals the one that was sent."""
    frame = Frame(True, 80, 24, (3, 4, False), "títle", {2: (("a界", 1, "#0a0b0c", 5), ("b", None, None, 0))})
    assert Frame.from_wire(decode(encode({"type": "frame", "frame": frame.to_wire()}))["frame"]) == frame


@pytest.mark.parametrize("broken", [{}, {"size": [1]}, {"size": [1, 2], "cursor": [0, 0, True], "rows": [[1]]}])
def test_a_broken_frame_is_a_protocol_error(broken: dict[str, Any]) -> None:
    """What is not a frame is refused in words."""
    with pytest.raises(ProtocolError, match="not a frame"):
        Frame.from_wire(broken)


def test_strangers_are_not_served(session: SessionDir) -> None:
    """The peer's user is checked: ours and root's are served, another's is not."""
    from sessions.server import _is_same_user

    class Connection:
        def __init__(self, uid: int) -> None:
            self.uid = uid

        def getsockopt(self, *_arguments: int) -> bytes:
            return b"".join(n.to_bytes(4, "little") for n in (1, self.uid, self.uid))

    assert _is_same_user(Connection(os.getuid()))  # type: ignore[arg-type]
    assert not _is_same_user(Connection(os.getuid() + 4711))  # type: ignore[arg-type]
