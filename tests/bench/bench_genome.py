"""How good the template is at equal processor time: against itself without each feature, and against another design.

Everything is trained side by side in one process, a few steps each in turn, whoever has spent least first: a machine
that slows down slows all alike. What is compared are differences at the same seed, over a few seeds. Another design is
a file with the template's two functions, named by `BENCH_GENOME_REFERENCE`; its size, and that it is fair, are for
whoever names it. `BENCH_GENOME_SECONDS` and `BENCH_GENOME_SEEDS` say for how long and how often. No GPU is used.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import mean, stdev
from types import ModuleType
from typing import Any

import torch

from harness.batches import training_batches, validation_rows
from harness.clock import Budget
from harness.corpus import Corpus, prepare
from harness.run_environment import run_environment
from harness.settings import EMBEDDED
from harness.training import Batch, ModelSpec, TrainingRun
from tests.bench.bench_probes import GENOME, in_process

SECONDS = float(os.environ.get("BENCH_GENOME_SECONDS", "8"))
SEEDS = int(os.environ.get("BENCH_GENOME_SEEDS", "3"))
REFERENCE = os.environ.get("BENCH_GENOME_REFERENCE", "")

SLICE = 8  # steps in a row, so that changing places costs little
OURS = "ours"
SPEC = ModelSpec(EMBEDDED.vocab_size, EMBEDDED.sequence_len)

# A feature off, or one that is off by default on: what is put in the place of what.
CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "without rotary positions": (("norm(rotate(one, cos, sin))", "norm(one)"),),
    "without QK-norm": (("norm(rotate(one, cos, sin))", "rotate(one, cos, sin)"),),
    "with GELU, not ReLU^2": (("F.relu(self.up(x)).square()", "F.gelu(self.up(x))"),),
    "without value embeddings": (("\nVALUE_EVERY = 2 ", "\nVALUE_EVERY = 0 "),),
    "without weight decay": (("\nWEIGHT_DECAY = 0.2 ", "\nWEIGHT_DECAY = 0.0 "),),
    "with AdamW, not Muon": (
        ("muon = Muon(model.blocks.parameters())", "blocks = [AdamW(p) for p in model.blocks.parameters()]"),
        ("muon.step(MATRIX_LR * scale)", "[one.step(MATRIX_LR / 4 * scale) for one in blocks]"),
    ),
    "with a short window": (('\nWINDOWS = "L" ', '\nWINDOWS = "S" '),),
    "with a softcap": (("\nSOFTCAP = 0.0 ", "\nSOFTCAP = 15.0 "),),
}


def changed(source: str, change: tuple[tuple[str, str], ...]) -> str:
    """The template with a change in it, which must be there to be made."""
    for old, new in change:
        if source.count(old) != 1:
            raise AssertionError(f"the template has {old!r} {source.count(old)} times")
        source = source.replace(old, new)
    return source


class Racer:
    """A design that trains in a thread of its own, when it is its turn."""

    def __init__(self, name: str, source: str, corpus: Corpus, seed: int) -> None:
        module = ModuleType(name)
        sys.modules[name] = module  # dataclasses look there
        exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102 - the template, or what a person named
        torch.manual_seed(seed)
        self.model: torch.nn.Module = module.build_model(SPEC)
        self.finished = False
        self._failed: Exception | None = None
        self._budget: Budget | None = None
        self._module, self._corpus, self._seed = module, corpus, seed
        self._go, self._rest = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._train, daemon=True)
        self._thread.start()

    @property
    def spent(self) -> float:
        return self._budget.spent if self._budget else 0.0

    def take_turn(self) -> None:
        """Let it train for a slice; returns when it rests."""
        self._go.release()
        self._rest.acquire()
        if self._failed is not None:
            raise self._failed

    def _batches(self, rows: int) -> Iterator[Batch]:
        for step, batch in enumerate(training_batches(self._corpus, rows, SPEC.sequence_len, "cpu")):
            if step % SLICE == 0:
                self._rest.release()
                self._go.acquire()
            yield batch

    def _train(self) -> None:
        self._go.acquire()
        now = time.thread_time  # of this thread, which computes alone
        self._budget = Budget(SECONDS, EMBEDDED, began=now())
        run = TrainingRun(
            SPEC,
            torch.device("cpu"),
            self._seed,
            self._budget,
            now=now,
            open_batches=self._batches,
            report=lambda _spent, _steps: None,
        )
        try:
            self._module.train(self.model, run)
        except Exception as error:  # noqa: BLE001 - raised again where its turn was given
            self._failed = error
        finally:
            self.finished = True
            self._rest.release()


def race(sources: Mapping[str, str], corpus: Corpus, seed: int) -> dict[str, float]:
    """Bits per byte of each design after the same seconds."""
    racers = {name: Racer(name, source, corpus, seed) for name, source in sources.items()}
    while running := [one for one in racers.values() if not one.finished]:
        min(running, key=lambda one: one.spent).take_turn()
    rows = validation_rows(corpus, EMBEDDED.eval_tokens // 4 // SPEC.sequence_len, SPEC.sequence_len)
    return {
        name: in_process(one.model.eval(), rows, corpus.token_bytes, EMBEDDED.eval_rows) for name, one in racers.items()
    }


def measure(folder: Path) -> dict[str, list[float]]:
    """Bits per byte of each design, by seed."""
    torch.set_num_threads(1)
    corpus = prepare(folder / "corpus", EMBEDDED, lambda _line: None)
    template = GENOME.read_text(encoding="utf-8")
    sources = {OURS: template, **{name: changed(template, change) for name, change in CHANGES.items()}}
    if REFERENCE:
        sources["the other design"] = Path(REFERENCE).read_text(encoding="utf-8")
    races = [race(sources, corpus, seed) for seed in range(SEEDS)]
    return {name: [one[name] for one in races] for name in sources}


def figures() -> list[dict[str, Any]]:
    """One figure a design: `value` is its mean, `reference` the template's, both in bits per byte."""
    if not REFERENCE:
        print("  no other design: name a file in BENCH_GENOME_REFERENCE", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="bench-genome-") as scratch:
        command = [sys.executable, "-m", "tests.bench.bench_genome", scratch]
        named = {name: value for name, value in os.environ.items() if name.startswith("BENCH_GENOME_")}
        environment = {**run_environment(os.environ, "bench", scratch), **named}
        output = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True).stdout
    found = json.loads(output)
    return [_figure(name, numbers, found[OURS]) for name, numbers in found.items() if name != OURS]


def _figure(name: str, numbers: list[float], ours: list[float]) -> dict[str, Any]:
    """A design is met when it is not better than the template by two standard errors of the difference and more."""
    differences = [one - other for one, other in zip(numbers, ours, strict=True)]
    error = stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    return {
        "name": f"template {name}, {SECONDS:g} s" if name in CHANGES else f"{name}, {SECONDS:g} s",
        "value": round(mean(numbers), 4),
        "unit": "bits/byte",
        "reference": round(mean(ours), 4),
        "ratio": round(mean(numbers) / mean(ours), 4),
        "goal": f">= 1 - {2 * error / mean(ours):.4f}",
        "met": mean(differences) >= -2 * error,
    }


if __name__ == "__main__":
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):  # the designs' own lines
        measured = measure(Path(sys.argv[1]))
    print(json.dumps(measured))
