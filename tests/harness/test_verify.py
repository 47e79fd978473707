"""`python -I -m harness verify`: a record, a genome and a corpus in, an exit status out."""

import argparse
import inspect
import json
import os
import subprocess
import typing
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness.__main__ import main
from harness.claim import ClaimError
from harness.corpus import prepare
from harness.result import Experiment, Replicate, RunRequest, RunResult
from harness.settings import EMBEDDED
from harness.single_run import run_alone
from harness.stdlib_text import Texts
from harness.verify import check_of, recorded_claim

GENOME = """
import torch

def build_model(spec):
    return torch.nn.Sequential(torch.nn.Embedding(spec.vocab_size, 4), torch.nn.Linear(4, spec.vocab_size))

def train(model, run):
    for inputs, targets in run.batches(1):
        model(inputs)
"""
BUDGET_S = 1.0


def small_text() -> Texts:
    """Enough text for the tokenizer and the scored rows, made in a moment."""
    paragraphs = [part for module in (argparse, subprocess, typing) for part in inspect.getsource(module).split("\n\n")]
    return Texts(train=paragraphs, val=paragraphs)


def experiment(result: RunResult) -> Experiment:
    return Experiment(
        number=7, commit="c" * 40, parent="", message="m", verdict="keep", reason="r", val_bpb=result.val_bpb,
        delta=None, best=None, submitted_at=0.0, started_at=0.0, ended_at=0.0, result=asdict(result),
        runs=[asdict(result)], sigma=0.05,
    )  # fmt: skip


class Place:
    """A genome that ran once, and its record."""

    def __init__(self, folder: Path) -> None:
        self.corpus = prepare(folder / "corpus", EMBEDDED, lambda _line: None, source=small_text).path
        self.genome = folder / "train.py"
        self.genome.write_text(GENOME)
        scratch = folder / "run" / "scratch"
        scratch.mkdir(parents=True)
        request = RunRequest(
            "first", "c" * 40, str(self.genome), str(scratch), str(self.corpus), "embedded", BUDGET_S, device="cpu"
        )
        reading, writing = os.pipe()  # it never becomes readable: nothing stops the run
        result = run_alone(request, lambda _progress: None, reading)
        os.close(reading)
        os.close(writing)
        self.result = replace(result, budget_s=BUDGET_S, settings=asdict(EMBEDDED))
        self.ledger = folder / "experiments.jsonl"

    def record(self, **changed: typing.Any) -> None:
        result = replace(self.result, **changed)
        self.ledger.write_text(experiment(result).to_json() + "\n")

    def verify(self, *more: str, genome: Path | None = None) -> int:
        return main(
            [
                *("verify", "--record", str(self.ledger), "--experiment", "7", "--genome", str(genome or self.genome)),
                *("--corpus", str(self.corpus), "--runs", "1", *more),
            ]
        )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def place(shared: Place) -> Iterator[Place]:
    shared.record()
    yield shared
    shared.ledger.with_name("replicates.jsonl").unlink(missing_ok=True)


@pytest.fixture
def known(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Further runs end as the first one did, at once."""

    def run(request: RunRequest, *_rest: object) -> RunResult:
        return replace(place.result, run_id=request.run_id, seed=request.seed)

    monkeypatch.setattr("harness.__main__.run_alone", run)
    return place


def test_a_true_number_holds(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A genome that runs again gets its number again; the exit status is 0, and the numbers are printed."""
    assert place.verify() == 0
    said = capsys.readouterr().out
    assert said.startswith("---\nexperiment:       7\ncommit:           ccccccc\nanswer:           holds\n")
    assert f"recorded:         {place.result.val_bpb:.6f} (1 run)" in said


def test_an_invented_number_does_not_hold(known: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A record that claims half the bits is found out; the exit status is 1."""
    assert known.result.val_bpb is not None
    known.record(val_bpb=known.result.val_bpb / 2)
    assert known.verify() == 1
    assert "answer:           does not hold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "more", "says"),
    [
        ({}, ["--experiment", "8"], "holds no experiment 8; it has 7 to 7"),
        ({}, ["--record", "/nowhere/experiments.jsonl"], "holds no experiment"),
        ({}, ["--corpus", "/nowhere"], "no corpus at /nowhere"),
        ({}, ["--genome", __file__], "the genome differs"),
        ({}, ["--budget", "2"], "the budget differs"),
        ({"corpus": "f" * 16}, [], "the corpus differs"),
        ({"versions": {"torch": "1.0"}}, [], "the torch version differs: 1.0 is recorded"),
        ({"preset": "huge"}, [], "preset 'huge'"),
        ({"budget_s": 0.0}, [], "give it with --budget"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_a_run(
    place: Place, changed: dict[str, typing.Any], more: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clear line and the exit status 2."""
    place.record(**changed)
    assert place.verify(*more) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert said.err.count("\n") == 1


def test_another_device_is_refused_unless_it_is_allowed(known: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A number from another processor is not comparable; with the flag it is compared, and the answer says so."""
    known.record(device="cpu: Another, 1 thread")
    assert known.verify() == 2
    assert "the device differs" in capsys.readouterr().out
    assert known.verify("--other-device") == 0
    assert "note:             recorded on cpu: Another, 1 thread, run again on cpu:" in capsys.readouterr().out


def test_replicates_use_seeds_up(place: Place) -> None:
    """A seed with which the commit has run to measure the noise is not used again; another commit's is none of ours."""
    replicates = place.ledger.with_name("replicates.jsonl")
    ones = [Replicate(7, commit, 0.0, {"seed": seed}) for commit, seed in (("c" * 40, 4), ("d" * 40, 9))]
    replicates.write_text("".join(one.to_json() + "\n" for one in ones) + "torn\n")
    assert recorded_claim(place.ledger, 7, 2.0).seeds == {0, 4}


def test_the_run_is_asked_for_as_recorded(place: Place, tmp_path: Path) -> None:
    """Preset, budget and the kind of device come from the record."""
    check = check_of(recorded_claim(place.ledger, 7, 2.0), place.genome, place.corpus)
    request = check.request("r", tmp_path, 5)
    assert (request.preset, request.budget_s, request.device, request.seed) == ("embedded", BUDGET_S, "cpu", 5)
    assert json.loads(request.to_json())["commit"] == "c" * 40


def test_a_ledger_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A folder is no ledger."""
    with pytest.raises(ClaimError, match="cannot be read"):
        recorded_claim(tmp_path, 0, 2.0)
