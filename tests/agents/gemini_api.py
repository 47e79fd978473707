"""The scripted model behind Google's Gemini API, as Gemini CLI speaks it: one HTTP server on 127.0.0.1."""

import json
import socket
import time
from contextlib import AbstractContextManager
from typing import Any, Final

from tests.agents.scripted import Asked, Call, Drop, Limit, Refuse, Say, Script, Step
from tests.agents.serving import Handler, serving

_KINDS: Final = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
_RPC: Final = "type.googleapis.com/google.rpc."
# What Gemini asks beside the conversation wants an object: which model to take, who speaks next.
_BESIDE: Final = {
    "complexity_reasoning": "scripted",
    "complexity_score": 1,
    "model_choice": "flash",
    "next_speaker": "user",
}


def gemini_api(script: Script) -> AbstractContextManager[int]:
    """Serve the script, and give the port."""
    return serving(_Handler, script)


class _Handler(Handler):
    def do_POST(self) -> None:  # noqa: N802 - http.server names it so
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "countTokens" in self.path:
            self._json(200, {"totalTokens": 1000})
        elif not request.get("tools"):
            self._json(200, _answer({"text": json.dumps({"reasoning": "scripted", **_BESIDE})}))
        else:
            self._do(self.server.script.step(_asked(request["contents"])))

    def _do(self, step: Step) -> None:
        match step:
            case Say(text):
                self._stream(_answer({"text": text}))
            case Call():
                self._stream(_answer(_shell(step, next(self.server.numbers))))
            case Refuse(status, message):
                self._json(status, _error(status, message))
            case Limit(resets_at):
                self._json(429, _error(429, "You have exhausted your quota.", *_quota(resets_at)))
            case Drop():
                self._begin_and_hang_up()

    def _stream(self, answer: dict[str, Any]) -> None:
        self._send(200, "text/event-stream", _line(answer))

    def _json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _begin_and_hang_up(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", "100000")
        self.end_headers()
        half = _answer({"text": "Half of an"})
        del half["candidates"][0]["finishReason"]
        self.wfile.write(_line(half))
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


def _line(answer: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(answer).encode() + b"\r\n\r\n"


def _answer(part: dict[str, Any]) -> dict[str, Any]:
    content = {"role": "model", "parts": [part]}
    usage = {
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 800,
        "candidatesTokenCount": 50,
        "totalTokenCount": 1050,
    }
    return {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}


def _shell(call: Call, number: int) -> dict[str, Any]:
    arguments = {"command": call.command, "description": "scripted"}
    if call.background:
        arguments["is_background"] = True
    return {"functionCall": {"id": f"call{number}", "name": "run_shell_command", "args": arguments}}


def _error(status: int, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    error = {"code": status, "message": message, "status": _KINDS.get(status, "UNKNOWN")}
    return {"error": {**error, "details": list(details)} if details else error}


def _quota(resets_at: float) -> list[dict[str, Any]]:
    """What makes of a 429 a usage limit with an end, however near; what only says when to try again is tried again."""
    left = max(1, round(resets_at - time.time()))
    reason = {"reason": "QUOTA_EXHAUSTED", "domain": "cloudcode-pa.googleapis.com"}
    return [{"@type": f"{_RPC}ErrorInfo", **reason}, {"@type": f"{_RPC}RetryInfo", "retryDelay": f"{left}s"}]


def _asked(contents: list[dict[str, Any]]) -> Asked:
    """What the agent's main conversation holds; the agent's own first words are a prompt, too."""
    parts = [part for one in contents if one.get("role") == "user" for part in one["parts"]]
    prompts = [one["text"] for one in parts if "text" in one]
    outputs = [json.dumps(one["functionResponse"]["response"]) for one in parts if "functionResponse" in one]
    return Asked(time.time(), tuple(prompts), tuple(outputs), "functionResponse" not in contents[-1]["parts"][0])
