"""The scripted model behind OpenAI's Responses API, as Codex speaks it: one HTTP server on 127.0.0.1."""

import json
import socket
import time
from contextlib import AbstractContextManager
from typing import Any, Final

from tests.agents.scripted import Asked, Call, Drop, Limit, Refuse, Say, Script, Step
from tests.agents.serving import Handler, serving

# How long the model waits for a command before it looks again: no command of a test takes longer in one go.
_YIELD_MS: Final = 30_000
_YIELD_BACKGROUND_MS: Final = 250
_RUNS_ON: Final = "Process running with session ID "


def responses_api(script: Script) -> AbstractContextManager[int]:
    """Serve the script, and give the port."""
    return serving(_Handler, script, background=set())


class _Handler(Handler):
    def do_POST(self) -> None:  # noqa: N802 - http.server names it so
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not request.get("tools"):  # beside the conversation: a title for it
            self._stream(_item(_says("Lower val_bpb"), next(self.server.numbers)))
        elif (number := _still_running(request["input"], self.server.background)) is not None:
            look = _calls("write_stdin", session_id=number, chars="", yield_time_ms=10_000)
            self._stream(_item(look, next(self.server.numbers)))
        else:
            self._do(self.server.script.step(_asked(request["input"])))

    def _do(self, step: Step) -> None:
        number = next(self.server.numbers)
        match step:
            case Say(text):
                self._stream(_item(_says(text), number))
            case Call():
                if step.background:
                    self.server.background.add(f"c{number}")
                self._stream(_item(_shell(step), number))
            case Refuse(status, message):
                self._refuse(status, {"error": {"message": message, "type": "scripted", "code": None}})
            case Limit(resets_at):
                left = max(1, round(resets_at - time.time()))
                error = {
                    "type": "usage_limit_reached",
                    "message": "The usage limit has been reached",
                    "plan_type": "pro",
                }
                self._refuse(429, {"error": {**error, "resets_at": round(resets_at), "resets_in_seconds": left}})
            case Drop():
                self._begin_and_hang_up(number)

    def _stream(self, item: dict[str, Any]) -> None:
        data = "".join(map(_line, _events(item))).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _begin_and_hang_up(self, number: int) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", "100000")
        self.end_headers()
        self.wfile.write(_line({"type": "response.created", "response": {"id": f"r{number}"}}).encode())
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


def _line(event: dict[str, Any]) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _says(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def _calls(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments)}


def _shell(call: Call) -> dict[str, Any]:
    more = {"sandbox_permissions": "require_escalated", "justification": "scripted"} if call.escalate else {}
    wait = _YIELD_BACKGROUND_MS if call.background else _YIELD_MS
    return _calls("exec_command", cmd=call.command, yield_time_ms=wait, **more)


def _item(item: dict[str, Any], number: int) -> dict[str, Any]:
    return {**item, "id": f"i{number}", **({"call_id": f"c{number}"} if item["type"] == "function_call" else {})}


def _events(item: dict[str, Any]) -> list[dict[str, Any]]:
    response = {"id": f"r{item['id']}"}
    details = {"input_tokens_details": {"cached_tokens": 800}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 1000, "output_tokens": 50, "total_tokens": 1050, **details}
    return [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**response, "usage": usage}},
    ]


def _asked(items: list[dict[str, Any]]) -> Asked:
    """What the agent's main conversation holds; the agent's own additions are prompts, too."""
    prompts = [_text(one["content"]) for one in items if one.get("role") == "user"]
    outputs = [_text(one["output"]) for one in items if one.get("type", "").endswith("call_output")]
    return Asked(time.time(), tuple(prompts), tuple(outputs), items[-1].get("role") == "user")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(one.get("text", "") for one in content) if isinstance(content, list) else json.dumps(content)


def _still_running(items: list[dict[str, Any]], background: set[str]) -> int | None:
    """The agent's number of a command that goes on and that the model waits for; None where there is none."""
    last = items[-1]
    if not last.get("type", "").endswith("call_output") or last.get("call_id") in background:
        return None
    output = _text(last["output"])
    if _RUNS_ON not in output:
        return None
    return int(output.split(_RUNS_ON)[1].split()[0])
