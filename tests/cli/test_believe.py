"""`autoresearch-tui verify` and `confirm`: what they print, how they end, and a real run of each."""

import argparse
import asyncio
import contextlib
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from autoresearch_tui.cli import main
from harness.corpus import prepare
from harness.ledger import append_line
from harness.result import Experiment, Outcome, RunProgress, RunRequest, RunResult
from harness.settings import EMBEDDED
from harness.stdlib_text import Texts
from sessions import rerun, store
from sessions.confirming import CONFIRMATIONS
from sessions.lab import create_repository
from sessions.spec import SessionSpec
from sessions.trial import Run

GENOME = """
import torch

RATE = {rate}

def build_model(spec):
    return torch.nn.Sequential(torch.nn.Embedding(spec.vocab_size, 4), torch.nn.Linear(4, spec.vocab_size))

def train(model, run):
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    for inputs, targets in run.batches(4):
        loss = torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
BUDGET_S = 1.0


def small_text() -> Texts:
    """Enough text for the tokenizer and the scored rows, made in a moment."""
    paragraphs = [part for module in (argparse, subprocess, typing) for part in inspect.getsource(module).split("\n\n")]
    return Texts(train=paragraphs, val=paragraphs)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("believe") / "corpus", EMBEDDED, lambda _line: None, source=small_text).path


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, corpus: Path) -> Iterator[store.SessionDir]:
    """A session whose lab has a baseline and a better commit, and whose ledger says so."""
    home = Path(tempfile.mkdtemp(prefix="art-"))
    monkeypatch.setenv(store.HOME_VARIABLE, str(home))
    lab = home / "lab"
    lab.mkdir()
    (lab / "train.py").write_text(GENOME.format(rate=0.0))
    base = create_repository(lab, "Start")
    (lab / "train.py").write_text(GENOME.format(rate=1.0))
    mine = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *mine, "commit", "-qam", "better"], cwd=lab, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=lab, check=True, capture_output=True, text=True)
    made = store.create_session(
        SessionSpec(
            session="nov23", agent="generic", argv=["cat"], lab=str(lab), branch="autoresearch/nov23", base=base,
            corpus=str(corpus), preset="embedded", budget_s=BUDGET_S, device="cpu",
        )
    )  # fmt: skip
    for number, commit, bpb in ((0, base, 2.0), (1, head.stdout.strip(), 1.0)):
        result = RunResult("r", commit, Outcome.OK, val_bpb=bpb, preset="embedded", budget_s=BUDGET_S)
        one = Experiment(
            number=number, commit=commit, parent="", message="m", verdict="keep", reason="r", val_bpb=bpb, delta=None,
            best=bpb, submitted_at=0.0, started_at=0.0, ended_at=0.0, result=asdict(result), runs=[asdict(result)],
            sigma=0.01,
        )  # fmt: skip
        append_line(made.experiments, one.to_json())
    yield made
    shutil.rmtree(home)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A harness that answers at once: `bpb` of the baseline, so much less for the other."""

    def install(bpb: float = 2.0, gain: float = 1.0, interrupt_at: int = 0) -> None:
        count = 0

        async def run(
            request: RunRequest, on_progress: Callable[[RunProgress], None], abort: asyncio.Event
        ) -> RunResult:
            nonlocal count
            count += 1
            on_progress(RunProgress(request.run_id, "training", 0.5, request.budget_s, 3))
            result = RunResult(request.run_id, request.commit, Outcome.OK, seed=request.seed)
            if count == interrupt_at:
                os.kill(os.getpid(), signal.SIGINT)
                await abort.wait()
                return replace(result, outcome=Outcome.ABORTED, reason="stopped from outside")
            better = "RATE = 1.0" in Path(request.genome).read_text()
            return replace(result, val_bpb=bpb - (gain if better else 0.0) + request.seed % 10 * 0.001)

        @contextlib.asynccontextmanager
        async def harness() -> AsyncIterator[Run]:
            yield run

        monkeypatch.setattr(rerun, "own_harness", harness)

    return install


def test_a_number_that_holds(
    session: store.SessionDir, fake: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """`verify N` prints the block and ends with 0; which run it makes is said on standard error."""
    fake()
    assert main(["verify", "1"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("---\nexperiment:       1\n")
    assert "answer:           holds" in said.out
    assert said.err.splitlines() == ["seed 1, run 1 of 2", "seed 2, run 2 of 2"]
    assert session.id


def test_a_number_that_does_not_hold(
    session: store.SessionDir, fake: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1, and `--json` is one object with the numbers."""
    fake(gain=0.5)
    assert main(["verify", session.id, "1", "--json"]) == 1
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["session"], found["experiment"], found["answer"]) == ("nov23", 1, "does not hold")
    assert found["difference"] == pytest.approx(0.5, abs=0.01)
    assert said.err == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["verify", "9"], "holds no experiment 9"),
        (["verify", "nov23", "one"], "which experiment?"),
        (["verify", "nov23", "1", "2"], "which experiment?"),
        (["verify", "nov24", "1"], "no session 'nov24'"),
    ],
)
def test_what_cannot_be_checked_is_2_and_one_line(
    session: store.SessionDir,
    fake: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    says: str,
) -> None:
    """A number that could not be checked is told apart from one that does not hold."""
    fake()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("autoresearch-tui: ")
    assert says in error
    assert error.count("\n") == 1
    assert session.id


def test_beside_a_supervisor_it_is_said(
    session: store.SessionDir, fake: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A session that runs shares the machine with the check, which a person should know."""
    fake()
    with store.locked(session):
        assert main(["verify", "1"]) == 0
    assert "nov23 is running: its experiments and these runs share this machine" in capsys.readouterr().err


def test_a_gain_that_transfers(
    session: store.SessionDir, fake: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """`confirm` prints the runs, both gains and the conclusion; `--json` is one object with the same."""
    fake()
    assert main(["confirm", "--seeds", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["seed", "val_bpb", "steps", "taints"]
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["baseline", "1000", "2.000000"],
        ["#1", "1000", "1.000000"],
        ["baseline", "1001", "2.001000"],
        ["#1", "1001", "1.001000"],
    ]
    assert lines[6].startswith("at 1 s: gain +1.000000 ± ")
    assert lines[7].startswith("at 3 s: gain +1.000000 ± ")
    assert lines[9].startswith("The gain transfers: at 3 s")
    assert main(["confirm", "--seeds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["incumbent"], len(found["runs"]), found["conclusion"]) == (1, 4, lines[9])
    assert len((session.path / CONFIRMATIONS).read_text().splitlines()) == 4


def test_ctrl_c_keeps_the_finished_runs(
    session: store.SessionDir, fake: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is a shell's for an interrupt, and the same command makes only what is missing."""
    fake(interrupt_at=3)
    assert main(["confirm", "--seeds", "2"]) == 130
    assert "the same command goes on with them" in capsys.readouterr().err
    assert len((session.path / CONFIRMATIONS).read_text().splitlines()) == 2
    fake()
    assert main(["confirm", "--seeds", "2"]) == 0
    said = capsys.readouterr()
    assert "2 runs to make" in said.err
    assert "2 are there already" in said.err


def test_nothing_to_confirm_is_one_line(
    session: store.SessionDir, fake: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A session that has kept nothing says so and ends with 1."""
    fake()
    lines = session.experiments.read_text().splitlines()
    session.experiments.write_text(lines[0] + "\n")
    assert main(["confirm"]) == 1
    assert "has kept nothing yet" in capsys.readouterr().err


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autoresearch_tui", *words], capture_output=True, text=True, check=False, timeout=110
    )


def test_real_runs_check_a_number(session: store.SessionDir) -> None:
    """A commit trains and is scored under the harness, with no supervisor: an invented number does not hold."""
    done = command("verify", session.id, "1", "--runs", "1", "--json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["answer"] == "does not hold"
    assert found["again"] - 1.0 > found["allowed"]
    assert list((session.path / "checks").iterdir()) == []


def test_real_runs_confirm_a_gain(session: store.SessionDir) -> None:
    """One that trains against one that stands still: both run, and the gain is there."""
    done = command("confirm", "--budget", "1", "--seeds", "1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [run["result"]["outcome"] for run in found["runs"]] == ["ok", "ok"]
    assert found["long"]["gain"] > 0.0
    assert found["conclusion"].startswith("Too few runs to say")
