"""The scorer: it holds the validation targets, asks the model's processes for logits, computes bits per byte itself.

A process of its own, forked by the runner before it is needed. It is harness code alone and runs no genome. How a
model is examined is `harness.examination`.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from harness.batches import validation_rows
from harness.corpus import Corpus, CorpusError, open_corpus
from harness.effort import belated, slower_than_training
from harness.examination import Examination, RejectedError
from harness.hosts import start_hosts
from harness.inside import choose_device
from harness.logits_memory import chunk_shape
from harness.pipes import Channel
from harness.plausibility import compressed_bits_per_byte, too_good
from harness.sandbox import in_common
from harness.score import ScoreError
from harness.settings import Preset
from harness.tree_cpu import TreeCpu

Array = np.ndarray[Any, Any]

# Tokens whose text tells how well a compressor does.
_SAMPLE_TOKENS: Final = 1 << 18


def open_validation(path: Path, preset: Preset) -> tuple[Corpus, Array]:
    """The corpus and the rows to score, (N, T + 1).

    Raises:
        CorpusError: it is broken, or was prepared with another preset.
    """
    corpus = open_corpus(path, splits=("val",))
    if (corpus.preset, corpus.vocab_size) != (preset.name, preset.vocab_size):
        raise CorpusError(f"{path} was prepared for another preset than {preset.name!r}; prepare it anew")
    return corpus, validation_rows(corpus, preset.eval_tokens // preset.sequence_len, preset.sequence_len)


def scored_text(corpus: Corpus, rows: Array) -> bytes:
    """The text of the first rows, without special tokens."""
    tokens = {rank: token for token, rank in corpus.tokenizer.ranks.items()}
    return b"".join(tokens.get(token, b"") for token in rows.reshape(-1)[:_SAMPLE_TOKENS].tolist())


def time_of_each(device: torch.device) -> Callable[[], float]:
    """What each of the model's processes uses from now on, in seconds on the run's clock.

    CPU seconds are the mean of both, everything that they start included; on a GPU both take the same time of the wall.
    """
    if device.type == "cpu":
        both = TreeCpu(lambda: ())
        return lambda: both.seconds() / 2
    began = time.monotonic()
    return lambda: time.monotonic() - began


def main(read_fd: int, write_fd: int) -> None:
    """Prepare, say so, wait for a model to score, score it, end."""
    torch.set_num_threads(1)  # see harness.run_environment; the model's processes inherit it
    runner = Channel(read_fd, write_fd)
    message = runner.receive()
    if message is None:
        return
    preset = Preset(**message["preset"])
    shape = chunk_shape(preset)
    hosts = start_hosts(shape)
    try:
        corpus, rows = open_validation(Path(message["corpus"]), preset)
    except CorpusError as error:
        runner.send(kind="fault", reason=str(error))
        return
    runner.send(kind="ready", corpus=corpus.id)
    # While the genome trains. The generator is seeded by the system, after the fork: no process of the model knows it.
    compressed = compressed_bits_per_byte(scored_text(corpus, rows))
    rng = np.random.default_rng()
    examination = Examination(rows, corpus.token_bytes, rng)
    message = runner.receive()
    if message is None:
        return
    share, trained = message.pop("probe_share"), message.pop("trained")
    device = choose_device(message["device"])
    used_s = time_of_each(device)
    try:
        for host in hosts:
            host.load({**message, "answer_seed": int(rng.integers(2**31))}, device)
        params = [host.loaded() for host in hosts]
        score = examination.bits_per_byte(hosts, shape.rows, share, used_s)
    except ScoreError as error:
        runner.send(kind="crash", reason=str(error))
    except RejectedError as error:
        runner.send(kind="rejected", reason=str(error))
    else:
        if reason := belated(examination.effort, preset):
            runner.send(kind="rejected", reason=reason)
            return
        runner.send(
            kind="score",
            val_bpb=score,
            params=params[0],
            sandbox=in_common(host.enforced for host in hosts).to_json(),
            probes=examination.compared,
            compressed_bpb=compressed,
            alarm=too_good(score, compressed) or slower_than_training(examination.effort, *trained),
            evaluation_s=examination.effort.seconds,
        )
