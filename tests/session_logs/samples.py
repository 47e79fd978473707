"""Session logs to test with: samples of real agents, cleaned and cut, and what reads them."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sessions.agent_log import AgentLog
from sessions.profiles import load_profile
from sessions.usage import Usage

SAMPLES = Path(__file__).parent
WORKTREE = Path("/home/ada/lab")  # where the samples' agents worked
CODEX = Path(".codex/sessions/2026/11/24/rollout-2026-11-24T10-46-23-01a20d29-f51e-7712-8880-2211f0beaf9a.jsonl")
CLAUDE = Path(".claude/projects/-home-ada-lab")
GEMINI = Path(".gemini/tmp/lab/chats/session-2026-11-24T10-32-a01b6fd9.jsonl")
QWEN = Path(".qwen/projects/-home-ada-lab/chats/80cc7276-6d1d-49cf-8f78-2fcd12a63121.jsonl")
PI = Path(".pi/agent/sessions/--home-ada-lab--/2026-11-24T11-14-27-928Z_01a20d43-a9d7-736b-bdff-be265c2d653e.jsonl")
OPENCODE = Path(".local/share/opencode/opencode.db")

LINES = [
    json.dumps({"type": "session_meta", "payload": {"id": "s", "cwd": str(WORKTREE), "thread_source": "user"}}),
    *(
        json.dumps({"type": "token_usage_record", "payload": {"usage": {"input_tokens": 10**n, "output_tokens": 0}}})
        for n in range(6)
    ),
]


class Clock:
    """Polls an agent's log, each time later than all that waits for a while."""

    def __init__(self, home: Path, agent: str, **changes: Any) -> None:
        self.home = home
        self.now = 0.0
        self.given = {
            "worktree": WORKTREE,
            "files": home / "agent",
            "environment": {"HOME": str(home)},
            "since": 0.0,
            **changes,
        }
        self.format = load_profile(agent, home / "config").log
        self.log = self.begin()

    def begin(self) -> AgentLog:
        """A new supervisor's."""
        self.log = AgentLog(self.format, self.home / "usage.json", **self.given)
        return self.log

    def poll(self) -> bool:
        self.now += 60
        return self.log.poll(self.now)

    def usage(self) -> Usage:
        while self.poll():
            pass
        return self.log.usage


def lay(home: Path, sample: str, place: Path) -> Path:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SAMPLES / sample, path)
    return path


def log_of(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
