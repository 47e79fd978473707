"""What the trainer's process does with a genome, without the process around it."""

import argparse
import inspect
import subprocess
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from harness import child, model_host
from harness.child import TrainRequest
from harness.corpus import Corpus, prepare
from harness.genome_file import GenomeError, crash_line, load_genome, sha256_of
from harness.settings import EMBEDDED
from harness.stdlib_text import Texts
from harness.training import ModelSpec

CPU = torch.device("cpu")
MODEL = """
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
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return prepare(tmp_path_factory.mktemp("trainer") / "corpus", EMBEDDED, lambda _line: None, source=small_text)


class Heard:
    """A channel that keeps what is said."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        self.messages.append(message)


Train = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def train(tmp_path: Path, corpus: Corpus) -> Train:
    """Trains a genome in this process; returns what it reported."""

    def train_it(text: str) -> list[dict[str, Any]]:
        genome = tmp_path / "train.py"
        genome.write_text(text)
        sha256, weights = sha256_of(text.encode()), tmp_path / "weights.safetensors"
        request = TrainRequest(str(genome), sha256, str(weights), str(corpus.path), "cpu", 0, 0.1, EMBEDDED)
        heard = Heard()
        child.train(request, corpus, CPU, heard)  # type: ignore[arg-type]  # it only sends
        return heard.messages

    return train_it


def test_training_ends_when_the_budget_is_spent(train: Train) -> None:
    """What is reported last is that it is done, with at least the budget spent and every batch counted."""
    done = train(MODEL)[-1]
    assert done["kind"] == "done"
    assert done["spent_s"] >= 0.1
    assert done["tokens"] == done["steps"] * EMBEDDED.sequence_len > 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("build_model = 5\n", "defines no function build_model"),
        ("del train\n", "defines no function train"),
        ("def build_model(spec): return 'a model'\n", "returned a str, not a torch.nn.Module"),
    ],
)
def test_a_genome_must_keep_to_the_rules(train: Train, change: str, says: str) -> None:
    """A genome without the two functions, or that builds no model, is told so."""
    with pytest.raises(GenomeError, match=says):
        train(MODEL + change)


def test_training_past_the_budget_gives_no_weights(
    train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A genome that goes on when the batches have ended is told so, and what it trained is not saved."""
    readings = iter([0.0, 0.0, 0.0, 0.2, 1.4, 1.4])  # the first step is free, the second spends it all, then 1.2 s more
    monkeypatch.setattr("harness.child.reader", lambda _kind, _synchronise: lambda: next(readings))
    with pytest.raises(GenomeError, match=r"took 1\.4 s of a budget of 0\.1 s"):
        train(MODEL)
    assert not (tmp_path / "weights.safetensors").exists()


def test_building_slowly_is_charged(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a genome computes before its first batch is free only up to the preset's allowance."""
    readings = iter([0.0, EMBEDDED.warmup_s + 0.2, EMBEDDED.warmup_s + 0.2, EMBEDDED.warmup_s + 0.2])
    monkeypatch.setattr("harness.child.reader", lambda _kind, _synchronise: lambda: next(readings))
    done = train(MODEL)[-1]
    assert (done["steps"], done["spent_s"]) == (0, pytest.approx(0.2))


def test_a_full_disk_is_not_the_genomes_fault(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights for which there is no room are a fault of the machine; any other failure to save is a crash."""

    def refuse(error: str) -> None:
        def save(_model: object, _path: object) -> None:
            raise SafetensorError(error)

        monkeypatch.setattr("harness.child.save_model", save)

    refuse("Error while serializing: I/O error: No space left on device (os error 28)")
    last = train(MODEL)[-1]
    assert last["kind"] == "fault"
    assert "the disk is full" in last["reason"]
    refuse("a tensor that is not contiguous")
    with pytest.raises(SafetensorError):
        train(MODEL)


def test_the_same_seed_builds_the_same_model(train: Train, tmp_path: Path) -> None:
    """Two runs of one genome with one seed begin with the same weights."""
    text = MODEL.replace("    for inputs, targets in run.batches(1):\n        model(inputs)\n", "    pass\n")
    train(text)
    first = (tmp_path / "weights.safetensors").read_bytes()
    torch.rand(5)
    train(text)
    assert (tmp_path / "weights.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (
            "torch.zeros(2, 3, 6)",
            r"the model answered \(2, 3, 6\) to tokens \(2, 3\); it must answer logits \(2, 3, 5\)",
        ),
        ("torch.zeros(2, 3, 5, dtype=torch.int64)", "must be floating point"),
        ("'logits'", "answered str"),
    ],
)
def test_a_model_must_answer_logits(output: str, says: str) -> None:
    """An answer of another shape or type is refused, and said in words."""
    tokens, logits = torch.zeros(2, 3, dtype=torch.int64).numpy(), torch.zeros(2, 3, 5).numpy()
    with pytest.raises(GenomeError, match=says):
        model_host.answer(lambda _tokens: eval(output), tokens, logits, CPU)  # type: ignore[arg-type]  # noqa: S307 - ours


def test_weights_must_be_there_and_fit(tmp_path: Path) -> None:
    """No weights, or those of another model, are the genome's failure, not the scorer's."""
    genome, weights = tmp_path / "train.py", tmp_path / "weights.safetensors"
    genome.write_text(MODEL)
    sha256 = sha256_of(genome.read_bytes())
    with pytest.raises(GenomeError, match="no weights were saved"):
        model_host.load(genome, sha256, weights, ModelSpec(8, 4), CPU)
    save_file({"0.weight": torch.zeros(8, 4)}, weights)
    with pytest.raises(RuntimeError, match=r"1\.weight"):
        model_host.load(genome, sha256, weights, ModelSpec(8, 4), CPU)


def test_a_genome_that_changed_is_refused(tmp_path: Path) -> None:
    """A file whose bytes are not those that were hashed at the start is not run."""
    genome = tmp_path / "train.py"
    genome.write_text("raise SystemExit\n")
    with pytest.raises(GenomeError, match="changed while it ran"):
        load_genome(genome, sha256_of(b"another"), ())


class BrokenError(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\nx = = 2\n", "SyntaxError: invalid syntax (train.py, line 2)"),
        ("import json\n\njson.loads('{')\n", "(train.py, line 3)"),
        ("raise KeyError('a\\nb\\x1b[2Jc')", "KeyError: 'a\\nb\\x1b[2Jc' (train.py, line 1)"),
        ("raise ValueError('x' * 500)", "… (train.py, line 1)"),
    ],
)
def test_a_crash_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    """A failure is told in one short line that ends with the genome's own line."""
    genome = tmp_path / "train.py"
    genome.write_text(text)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any will do
        load_genome(genome, sha256_of(text.encode()), ())
    told = crash_line(caught.value, genome)
    assert told.endswith(line)
    assert len(told) <= 200
    assert told.isprintable()


def test_an_exception_that_cannot_be_printed_is_told_all_the_same() -> None:
    """A class of the genome's own may be broken, too."""
    assert crash_line(BrokenError(), Path("train.py")) == "BrokenError: (it cannot be printed)"
