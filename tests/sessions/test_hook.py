"""The hook client, as an agent would run it: through its script, against a socket."""

import json
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from sessions import hook
from sessions.protocol import PROTOCOL


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name needs quoting, short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="art '$x ") as path:
        yield Path(path)


@pytest.fixture
def heard(folder: Path) -> Iterator["Queue[dict[str, Any]]"]:
    """What a supervisor at `folder/sock` is sent."""
    messages: Queue[dict[str, Any]] = Queue()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(folder / "sock"))
        listening.listen()
        listening.settimeout(20)

        def serve() -> None:
            with listening.accept()[0] as connection, connection.makefile("rwb") as stream:
                for line in stream:
                    messages.put(json.loads(line))
                    if messages.qsize() == 2:
                        stream.write(b'{"type": "reply", "id": 1, "ok": true}\n')
                        stream.flush()
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield messages


def run(folder: Path, *words: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run the client as an agent would."""
    script = folder / "hook"
    script.write_text(hook.script(folder / "sock"), encoding="utf-8")
    script.chmod(0o700)
    where: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    return subprocess.run([str(script), *words], capture_output=True, check=False, timeout=30, **where)


def silent(done: subprocess.CompletedProcess[bytes]) -> bool:
    """Whether it ended well and said nothing."""
    return (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("on_stdin", [False, True])
def test_an_event_reaches_the_supervisor(folder: Path, heard: "Queue[dict[str, Any]]", on_stdin: bool) -> None:
    """An event's name and data arrive, from the command line or from standard input, after a hello of our protocol."""
    data = json.dumps({"session_id": "abc", "deep": {"a": [1, 2]}})
    done = run(folder, "Stop", data=data.encode()) if on_stdin else run(folder, "Stop", data)
    assert silent(done)
    assert heard.get(timeout=20) == {"type": "hello", "protocol": PROTOCOL}
    request = heard.get(timeout=20)
    assert (request["verb"], request["event"]) == ("hook", "Stop")
    assert request["data"] == {"session_id": "abc", "deep": {"a": [1, 2]}}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe\0", b"[" * 100_000, b'"' + b"x" * 3_000_000 + b'"'],
    ids=["nothing", "torn", "bytes", "brackets", "too much"],
)
def test_garbage_is_an_event_without_data(folder: Path, heard: "Queue[dict[str, Any]]", data: bytes) -> None:
    """Garbage, or too much, on standard input costs the data and nothing else."""
    assert silent(run(folder, "Stop", data=data))
    heard.get(timeout=20)
    assert heard.get(timeout=20)["data"] == {}


@pytest.mark.parametrize("words", [(), ("Stop",), ("Stop", "{}", "more")])
def test_nobody_listening_is_no_trouble_of_the_agents(folder: Path, words: tuple[str, ...]) -> None:
    """Without a supervisor, or without an event, the client ends well and says nothing."""
    assert silent(run(folder, *words))


def test_the_protocol_is_the_supervisors() -> None:
    """The client's own copy of the protocol's number is the number."""
    assert hook._PROTOCOL == PROTOCOL
