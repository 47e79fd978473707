"""The real Codex CLI, babysat, against a scripted model on 127.0.0.1: `make test-agents`.

Codex runs with a scrubbed environment, a home of its own, a dummy key and one address that it knows.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.ledger import read_experiments

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]

CODEX = Path(__file__).parents[2] / "build" / "agents" / "node_modules" / ".bin" / "codex"
ASKS = "I ran one experiment and read its verdict. Should I keep going?"

# What the model has its shell tool do: one edit, one experiment.
TURN = r"""
sed -i 's/^MATRIX_LR = .*/MATRIX_LR = 0.01  # turn/' train.py && echo "# $RANDOM$RANDOM" >> train.py
autoresearch-tui try -m "a lower MATRIX_LR"
"""

CONFIG = """
model = "scripted"
model_provider = "local"
[model_providers.local]
name = "local"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "responses"
env_key = "LOCAL_KEY"
"""


class Model(BaseHTTPRequestHandler):
    """Speaks the Responses API: to a prompt it answers with a command, to a command's output with a question."""

    protocol_version = "HTTP/1.1"
    numbers = itertools.count(1)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Silence."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        events = _events(next(self.numbers), _reply(request))
        data = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.send_error(404)


def _reply(request: dict[str, Any]) -> dict[str, Any]:
    last = request["input"][-1]
    if not request.get("tools"):  # Codex asks for a title beside the conversation
        return _says("Lower val_bpb")
    if not last.get("type", "").endswith("call_output"):
        return _calls("exec_command", cmd=TURN, yield_time_ms=30_000)
    output = json.dumps(last["output"])
    if "session ID" in output:  # the command goes on in the background: look again
        number = int(output.split("session ID ")[1].split()[0].strip('\\n"'))
        return _calls("write_stdin", session_id=number, chars="", yield_time_ms=10_000)
    return _says(ASKS)


def _says(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def _calls(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments)}


def _events(number: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    item = {**item, "id": f"i{number}", **({"call_id": f"c{number}"} if item["type"] == "function_call" else {})}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    return [
        {"type": "response.created", "response": {"id": f"r{number}"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": f"r{number}", "usage": usage}},
    ]


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a Codex that knows our model alone."""
    path = Path(tempfile.mkdtemp(prefix="art-"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (path / ".codex").mkdir()
    (path / ".codex" / "config.toml").write_text(CONFIG.format(port=server.server_port))
    yield path
    server.shutdown()
    server.server_close()
    shutil.rmtree(path)


def ours(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of our verbs with nothing of this machine's user in its environment."""
    beside = Path(sys.executable).parent
    environment = {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(CODEX.parent), str(beside), os.environ["PATH"]]),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "LOCAL_KEY": "dummy",
        "AUTORESEARCH_TUI_HOME": str(home / "h"),
    }
    command = [sys.executable, "-m", "autoresearch_tui", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.skipif(not CODEX.exists(), reason="`make test-agents` installs Codex first")
def test_codex_that_stops_after_every_experiment_is_babysat_to_the_end(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three real experiments, each after a stop: briefed once, nudged twice, never while it worked, then finished."""
    monkeypatch.setenv("AUTORESEARCH_TUI_HOME", str(home / "h"))
    begun = ours(
        home, "new", "--agent", "codex", "--lab", str(home / "lab"), "--tag", "c", "--budget", "1",
        "--experiments", "3", "--detach",
    )  # fmt: skip
    assert begun.returncode == 0, begun.stderr
    session = home / "h" / "sessions" / "c"
    try:
        ours(home, "try", "--session", "c", "--wait", "0")
        status = _until_over()
    finally:
        ours(home, "stop", "c")
    assert status["phase"] == "finished", status
    assert status["nudges"] == 2
    records = read_experiments(session / "experiments.jsonl").records
    assert [one.number for one in records] == [0, 1, 2, 3]
    entries = [json.loads(line) for line in (session / "journal.jsonl").read_text().splitlines()]
    nudges = [one for one in entries if one["kind"] == "nudge"]
    assert [one["what"] for one in nudges] == ["brief", "nudge", "nudge"]
    assert {one["rule"] for one in nudges} == {"osc idle"}
    assert not list((home / ".codex").glob("config.toml.*"))
    assert "projects" not in (home / ".codex" / "config.toml").read_text()  # nothing of the person's was written


def _until_over() -> dict[str, Any]:
    """The first status that is finished or parked, from the supervisor's own events."""
    import asyncio

    from sessions.client import connect
    from sessions.store import find_session

    async def follow() -> dict[str, Any]:
        connection = await connect(find_session("c"))
        connection.send("watch")
        async for event in connection.events():
            if event["type"] == "status" and event["status"]["phase"] in {"finished", "parked"}:
                await connection.close()
                return dict(event["status"])
        raise AssertionError("the supervisor hung up")

    async def limited() -> dict[str, Any]:
        return await asyncio.wait_for(follow(), 150)

    return asyncio.run(limited())
