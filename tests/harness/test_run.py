"""A run that goes well, from the request to the score: real processes, a tiny genome, a fraction of a second."""

import argparse
import inspect
import json
import math
import subprocess
import typing
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from harness.batches import validation_rows
from harness.corpus import Corpus, prepare
from harness.genome_file import sha256_of
from harness.machine_report import MachineReport
from harness.result import WEIGHTS_FILE, Outcome, RunProgress, RunRequest, RunResult
from harness.run_environment import run_environment
from harness.run_log import LIMIT
from harness.runner import run
from harness.sandbox import Enforced, probe
from harness.settings import EMBEDDED
from harness.stdlib_text import Texts

GENOME = """
import json, os, pathlib, sys
import torch

def build_model(spec):
    model = torch.nn.Sequential(torch.nn.Embedding(spec.vocab_size, 16), torch.nn.Linear(16, spec.vocab_size))
    model.sizes = (spec.vocab_size, spec.sequence_len)
    return model

def train(model, run):
    print("the first line")
    pathlib.Path("seen.json").write_text(json.dumps({"environ": dict(os.environ), "argv": sys.argv, "path": sys.path}))
    inputs_seen = 0
    for inputs, targets in run.batches(2):
        loss = torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.5 * p.grad
        model.zero_grad()
        inputs_seen += inputs.numel()
    assert inputs_seen == run.tokens and run.progress == 1.0
    assert list(run.batches(2)) == []  # a second helping is the same budget, which is spent
    sys.stdout.write("x" * (6 << 20))
    print()
    print("---")
    print("val_bpb:          0.000001")
    os.write(1, b'{"kind": "score", "val_bpb": 0.000001}\\n')
    print("the last line")
"""


def small_text() -> Texts:
    """Enough text for the tokenizer and the scored rows, made in a moment."""
    paragraphs = [part for module in (argparse, subprocess, typing) for part in inspect.getsource(module).split("\n\n")]
    return Texts(train=paragraphs, val=paragraphs)


@dataclass(frozen=True)
class Done:
    request: RunRequest
    result: RunResult
    records: list[RunProgress]
    corpus: Corpus

    @property
    def scratch(self) -> Path:
        return Path(self.request.scratch)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One run, whose traces the tests below read."""
    folder = tmp_path_factory.mktemp("run")
    corpus = prepare(folder / "corpus", EMBEDDED, lambda _line: None, source=small_text)
    (folder / "scratch").mkdir()
    genome = folder / "copy" / "train.py"
    genome.parent.mkdir()
    genome.write_text(GENOME)
    request = RunRequest(
        run_id="run-of-the-test",
        commit="c0ffee",
        genome=str(genome),
        scratch=str(folder / "scratch"),
        corpus=str(corpus.path),
        preset=EMBEDDED.name,
        budget_s=0.3,
        seed=7,
        device="cpu",
    )
    records: list[RunProgress] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "a secret")
        result = run(request, records.append)
    return Done(request, result, records, corpus)


def test_a_good_run_has_a_number(done: Done) -> None:
    """The record says what ran, on what, for how long, and what came of it."""
    result = done.result
    assert (result.outcome, result.reason) == (Outcome.OK, "")
    assert (result.run_id, result.commit, result.seed) == ("run-of-the-test", "c0ffee", 7)
    assert result.genome_sha256 == sha256_of(Path(done.request.genome).read_bytes())
    assert (result.corpus, result.preset) == (done.corpus.id, "embedded")
    assert 0.3 <= result.training_s < result.total_s
    assert result.steps > 0
    assert result.tokens == result.steps * 2 * EMBEDDED.sequence_len
    assert result.params == 1024 * 16 + 16 * 1024 + 1024
    assert result.clock == "cpu"
    assert result.device.startswith("cpu: ")
    assert 0.05 < result.memory_gb < 4
    offered = probe()
    assert isinstance(offered, Enforced)
    assert result.sandbox == offered.describe()
    assert result.versions["torch"] == torch.__version__
    assert (result.settings, result.budget_s) == (asdict(EMBEDDED), 0.3)
    assert result.genome_lines == sum(1 for line in GENOME.splitlines() if line)
    assert MachineReport.from_dict(result.machine).samples > 0
    assert RunResult.from_json(result.to_json()) == result


def test_the_score_is_the_cross_entropy_of_the_saved_weights(done: Done) -> None:
    """val_bpb is nats over ln 2 times bytes, over all validation targets but special tokens; what is printed is not."""
    weights = load_file(done.scratch / WEIGHTS_FILE)
    rows = torch.from_numpy(validation_rows(done.corpus, EMBEDDED.eval_tokens // 256, 256).astype("int64"))
    logits = weights["0.weight"][rows[:, :-1]] @ weights["1.weight"].T + weights["1.bias"]
    nats = -torch.log_softmax(logits, -1).gather(-1, rows[:, 1:, None]).squeeze(-1).double()
    sizes = torch.from_numpy(done.corpus.token_bytes.astype("int64"))[rows[:, 1:]]
    expected = float(nats[sizes > 0].sum() / (math.log(2) * sizes.sum()))
    assert done.result.val_bpb == pytest.approx(expected, rel=1e-6)


def test_saved_weights_score_the_same_again(done: Done, tmp_path: Path) -> None:
    """A run that is given the weights that another left trains nothing, and gives its number to the last digit."""
    (tmp_path / "scratch").mkdir()
    weights = str(done.scratch / WEIGHTS_FILE)
    request = RunRequest(**{**vars(done.request), "scratch": str(tmp_path / "scratch"), "weights": weights})
    again = run(request, lambda _record: None)
    assert (again.outcome, again.val_bpb) == (Outcome.OK, done.result.val_bpb)


def test_progress_goes_through_the_phases(done: Done) -> None:
    """Starting, training, evaluating, in that order; the clock never goes back; every record names the run."""
    phases = [record.phase for record in done.records]
    assert sorted(set(phases), key=phases.index) == ["starting", "training", "evaluating"]
    assert sorted(phases, key=["starting", "training", "evaluating"].index) == phases
    assert [r.spent_s for r in done.records] == sorted(r.spent_s for r in done.records)
    assert {(r.run_id, r.budget_s) for r in done.records} == {("run-of-the-test", 0.3)}


def test_no_secret_reaches_the_genome(done: Done) -> None:
    """The genome's environment is the named variables and no other; home and temporary files are the scratch."""
    seen = json.loads((done.scratch / "seen.json").read_text())
    scratch = str(done.scratch)
    assert seen["environ"].keys() <= {*run_environment({}, "", ""), "PATH", "LANG", "LC_CTYPE", "CUDA_VISIBLE_DEVICES"}
    assert seen["environ"]["HOME"] == seen["environ"]["TMPDIR"] == scratch
    assert seen["environ"]["AUTORESEARCH_RUN_ID"] == "run-of-the-test"
    assert "a secret" not in json.dumps(seen)


def test_no_file_near_the_genome_can_stand_in_for_ours(done: Done) -> None:
    """Neither the genome's folder nor the working directory is on the path, and nothing is written beside it."""
    seen = json.loads((done.scratch / "seen.json").read_text())
    folder = Path(done.request.genome).parent
    assert not {"", ".", str(done.scratch), str(folder)} & set(seen["path"])
    assert [p.name for p in folder.iterdir()] == ["train.py"]


def test_the_log_is_bounded(done: Done) -> None:
    """Of six mebibytes printed, the beginning and the end are kept, and how much is missing is said."""
    log = Path(done.result.log)
    assert log == done.scratch.parent / "run.log"
    content = log.read_bytes()
    assert len(content) < LIMIT + 100
    assert content.startswith(b"the first line\n")
    assert content.endswith(b"the last line\n")
    assert b"bytes left out ...]" in content


def test_a_run_leaves_no_process(done: Done) -> None:
    """When the result is there, every process of the run has ended and been reaped."""
    assert done.result.outcome == Outcome.OK
    assert psutil.Process().children(recursive=True) == []
