"""Runs that do not go well: whatever a genome does, there is a result that says so, and no process is left."""

import argparse
import inspect
import json
import os
import signal
import subprocess
import sys
import time
import typing
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.corpus import prepare
from harness.result import Outcome, RunProgress, RunRequest, RunResult
from harness.runner import run
from harness.settings import EMBEDDED
from harness.stdlib_text import Texts

MODEL = """
import os, signal, subprocess, sys, time
import torch

def build_model(spec):
    return torch.nn.Sequential(torch.nn.Embedding(spec.vocab_size, 4), torch.nn.Linear(4, spec.vocab_size))

def train(model, run):
    for inputs, targets in run.batches(1):
        model(inputs)
"""

# A daemon that has left the process group and the session, and whose parent is gone; then training without an end.
DAEMON = """
DAEMON = '''
import os, pathlib, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        pathlib.Path("daemon.part").write_text(str(os.getpid()))
        os.rename("daemon.part", "daemon.pid")
        signal.pause()
'''

def train(model, run):
    subprocess.run([sys.executable, "-c", DAEMON], env={})
    while not os.path.exists("daemon.pid"):
        time.sleep(0.01)
    for inputs, targets in run.batches(1):
        model(inputs)
    signal.pause()
"""


def small_text() -> Texts:
    """Enough text for the tokenizer and the scored rows, made in a moment."""
    paragraphs = [part for module in (argparse, subprocess, typing) for part in inspect.getsource(module).split("\n\n")]
    return Texts(train=paragraphs, val=paragraphs)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("ends") / "corpus", EMBEDDED, lambda _line: None, source=small_text).path


Ask = Callable[[str], RunRequest]


@pytest.fixture
def ask(tmp_path: Path, corpus: Path) -> Ask:
    """From a genome's text to the request to run it."""

    def ask_for(text: str) -> RunRequest:
        (tmp_path / "scratch").mkdir()
        genome = tmp_path / "train.py"
        genome.write_text(text)
        return RunRequest("r", "", str(genome), str(tmp_path / "scratch"), str(corpus), "embedded", 0.2, device="cpu")

    return ask_for


def finish(request: RunRequest) -> RunResult:
    """Run it; nothing of it is left."""
    result = run(request, lambda _record: None)
    assert psutil.Process().children(recursive=True) == []
    return result


def test_a_failing_genome_is_a_crash(ask: Ask) -> None:
    """A genome that fails, be it with a polite exit, gives no number but the reason in one clean line."""
    result = finish(ask(MODEL + "def train(model, run):\n    print('so far')\n    sys.exit('bo\x1b[31mom')\n"))
    assert (result.outcome, result.val_bpb) == (Outcome.CRASH, None)
    assert result.reason == "SystemExit: boom (train.py, line 13)"
    log = Path(result.log).read_text()
    assert log.startswith("so far\nTraceback")
    assert 'train.py", line 13, in train' in log


def test_a_model_that_fails_in_evaluation_is_a_crash(ask: Ask) -> None:
    """A model that trains but gives no logits where it is scored gives no number."""
    result = finish(ask(MODEL.replace("model(inputs)", "model[1] = torch.nn.Linear(4, 7)")))
    assert (result.outcome, result.val_bpb) == (Outcome.CRASH, None)
    assert result.reason.startswith("in evaluation: RuntimeError")


def test_a_forged_record_is_no_number(ask: Ask) -> None:
    """A genome that writes records to every descriptor and exits is a crash: there are no weights to score."""
    forgery = (
        "def train(model, run):\n"
        '    record = b\'{"kind": "done", "steps": 9}\\n{"kind": "score", "val_bpb": 0.1, "params": 1}\\n\'\n'
        "    for fd in range(3, 64):\n"
        "        try:\n"
        "            os.write(fd, record)\n"
        "        except OSError:\n"
        "            pass\n"
        "    os._exit(0)\n"
    )
    result = finish(ask(MODEL + forgery))
    assert (result.outcome, result.val_bpb) == (Outcome.CRASH, None)
    assert "no weights were saved" in result.reason


def test_the_deadline_ends_daemons_too(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run past its wall deadline is a timeout, and a daemon that left group, session and parent ends with it."""
    later = [0.0]
    clock = time.monotonic
    monkeypatch.setattr("harness.watch.time.monotonic", lambda: clock() + later[0])

    def pass_the_deadline(record: RunProgress) -> None:
        if record.steps:
            later[0] = 1e6

    request = ask(MODEL + DAEMON)
    result = run(request, pass_the_deadline)
    assert (result.outcome, result.val_bpb) == (Outcome.TIMEOUT, None)
    assert "wall deadline" in result.reason
    assert not psutil.pid_exists(int((Path(request.scratch) / "daemon.pid").read_text()))


def test_sigterm_aborts_and_leaves_nothing(ask: Ask, tmp_path: Path) -> None:
    """SIGTERM to the runner's process: the tree ends, the result says aborted, the exit status is 0."""
    request = ask(MODEL + DAEMON)
    (tmp_path / "request.json").write_text(request.to_json())
    read, write = os.pipe()
    command = [sys.executable, "-I", "-m", "harness", "run"]
    command += ["--request", str(tmp_path / "request.json"), "--events-fd", str(write)]
    with subprocess.Popen(command, pass_fds=[write]) as runner, open(read, "rb") as events:  # noqa: PTH123 - a descriptor
        os.close(write)
        for line in events:
            record = json.loads(line)
            if record["kind"] == "progress" and record["steps"]:
                runner.send_signal(signal.SIGTERM)
                break
        *_, last = events
        assert runner.wait(timeout=30) == 0
    result = json.loads(last)
    assert (result.pop("kind"), RunResult.from_dict(result).outcome) == ("result", Outcome.ABORTED)
    assert not psutil.pid_exists(int((Path(request.scratch) / "daemon.pid").read_text()))


def test_what_a_run_started_ends_with_its_runner(ask: Ask, tmp_path: Path) -> None:
    """When the runner is killed outright, the processes that it started end, too."""
    request = ask(MODEL + "old = train\ndef train(model, run):\n    old(model, run)\n    signal.pause()\n")
    (tmp_path / "request.json").write_text(request.to_json())
    read, write = os.pipe()
    command = [sys.executable, "-I", "-m", "harness", "run"]
    command += ["--request", str(tmp_path / "request.json"), "--events-fd", str(write)]
    with subprocess.Popen(command, pass_fds=[write]) as runner, open(read, "rb") as events:  # noqa: PTH123 - a descriptor
        os.close(write)
        assert any(json.loads(line)["phase"] == "training" for line in events)
        below = psutil.Process(runner.pid).children(recursive=True)
        _server, *others = below
        assert sorted(one.name() for one in others) == ["model", "model", "runner", "scorer", "trainer", "witness"]
        runner.kill()
    assert psutil.wait_procs(below, timeout=30)[1] == []


def test_a_broken_corpus_is_not_the_genomes_fault(ask: Ask, tmp_path: Path) -> None:
    """Without an intact corpus the run is aborted, not crashed, and the reason says how to mend it."""
    request = RunRequest(**{**vars(ask(MODEL)), "corpus": str(tmp_path / "nowhere")})
    result = finish(request)
    assert result.outcome == Outcome.ABORTED
    assert "prepare" in result.reason


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("preset", "grand", "there is no preset 'grand'"),
        ("budget_s", float("nan"), "the budget must be"),
        ("scratch", "/nowhere/at/all", "there is no directory"),
    ],
)
def test_a_request_that_cannot_be_run_is_aborted(ask: Ask, field: str, value: object, reason: str) -> None:
    """A request that makes no sense starts nothing and says why."""
    result = finish(RunRequest(**{**vars(ask(MODEL)), field: value}))
    assert result.outcome == Outcome.ABORTED
    assert reason in result.reason
