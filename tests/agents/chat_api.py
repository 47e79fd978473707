"""The scripted model behind OpenAI's chat completions, as opencode, Qwen Code, pi and aider speak it, on 127.0.0.1."""

import json
import socket
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final

from tests.agents.scripted import Asked, Call, Drop, Limit, Refuse, Say, Script, Step
from tests.agents.serving import Handler, serving

MODEL: Final = "scripted"
_USAGE: Final = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "total_tokens": 1050,
    "prompt_tokens_details": {"cached_tokens": 800},
}


def chat_api(script: Script, *, has_tools: bool = True) -> AbstractContextManager[int]:
    """Serve the script under /v1, and give the port.

    Args:
        script: the model's mind.
        has_tools: whether the agent gives the model tools. One that does makes requests without them beside the
            conversation, for a title, and gets one.
    """
    return serving(_Handler, script, has_tools=has_tools)


class _Handler(Handler):
    def do_GET(self) -> None:  # noqa: N802 - http.server names it so
        self._answer(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:  # noqa: N802 - http.server names it so
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        tools = [one["function"] for one in request.get("tools") or []]
        if self.server.has_tools and not tools:
            self._stream([{"content": "Lower val_bpb"}], "stop")
        else:
            self._do(self.server.script.step(_asked(request["messages"])), tools)

    def _do(self, step: Step, tools: list[dict[str, Any]]) -> None:
        match step:
            case Say(text):
                self._stream([{"content": text}], "stop")
            case Call():
                call = {"index": 0, "id": f"call_{next(self.server.numbers)}", "type": "function"}
                self._stream([{"tool_calls": [{**call, "function": _shell(step, tools)}]}], "tool_calls")
            case Refuse(status, message):
                self._answer(status, {"error": {"message": message, "type": "scripted", "code": None}})
            case Limit(resets_at):
                at = datetime.fromtimestamp(resets_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                error = {"message": f"You have hit your usage limit. Try again at {at}.", "type": "usage_limit_reached"}
                left = max(1, round(resets_at - time.time()))
                self._answer(429, {"error": error}, {"retry-after": str(left)})
            case Drop():
                self._begin_and_hang_up()

    def _stream(self, deltas: list[dict[str, Any]], reason: str) -> None:
        choices = [{"delta": {"role": "assistant", **one}, "finish_reason": None} for one in deltas]
        choices.append({"delta": {}, "finish_reason": reason})
        chunks = [_chunk([{"index": 0, **one}]) for one in choices] + [{**_chunk([]), "usage": _USAGE}]
        data = ("".join(map(_line, chunks)) + "data: [DONE]\n\n").encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _begin_and_hang_up(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", "100000")
        self.end_headers()
        delta = {"role": "assistant", "content": "I will"}
        self.wfile.write(_line(_chunk([{"index": 0, "delta": delta, "finish_reason": None}])).encode())
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices}


def _line(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


def _shell(call: Call, tools: list[dict[str, Any]]) -> dict[str, str]:
    """A call of the agent's shell tool, with what that tool wants to be told."""
    tool = next(one for one in tools if one["name"] in {"bash", "run_shell_command"})
    wants = tool["parameters"]["properties"]
    arguments: dict[str, Any] = {"command": call.command, "description": "Run one experiment"}
    if call.background and "is_background" not in wants:
        arguments["command"] = f"({call.command}) > /dev/null 2>&1 & echo started"
    arguments["is_background"] = call.background
    return {"name": tool["name"], "arguments": json.dumps({key: arguments[key] for key in arguments if key in wants})}


def _asked(messages: list[dict[str, Any]]) -> Asked:
    """What the agent's main conversation holds; the agent's own additions are prompts, too."""
    prompts = [_text(one["content"]) for one in messages if one["role"] == "user"]
    outputs = [_text(one["content"]) for one in messages if one["role"] == "tool"]
    return Asked(time.time(), tuple(prompts), tuple(outputs), messages[-1]["role"] == "user")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(one.get("text", "") for one in content) if isinstance(content, list) else json.dumps(content)
