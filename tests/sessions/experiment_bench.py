"""What tests of experiments share: a session over a real lab, and a harness that is a function."""

import asyncio
import contextlib
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.result import Outcome, RunProgress, RunRequest, RunResult
from sessions.experiments import Experiments
from sessions.journal import Journal
from sessions.lab import create_repository, open_lab
from sessions.protocol import Running
from sessions.spec import SessionSpec
from sessions.store import SessionDir

GIT = shutil.which("git") or "git"
BRANCH = "autoresearch/nov23"


@dataclass
class FakeRun:
    """A harness that answers with the RATE in the genome, which may look at its SEED, as val_bpb, when it is let go.

    A closer look at weights is taken at once, and noted in `closer`.
    """

    go: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[RunRequest] = field(default_factory=list)
    closer: list[RunRequest] = field(default_factory=list)
    change: Callable[[RunResult], RunResult] = lambda result: result
    seen_closer: Callable[[RunResult], RunResult] = lambda result: result
    pause_at_seed: int | None = None
    report: Callable[[], None] = lambda: None

    async def __call__(
        self, request: RunRequest, on_progress: Callable[[RunProgress], None], abort: asyncio.Event
    ) -> RunResult:
        if request.weights:
            self.closer.append(request)
            assert request.probe_share == 1.0
            assert Path(request.weights).read_bytes() == b"w" * 1000
            seen = RunResult(request.run_id, request.commit, Outcome.OK, val_bpb=1.0, seed=request.seed)
            return self.seen_closer(seen)
        self.requests.append(request)
        genome = Path(request.genome).read_text()
        assert list(Path(request.scratch).iterdir()) == []
        (Path(request.scratch) / "weights.safetensors").write_bytes(b"w" * 1000)
        (Path(request.scratch).parent / "run.log").write_text("step 1\n")
        self.report = lambda: on_progress(RunProgress(request.run_id, "training", 1.5, request.budget_s, 3))
        self.report()
        self.started.set()
        go = asyncio.Event() if request.seed == self.pause_at_seed else self.go
        waits = [asyncio.ensure_future(one.wait()) for one in (go, abort)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
        digest = hashlib.sha256(genome.encode()).hexdigest()
        result = RunResult(
            request.run_id, request.commit, Outcome.OK, memory_gb=0.25, genome_sha256=digest, seed=request.seed
        )
        if abort.is_set():
            return replace(result, outcome=Outcome.ABORTED, reason="stopped")
        values: dict[str, Any] = {"SEED": request.seed}
        try:
            exec(genome, values)  # noqa: S102  # the test's own line
        except NameError as error:
            return self.change(replace(result, outcome=Outcome.CRASH, reason=str(error)))
        return self.change(replace(result, val_bpb=float(values["RATE"])))


class Bench:
    """A session directory over a lab, and its experiments at work."""

    def __init__(self, tmp_path: Path, genome: str = "RATE = 1.5\n") -> None:
        self.lab_path = tmp_path / "lab"
        self.lab_path.mkdir()
        (self.lab_path / "train.py").write_text(genome)
        (self.lab_path / "program.md").write_text("go on\n")
        create_repository(self.lab_path, "Start")
        self.lab = open_lab(self.lab_path)
        self.session = SessionDir(tmp_path / "nov23")
        self.session.path.mkdir()
        self.base = self.lab.create_worktree(self.session.worktree, BRANCH)
        self.spec = SessionSpec(
            session="nov23", agent="demo", argv=["demo"], lab=str(self.lab_path), branch=BRANCH, base=self.base,
            corpus="/corpus", preset="embedded", budget_s=2.0, replicates=1,
        )  # fmt: skip
        self.run = FakeRun()
        self.run.go.set()
        self.rests = 0
        self.rested = asyncio.Event()
        self.stirred = asyncio.Event()
        self.disk_free = asyncio.Event()
        self.changes = 0
        self.on_progress: Callable[[], None] | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.one = self.make()

    def make(self, **changed: Any) -> Experiments:
        """A supervisor's view of the session, as after a start."""
        self.spec = replace(self.spec, **changed)
        journal = Journal(self.session.journal)
        places = (self.session, self.spec, self.lab, journal)
        self.one = Experiments(*places, self._changed, self.run, self._rest, self.on_progress)
        return self.one

    def _changed(self) -> None:
        self.changes += 1
        self.stirred.set()
        assert self.one.alert == " ".join(self.one.alert.split())

    async def _rest(self, _seconds: float) -> None:
        self.rests += 1
        self.rested.set()
        await self.disk_free.wait()

    def start(self) -> asyncio.Task[None]:
        self.one.recover()
        task = asyncio.get_running_loop().create_task(self.one.work())
        self.tasks.append(task)
        return task

    async def kill(self) -> None:
        """End the work as SIGKILL would: nothing is tidied up. The file system is all that stays."""
        current = self.one._work._current
        for task in (*self.tasks, *([current] if current else [])):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.tasks.clear()

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self.stirred.clear()
            await self.stirred.wait()

    async def idle(self) -> None:
        """Until nothing runs and nothing is wanted."""
        work = self.one._work
        await self._until(lambda: self.one.running is None and work._history.wanted() is None and not self.one.queued)

    async def until_running(self, run: int = 1) -> Running:
        """Until an experiment's or a replicate's run with this number is under way."""
        await self._until(lambda: (one := self.one.running) is not None and one.steps > 0 and one.run == run)
        running = self.one.running
        assert running is not None
        return running

    async def baseline(self) -> None:
        self.one.submit_baseline()
        await self.one.wait(0)

    def edit(self, text: str) -> None:
        (self.session.worktree / "train.py").write_text(text)

    def git(self, *arguments: str) -> str:
        done = subprocess.run([GIT, *arguments], cwd=self.session.worktree, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def entries(self, kind: str) -> list[dict[str, Any]]:
        lines = self.session.journal.read_text().splitlines()
        return [one for one in map(json.loads, lines) if one["kind"] == kind]
