"""One session of ours around a real agent: begun, watched and ended from outside, as a person would.

The agent and our supervisor run with a scrubbed environment and a home of their own; nothing of this machine's user
reaches them. Waiting is for the supervisor's events, with a limit that only a failure meets.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.ledger import read_experiments
from harness.result import Experiment
from sessions.client import UnreachableError, ask, connect
from sessions.store import SessionDir
from tests.agents.installed import BIN

TAG: Final = "c"
WITHIN_S: Final = 120.0

Facts = dict[str, Any]


@dataclass(frozen=True)
class AgentSession:
    """A session, named `TAG`, in a home of its own.

    Attributes:
        home: the agent's and ours.
        environment: the whole of it.
    """

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> SessionDir:
        """Where the session's files lie."""
        return SessionDir(self.home / "h" / "sessions" / TAG)

    @property
    def worktree(self) -> Path:
        """Where the agent works."""
        return self.directory.worktree

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of our verbs, as a person in this home would."""
        command = [sys.executable, "-m", "autoresearch_tui", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=WITHIN_S
        )

    def begin(self, agent: str, *words: str) -> None:
        """Start the session: experiments of one second of training, a run each, whose noise nobody measures.

        Raises:
            AssertionError: it did not start.
        """
        lab = str(self.home / "lab")
        short = ("--budget", "1", "--replicates", "1")
        begun = self.verb("new", "--agent", agent, "--lab", lab, "--tag", TAG, *short, "--detach", *words)
        assert begun.returncode == 0, begun.stderr

    def status(self) -> Facts:
        """The supervisor's answer."""
        return dict(ask(self.directory, "status"))

    def journal(self, kind: str | None = None) -> list[Facts]:
        """Its entries, of that kind or all."""
        lines = self.directory.journal.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        return [one for one in entries if kind is None or one["kind"] == kind]

    def states(self) -> list[str]:
        """What the agent did, one state after the other."""
        return [one["state"] for one in self.journal("state")]

    def experiments(self) -> list[Experiment]:
        """Those that were judged."""
        return read_experiments(self.directory.experiments).records

    def until(self, wanted: Callable[[Facts], bool], within_s: float = WITHIN_S) -> Facts:
        """The first status that is as wanted, from the supervisor's own events.

        Raises:
            AssertionError: there was none; with the last status and the journal's end.
        """
        return asyncio.run(self._until(wanted, within_s))

    def until_noted(self, kind: str, within_s: float = WITHIN_S, **facts: Any) -> Facts:
        """The first journal entry of that kind with those facts. Looked for at every event of the supervisor."""

        def noted(_status: Facts) -> bool:
            return any(facts.items() <= one.items() for one in self.journal(kind))

        self.until(noted, within_s)
        return next(one for one in self.journal(kind) if facts.items() <= one.items())

    def until_over(self, within_s: float = WITHIN_S) -> Facts:
        """The status once the session is finished or parked."""
        return self.until(lambda status: status["phase"] in {"finished", "parked"}, within_s)

    def until_shown(self, text: str, within_s: float = WITHIN_S) -> None:
        """Wait until the agent's screen shows a text, in one row.

        Raises:
            AssertionError: it never did.
        """
        rows: dict[int, str] = {}

        def shown(event: Facts) -> bool:
            frame = event.get("frame", {})
            rows.update((y, "".join(run[0] for run in row)) for y, row in frame.get("rows", []))
            return any(text in row for row in rows.values())

        asyncio.run(self._follow(shown, within_s, screen=True))

    async def _until(self, wanted: Callable[[Facts], bool], within_s: float) -> Facts:
        last: Facts = {}

        def arrived(event: Facts) -> bool:
            last.update(event.get("status", {}))
            return bool(last) and wanted(last)

        await self._follow(arrived, within_s)
        return last

    async def _follow(self, arrived: Callable[[Facts], bool], within_s: float, *, screen: bool = False) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                connection = await connect(self.directory)
                try:
                    connection.send("watch", screen=screen)
                    async for event in connection.events():
                        if arrived(event):
                            return
                finally:
                    await connection.close()
        raise AssertionError("it did not come to that\n" + "\n".join(map(str, [self.status(), *self.journal()[-30:]])))

    def end(self) -> None:
        """End the supervisor and the agent, whatever they do."""
        with contextlib.suppress(UnreachableError):
            self.status()
            stopped = self.verb("stop", TAG)
            assert stopped.returncode == 0, stopped.stderr


@contextmanager
def agent_session(name: str, environment: dict[str, str]) -> Iterator[AgentSession]:
    """A home for a session with an agent, and its end.

    Args:
        name: the agent's, for the folder.
        environment: what it needs besides PATH, HOME, LANG and TERM: a dummy key, the model's address.
    """
    # Short, because a socket lies in it.
    home = Path(tempfile.mkdtemp(prefix=f"art-{name[:3]}-"))
    path = os.pathsep.join([str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]])
    base = {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    session = AgentSession(home, {**base, "AUTORESEARCH_TUI_HOME": str(home / "h"), **environment})
    try:
        yield session
    finally:
        try:
            session.end()
        finally:
            shutil.rmtree(home)


def gone(pid: int) -> bool:
    """Whether no process has that number."""
    return not Path(f"/proc/{pid}").exists()


def now() -> float:
    """Seconds since the epoch."""
    return time.time()
