"""Cheats that are submitted in a session: real runs, a real lab, and an incumbent that none of them moves."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.settings import EMBEDDED
from harness.verdict import Verdict
from sessions.experiments import Experiments
from sessions.harness_process import Harness
from sessions.journal import Journal
from sessions.lab import create_repository, open_lab
from sessions.spec import SessionSpec
from sessions.store import SessionDir
from tests.harness.gauntlet_server import GENOMES, SERVER
from tests.harness.running import small_corpus

GIT = shutil.which("git") or "git"
BRANCH = "autoresearch/cheats"

# An honest one, although it talks much.
BASELINE = GENOMES / "prints_a_summary.py"
CHEATS = {
    "shifts": Verdict.REJECTED,
    "patches_the_loss": Verdict.DISCARD,
    "patches_the_clock": Verdict.CRASH,
    "writes_outside": Verdict.CRASH,
    "sleeps_past_the_deadline": Verdict.TIMEOUT,
    "speaks_to_the_agent": Verdict.CRASH,
}


@dataclass(frozen=True)
class Session:
    """A session at work, and its base."""

    experiments: Experiments
    directory: SessionDir
    base: str

    def state(self) -> dict[str, str]:
        """What no cheat may change: the branch, what is checked out, and what is there besides."""
        asked = {"branch": ("rev-parse", BRANCH), "head": ("symbolic-ref", "HEAD"), "status": ("status", "--porcelain")}
        return {
            name: subprocess.run(
                [GIT, *arguments], cwd=self.directory.worktree, check=True, capture_output=True, text=True
            ).stdout.strip()
            for name, arguments in asked.items()
        }


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    """A session whose baseline has been measured, with a fork server of its own."""
    place = tmp_path / "lab"
    place.mkdir()
    shutil.copy(BASELINE, place / "train.py")
    create_repository(place, "Start")
    lab, directory = open_lab(place), SessionDir(tmp_path / "cheats")
    directory.path.mkdir()
    base = lab.create_worktree(directory.worktree, BRANCH)
    spec = SessionSpec(
        session="cheats", agent="demo", argv=["demo"], lab=str(place), branch=BRANCH, base=base,
        corpus=str(small_corpus(tmp_path)), preset=EMBEDDED.name, budget_s=0.2, device="cpu", replicates=1,
    )  # fmt: skip
    harness = Harness(SERVER)
    one = Experiments(directory, spec, lab, Journal(directory.journal), lambda: None, harness.run)
    one.recover()
    work = asyncio.get_running_loop().create_task(one.work())
    one.submit_baseline()
    await one.wait(0)
    yield Session(one, directory, base)
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    harness.close()


async def test_no_cheat_moves_the_incumbent(session: Session) -> None:
    """After each cheat the branch, the worktree and the number to beat are what they were; each has its verdict."""
    one, before, best = session.experiments, session.state(), session.experiments.best
    assert (one.best_number, before["branch"], before["status"]) == (0, session.base, "")
    for name in CHEATS:
        shutil.copy(GENOMES / f"{name}.py", session.directory.worktree / "train.py")
        await one.wait(one.submit(name))
        assert session.state() == before, name
        assert (session.directory.worktree / "train.py").read_bytes() == BASELINE.read_bytes(), name
        assert (one.best_number, one.best) == (0, best), name
    assert {record.message: record.verdict for record in one.records[1:]} == CHEATS
