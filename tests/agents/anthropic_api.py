"""The scripted model behind Anthropic's Messages API, as Claude Code speaks it: one HTTP server on 127.0.0.1."""

import json
import socket
import time
from contextlib import AbstractContextManager
from typing import Any, Final

from tests.agents.scripted import Asked, Call, Drop, Limit, Refuse, Say, Script, Step
from tests.agents.serving import Handler, serving

_KINDS: Final = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
# What a command may take in one go; Claude's own limit is less.
_TIMEOUT_MS: Final = 600_000
# How Claude begins what it adds by itself.
_OWN: Final = ("<system-reminder>", "Available agent types", "The following skills")


def anthropic_api(script: Script) -> AbstractContextManager[int]:
    """Serve the script, and give the port."""
    return serving(_Handler, script)


class _Handler(Handler):
    def do_HEAD(self) -> None:  # noqa: N802 - http.server names it so
        self._send(200, "application/json", b"")

    def do_POST(self) -> None:  # noqa: N802 - http.server names it so
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = next(self.server.numbers)
        if "count_tokens" in self.path:
            self._json(200, {"input_tokens": 1000})
        elif not request.get("tools"):  # beside the conversation: a title for it
            self._stream(_message(number, {"type": "text", "text": "Lower val_bpb"}))
        else:
            self._do(self.server.script.step(_asked(request["messages"])), number)

    def _do(self, step: Step, number: int) -> None:
        match step:
            case Say(text):
                self._stream(_message(number, {"type": "text", "text": text}))
            case Call():
                self._stream(_message(number, _shell(step, number)))
            case Refuse(status, message):
                self._json(status, _error(_KINDS.get(status, "api_error"), message), {"retry-after": "1"})
            case Limit(resets_at):
                self._json(429, _error("rate_limit_error", "scripted"), _limit_headers(resets_at))
            case Drop():
                self._begin_and_hang_up(number)

    def _stream(self, events: list[dict[str, Any]]) -> None:
        self._send(200, "text/event-stream", "".join(map(_line, events)).encode())

    def _json(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(body).encode(), headers)

    def _send(self, status: int, kind: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _begin_and_hang_up(self, number: int) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", "100000")
        self.end_headers()
        self.wfile.write(_line(_message(number, {"type": "text", "text": ""})[0]).encode())
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


def _line(event: dict[str, Any]) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _shell(call: Call, number: int) -> dict[str, Any]:
    arguments = {"command": call.command, "description": "scripted", "timeout": _TIMEOUT_MS}
    if call.background:
        arguments["run_in_background"] = True
    return {"type": "tool_use", "id": f"toolu_{number:06}", "name": "Bash", "input": arguments}


def _message(number: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of an answer with one block of content."""
    if block["type"] == "text":
        begun, delta, stop = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}, "end_turn"
    else:
        whole = json.dumps(block["input"])
        begun, delta, stop = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": whole}, "tool_use"
    message = {
        "id": f"msg_{number:06}",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 200, "output_tokens": 1, "cache_read_input_tokens": 800},
    }
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": begun},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": 50},
        },
        {"type": "message_stop"},
    ]


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def _limit_headers(resets_at: float) -> dict[str, str]:
    """What makes of a 429 a subscription's usage limit; to those who pay for each call Claude shows a plain 429."""
    left = "anthropic-ratelimit-unified"
    return {
        "retry-after": str(max(1, round(resets_at - time.time()))),
        f"{left}-status": "rejected",
        f"{left}-reset": str(round(resets_at)),
        f"{left}-representative-claim": "five_hour",
        f"{left}-overage-status": "rejected",
        f"{left}-overage-disabled-reason": "org_level_disabled",
    }


def _asked(messages: list[dict[str, Any]]) -> Asked:
    """What the agent's main conversation holds, without the agent's own additions.

    What is typed into a turn comes in a message of the system's.
    """
    hers = [block for one in messages if one["role"] != "assistant" for block in _blocks(one["content"])]
    prompts = [one["text"] for one in hers if one["type"] == "text" and not one["text"].startswith(_OWN)]
    outputs = [_text(one.get("content")) for one in hers if one["type"] == "tool_result"]
    last = [one for one in messages if one["role"] == "user"][-1]
    after_prompt = all(one["type"] != "tool_result" for one in _blocks(last["content"]))
    return Asked(time.time(), tuple(prompts), tuple(outputs), after_prompt)


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(one.get("text", "") for one in content) if isinstance(content, list) else json.dumps(content)
