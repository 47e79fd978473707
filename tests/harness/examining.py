"""Examines genomes without training them: `python -m tests.harness.examining FOLDER` for each `FOLDER/*.py`.

Their weights are drawn at random and the text is a Markov chain's, so that an examination takes a moment. What comes
of each is written beside it, as JSON: its bits per byte or why it has none, and the same by the plain formula.
A process of its own does this, because it forks and pytest has threads.
"""

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_model

from harness.examination import Examination, RejectedError
from harness.genome_file import load_genome, sha256_of
from harness.hosts import start_hosts
from harness.logits_memory import ChunkShape
from harness.score import ScoreError
from harness.training import ModelSpec

Array = np.ndarray[Any, Any]

SHAPE = ChunkShape(rows=32, sequence_len=256, vocab_size=64)
ROWS = 512
TOKEN_BYTES = np.array([0, *[1 + i % 5 for i in range(SHAPE.vocab_size - 1)]], np.int32)  # the first is special


def text(rows: int = ROWS, seed: int = 1) -> Array:
    """Rows (N, T + 1) of a Markov chain in which few tokens follow each; the vocabulary's last never does."""
    rng = np.random.default_rng(seed)
    followers = rng.integers(0, SHAPE.vocab_size - 1, (SHAPE.vocab_size, 64))
    followers[:, :48] = followers[:, :3].repeat(16, axis=1)
    out = np.zeros((rows, SHAPE.sequence_len + 1), np.uint16)
    for at in range(1, out.shape[1]):
        out[:, at] = followers[out[:, at - 1], rng.integers(0, 64, rows)]
    return out


def random_model(genome: Path, sha256: str) -> torch.nn.Module:
    """The genome's model with weights that let everything reach the logits."""
    torch.manual_seed(5)
    model = load_genome(genome, sha256, ("build_model",)).build_model(ModelSpec(SHAPE.vocab_size, SHAPE.sequence_len))
    assert isinstance(model, torch.nn.Module)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    return model


def plain_bits_per_byte(model: torch.nn.Module, rows: Array) -> float:
    """The formula, row by row in this process."""
    tokens = torch.from_numpy(rows.astype(np.int64))
    nats, size = 0.0, 0
    with torch.no_grad():
        for row in tokens:
            log_p = torch.log_softmax(model.eval()(row[None, :-1])[0].double(), -1)
            for p, target in zip(log_p, row[1:].tolist(), strict=True):
                nats -= float(p[target]) * bool(TOKEN_BYTES[target])
                size += int(TOKEN_BYTES[target])
    return nats / math.log(2) / size


def examine(genome: Path, seed: int) -> dict[str, Any]:
    """What comes of one genome."""
    sha256 = sha256_of(genome.read_bytes())
    weights = genome.with_suffix(".safetensors")
    hosts = start_hosts(SHAPE)
    save_model(random_model(genome, sha256), str(weights))
    rows = text()
    message = {"genome": str(genome), "genome_sha256": sha256, "weights": str(weights), "device": "cpu", "seed": 3}
    for number, host in enumerate(hosts):
        host.load({**message, "answer_seed": number})
    try:
        for host in hosts:
            host.loaded()
        examination = Examination(rows, TOKEN_BYTES, np.random.default_rng(seed))
        found = {"bits_per_byte": examination.bits_per_byte(hosts, SHAPE.rows)}
    except (RejectedError, ScoreError) as error:
        return {"kind": type(error).__name__, "reason": str(error)}
    if genome.stem.startswith("plain"):
        found["plain"] = plain_bits_per_byte(random_model(genome, sha256), rows)
    return {"kind": "score", "reason": "", **found}


def main(folder: Path, seed: int) -> None:
    """Examine every genome of a folder, each in a process whose own children end with it."""
    torch.set_num_threads(1)
    for genome in sorted(folder.glob("*.py")):
        if os.fork() == 0:
            status = 1
            try:
                genome.with_suffix(".json").write_text(json.dumps(examine(genome, seed)))
                status = 0
            finally:
                os._exit(status)
        os.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
