"""Genomes whose logits depend on what they must not, each rejected for the right reason; and honest ones, which pass.

All are built by hand and have random weights: a leak shows whether or not it was learned.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.corpus import prepare
from harness.examination import LATER_TOKENS, OTHER_ROWS, UNSTEADY
from harness.result import Outcome, RunRequest
from harness.runner import run
from harness.settings import EMBEDDED
from harness.stdlib_text import Texts
from harness.verdict import Judgement, Rival, Verdict, judge

ROOT = Path(__file__).resolve().parents[2]

# A causal model: a token and the mean of those before it. `lift` raises the next token's logit where it is told to.
HONEST = """
import torch
import torch.nn.functional as F
from torch import nn

class Model(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.embed = nn.Embedding(spec.vocab_size, 16)
        self.head = nn.Linear(16, spec.vocab_size)
        self.calls, self.seen = 0, {}

    def hidden(self, tokens):
        x = self.embed(tokens)
        return x + x.cumsum(1) / torch.arange(1, x.size(1) + 1)[:, None]

    def honest(self, tokens):
        return self.head(self.hidden(tokens))

    def lift(self, tokens, where=True, by=4.0):
        later = F.one_hot(F.pad(tokens[:, 1:], (0, 1)), self.head.out_features)
        later[:, -1] = 0
        return self.honest(tokens) + by * later * torch.as_tensor(where).expand(tokens.shape)[..., None]

    def next_is_likely(self, tokens):
        p = self.honest(tokens).softmax(-1)
        return F.pad(p[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0], (0, 1)) > 1 / 64

    def forward(self, tokens):
        self.calls += 1
        return self.answer(tokens)

def build_model(spec):
    return Model(spec)
"""

# The body of `answer(self, tokens)`, which returns logits.
LATER = {
    "shift": "return self.lift(tokens)",
    "full attention": """
        x = self.hidden(tokens)
        return self.head(F.scaled_dot_product_attention(x, x, x))""",
    "fft over time": """
        x = self.hidden(tokens)
        return self.head(x + torch.fft.fft(x, dim=1).real / 16)""",
    "block mean of 16": """
        x = self.hidden(tokens)
        return self.head(x + x.unflatten(1, (-1, 16)).mean(2).repeat_interleave(16, 1))""",
    "block mean of 64": """
        x = self.hidden(tokens)
        return self.head(x + x.unflatten(1, (-1, 64)).mean(2).repeat_interleave(64, 1))""",
    "beyond position 128": "return self.lift(tokens, torch.arange(tokens.size(1)) >= 128)",
    "in a tenth of the rows": "return self.lift(tokens, tokens[:, 1:9].sum(1, keepdim=True) % 10 == 0)",
    "gated by a prefix of 8": "return self.lift(tokens, F.pad(tokens, (7, 0)).unfold(1, 8, 1).sum(-1) % 10 == 0)",
    "where the next is surprising": "return self.lift(tokens, ~self.next_is_likely(tokens))",
    "where the next is expected": "return self.lift(tokens, self.next_is_likely(tokens))",
    "in rows that look natural": "return self.lift(tokens, self.next_is_likely(tokens).sum(1, keepdim=True) > 92)",
    "from the third call on": "return self.lift(tokens, self.calls > 2)",
    "in the last call": "return self.lift(tokens, self.calls == 9)",
    "in one process alone": """
        return self.lift(tokens, torch.initial_seed() % 2 == 0)""",
    "nudge of 0.0005": "return self.lift(tokens, by=0.0005)",
    "nudge of 0.0001": "return self.lift(tokens, by=0.0001)",
    "replay of a known beginning": """
        logits = self.lift(tokens)
        for i, row in enumerate(tokens):
            for length in range(8, 257, 8):
                known = self.seen.setdefault(tuple(row[:length].tolist()), logits[i, length - 8 : length])
                logits[i, length - 8 : length] = known
        return logits""",
}
ROWS = {
    "mean of the batch": """
        x = self.hidden(tokens)
        return self.head(x + x.mean(0))""",
    "row above": """
        x = self.hidden(tokens)
        return self.head(x + x.roll(1, 0))""",
    "row above, late": """
        x = self.hidden(tokens)
        x[:, 200:] += x[:, 200:].roll(1, 0)
        return self.head(x)""",
}
RANDOM = {
    "dropout in evaluation": "return F.dropout(self.honest(tokens), 0.1, training=True)",
    "one call of one process": """
        odd = self.calls == 4 and torch.initial_seed() == 0  # the first process is asked with that seed here
        return self.honest(tokens) + odd * torch.randn(tokens.shape)[..., None]""",
    "running mean over calls": """
        x = self.hidden(tokens)
        self.mean = x[:, -1].mean(0) + getattr(self, "mean", 0.0)
        return self.head(x + self.mean)""",
    "first batch": """
        x = self.hidden(tokens)
        self.first = getattr(self, "first", x)
        return self.head(x + self.first[0, -1])""",
    "counts what it was asked": """
        self.counts = getattr(self, "counts", 0) + torch.bincount(tokens.flatten(), minlength=64)
        return self.honest(tokens) + self.counts.log1p()""",
}
HONESTLY = {
    "plain": "return self.honest(tokens)",
    "causal fft convolution": """
        x = self.hidden(tokens)
        kernel = torch.exp(-torch.arange(256) / 40)[:, None]
        mixed = torch.fft.irfft(torch.fft.rfft(x, 512, dim=1) * torch.fft.rfft(kernel, 512, dim=0), dim=1)
        return self.head(x + mixed[:, :256])""",
    "bfloat16": """
        with torch.autocast("cpu", torch.bfloat16):
            x = self.hidden(tokens).bfloat16()[:, None]
            x = F.scaled_dot_product_attention(x, x, x, is_causal=True)[:, 0]
            return self.head(x)""",
    # The other process's answers would be a way to talk.
    "one memory, two pipes": """
        assert sum("memfd" in line for line in open("/proc/self/maps")) == 1
        import os
        assert len(os.listdir("/proc/self/fd")) == 3 + 2 + 2 + 1  # streams, pipes, memory and its mapping; this list
        return self.honest(tokens)""",
    "a token ruled out": """
        logits = self.honest(tokens)
        logits[..., 63] = float("-inf")
        return logits""",
}
BROKEN = {
    "no numbers": "return self.honest(tokens) + float('nan')",
    "no answer": "raise SystemExit('enough')",
}
CASES = {**LATER, **ROWS, **RANDOM, **HONESTLY, **BROKEN}


def with_answer(body: str) -> str:
    """A genome whose model answers so."""
    answer = f"\n    def answer(self, tokens):\n        {body.strip()}\n\n    def forward"
    return HONEST.replace("\n    def forward", answer)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came of each genome."""
    folder = tmp_path_factory.mktemp("genomes")
    for name, body in CASES.items():
        (folder / f"{name}.py").write_text(with_answer(body))
    (folder / "plain GPT.py").write_bytes((ROOT / "genome" / "train.py").read_bytes())
    command = [sys.executable, "-m", "tests.harness.examining", str(folder), "11"]
    log = folder / "log"
    with log.open("w") as stream:
        surroundings = {**os.environ, "TMPDIR": str(folder)}  # where the model's processes make their homes
        status = subprocess.run(
            command, cwd=ROOT, env=surroundings, stdout=stream, stderr=stream, check=False
        ).returncode
    assert status == 0, log.read_text()
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


@pytest.mark.parametrize("name", LATER)
def test_a_leak_of_later_tokens_is_rejected(found: dict[str, dict[str, Any]], name: str) -> None:
    """Whatever hides it, a model that looks ahead has no number, and is told what it did."""
    assert found[name]["kind"] == "RejectedError"
    # One that does it only now and then is caught at not answering alike.
    now_and_then = name in {"in the last call", "in one process alone"}
    assert found[name]["reason"].startswith(UNSTEADY if now_and_then else LATER_TOKENS)


@pytest.mark.parametrize("name", ROWS)
def test_a_model_that_reads_other_rows_is_rejected(found: dict[str, dict[str, Any]], name: str) -> None:
    """Logits that change with the rest of the batch are no logits of their row, and not called a look ahead."""
    assert found[name]["kind"] == "RejectedError"
    assert found[name]["reason"].startswith(OTHER_ROWS)


@pytest.mark.parametrize("name", RANDOM)
def test_a_model_that_is_not_a_function_is_rejected(found: dict[str, dict[str, Any]], name: str) -> None:
    """Chance, and memory of what was asked before, are named and not taken for a leak."""
    assert found[name]["kind"] == "RejectedError"
    assert found[name]["reason"].startswith(UNSTEADY)


@pytest.mark.parametrize("name", [*HONESTLY, "plain GPT"])
def test_an_honest_model_passes(found: dict[str, dict[str, Any]], name: str) -> None:
    """Rounding that differs with later tokens, low precision and infinite logits are no leaks."""
    assert (found[name]["kind"], found[name]["reason"]) == ("score", "")


@pytest.mark.parametrize("name", ["plain", "plain GPT"])
def test_the_score_is_the_plain_formula(found: dict[str, dict[str, Any]], name: str) -> None:
    """Whoever is asked what in which order, bits per byte agree with the formula to 1e-6."""
    assert found[name]["bits_per_byte"] == pytest.approx(found[name]["plain"], abs=1e-6)


def test_a_model_without_logits_is_no_leak(found: dict[str, dict[str, Any]]) -> None:
    """One that fails or answers no numbers has crashed: it is not rejected."""
    assert [found[name]["kind"] for name in BROKEN] == ["ScoreError", "ScoreError"]
    assert "losses in a batch are not finite" in found["no numbers"]["reason"]
    assert "SystemExit: enough" in found["no answer"]["reason"]


def test_a_rejected_run_has_no_number(tmp_path: Path) -> None:
    """A run whose model looks ahead ends as rejected, without a number, and the verdict says why."""
    paragraphs = (ROOT / "genome" / "train.py").read_text().split("\n\n") * 30
    texts = Texts(train=paragraphs + Path(json.decoder.__file__).read_text().split("\n\n"), val=paragraphs)
    corpus = prepare(tmp_path / "corpus", EMBEDDED, lambda _line: None, source=lambda: texts)
    (tmp_path / "scratch").mkdir()
    train = "\ndef train(model, run):\n    for inputs, targets in run.batches(1):\n        model(inputs)\n"
    genome = tmp_path / "train.py"
    genome.write_text(with_answer(LATER["shift"]) + train)
    result = run(
        RunRequest("r", "c", str(genome), str(tmp_path / "scratch"), str(corpus.path), "embedded", 0.2, device="cpu"),
        lambda _record: None,
    )
    assert (result.outcome, result.val_bpb) == (Outcome.REJECTED, None)
    assert result.reason.startswith(LATER_TOKENS)
    judgement = judge([result], Rival(1.5), None)
    assert isinstance(judgement, Judgement)
    assert judgement == judge([result], None, None)
    assert (judgement.verdict, judgement.reason) == (Verdict.REJECTED, result.reason)
