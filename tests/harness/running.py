"""What tests of whole runs share: a small corpus, a small model, and a request."""

import argparse
import inspect
import subprocess
import typing
from pathlib import Path

import harness.child
import harness.evaluate  # noqa: F401 - runs are forked from here, and need not import them again
from harness.corpus import prepare
from harness.result import RunRequest
from harness.settings import EMBEDDED
from harness.stdlib_text import Texts

MODEL = """
import os, pathlib, signal, subprocess, sys, time
import torch

def build_model(spec):
    return torch.nn.Sequential(torch.nn.Embedding(spec.vocab_size, 4), torch.nn.Linear(4, spec.vocab_size))

def train(model, run):
    for inputs, targets in run.batches(1):
        model(inputs)
"""

# Uses so many CPU seconds, in a process whose end nobody waits for; or in this one.
BURN = """
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def burn_aside(seconds):
    if os.fork() == 0:
        burn(seconds)
        pathlib.Path("burnt").touch()
        os._exit(0)
    while not os.path.exists("burnt"):
        time.sleep(0.01)
"""


def small_text() -> Texts:
    """Enough text for the tokenizer and the scored rows, made in a moment."""
    paragraphs = [part for module in (argparse, subprocess, typing) for part in inspect.getsource(module).split("\n\n")]
    return Texts(train=paragraphs, val=paragraphs)


def small_corpus(folder: Path) -> Path:
    return prepare(folder / "corpus", EMBEDDED, lambda _line: None, source=small_text).path


def request_for(folder: Path, corpus: Path, text: str, budget_s: float = 0.2) -> RunRequest:
    """A request to run a genome's text."""
    (folder / "scratch").mkdir()
    genome = folder / "train.py"
    genome.write_text(text)
    return RunRequest(
        run_id=f"run-{folder.name}",
        commit="c0ffee",
        genome=str(genome),
        scratch=str(folder / "scratch"),
        corpus=str(corpus),
        preset=EMBEDDED.name,
        budget_s=budget_s,
        device="cpu",
    )
