"""The harness's own command line, as a person and a script use it."""

import argparse
import inspect
import subprocess
import typing
from pathlib import Path

import pytest

from harness.__main__ import main
from harness.corpus import prepare
from harness.settings import EMBEDDED
from harness.stdlib_text import Texts

GENOME = """
import torch

def build_model(spec):
    return torch.nn.Sequential(torch.nn.Embedding(spec.vocab_size, 4), torch.nn.Linear(4, spec.vocab_size))

def train(model, run):
    for inputs, targets in run.batches(1):
        model(inputs)
"""


def small_text() -> Texts:
    """Enough text for the tokenizer and the scored rows, made in a moment."""
    paragraphs = [part for module in (argparse, subprocess, typing) for part in inspect.getsource(module).split("\n\n")]
    return Texts(train=paragraphs, val=paragraphs)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("cli") / "corpus", EMBEDDED, lambda _line: None, source=small_text).path


def run(genome: Path, corpus: Path) -> int:
    return main(["run", "--genome", str(genome), "--corpus", str(corpus), "--budget", "0.2", "--device", "cpu"])


def test_a_run_prints_the_ecosystems_block(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a line of three dashes come the keys that other tools look for, with numbers; the exit status is 0."""
    genome = tmp_path / "train.py"
    genome.write_text(GENOME)
    assert run(genome, corpus) == 0
    dashes, *lines = capsys.readouterr().out.splitlines()
    assert dashes == "---"
    block = {key: float(value) for key, value in (line.split(":") for line in lines)}
    keys = "val_bpb training_seconds total_seconds memory_gb total_tokens_M num_steps num_params_M"
    assert list(block) == keys.split()
    assert all(value >= 0 for value in block.values())
    assert block["num_steps"] > 0


def test_a_crash_is_one_line_after_the_log(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that fails exits with 1: the log's end, indented, then one line that says what happened; no summary."""
    genome = tmp_path / "train.py"
    genome.write_text(GENOME.replace("model(inputs)", "1 / 0"))
    assert run(genome, corpus) == 1
    said = capsys.readouterr()
    assert not said.out
    *log, last = said.err.splitlines()
    assert last == "harness: crash: ZeroDivisionError: division by zero (train.py, line 9)"
    assert log
    assert all(line.startswith("    ") for line in log)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run"],
        ["run", "--genome", "x", "--budget", "0"],
        ["run", "--genome", "x", "--budget", "nan"],
        ["run", "--genome", "x", "--request", "y"],
        ["evaluate", "--genome", "x"],
        ["dance"],
    ],
)
def test_bad_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A command line that makes no sense exits with 2 and says why."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "{}", "hello"])
def test_a_bad_request_file_is_2(tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """A request that is missing or no request is said in one line."""
    file = tmp_path / "request.json"
    if content is not None:
        file.write_text(content)
    assert main(["run", "--request", str(file)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_foreign_directory_is_not_prepared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`prepare` into a directory with something else in it fails with one line, and leaves it alone."""
    (tmp_path / "diary.txt").write_text("mine")
    assert main(["prepare", "--out", str(tmp_path), "--fresh"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["diary.txt"]
