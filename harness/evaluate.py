"""The scorer: it holds the validation targets, asks the model's process for logits, and computes bits per byte itself.

Started as `python -I -m harness.evaluate READ_FD WRITE_FD`, before it is needed, so that its imports are done by then.
It is harness code alone and runs no genome. It does not check that a logit is independent of later tokens.
"""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness import model_host
from harness.batches import validation_rows
from harness.corpus import Corpus, CorpusError, open_corpus
from harness.logits_memory import ChunkShape, chunk_shape, create, view
from harness.pipes import Channel
from harness.process_tree import die_with_parent
from harness.settings import Preset

Array = np.ndarray[Any, Any]


class ScoreError(Exception):
    """The model gave no usable logits; the text says why."""


def nats_and_bytes(logits: torch.Tensor, targets: torch.Tensor, token_bytes: torch.Tensor) -> tuple[float, int]:
    """Cross-entropy summed over the targets that have bytes, and those bytes.

    Args:
        logits: float32 (N, T, V).
        targets: int64 (N, T).
        token_bytes: int64 (V,), 0 for special tokens, which are left out of both sums.

    Raises:
        ScoreError: a loss is NaN or infinite.
    """
    flat = targets.reshape(-1)
    sizes = token_bytes[flat]
    losses = torch.nn.functional.cross_entropy(logits.reshape(len(flat), -1), flat, reduction="none").double()
    losses = losses[sizes > 0]
    if not bool(torch.isfinite(losses).all()):
        raise ScoreError(f"{int((~torch.isfinite(losses)).sum())} of {len(losses)} losses in a batch are not finite")
    return float(losses.sum()), int(sizes.sum())


def bits_per_byte(rows: Array, token_bytes: Array, ask: Callable[[Array], torch.Tensor], rows_at_once: int) -> float:
    """Bits per byte of the targets of `rows` (N, T + 1), asking for the logits of a few rows at a time.

    Raises:
        ScoreError: as `nats_and_bytes`, and what `ask` raises.
    """
    sizes = torch.from_numpy(token_bytes.astype(np.int64))
    nats, size = 0.0, 0
    for start in range(0, len(rows), rows_at_once):
        chunk = rows[start : start + rows_at_once].astype(np.int64)
        chunk_nats, chunk_bytes = nats_and_bytes(ask(chunk[:, :-1]), torch.from_numpy(chunk[:, 1:]), sizes)
        nats += chunk_nats
        size += chunk_bytes
    if size == 0:
        raise ScoreError("no validation target has bytes")
    return nats / (math.log(2) * size)


class Host:
    """The model's process, as the scorer sees it."""

    def __init__(self, channel: Channel, memory_fd: int, shape: ChunkShape) -> None:
        self._channel = channel
        self._shape = shape
        self._tokens, self._logits = view(memory_fd, shape)

    def load(self, message: dict[str, Any]) -> int:
        """Have it load a model; returns the number of its parameters."""
        params = self._expect("loaded", {**message, "shape": asdict(self._shape)}).get("params")
        return params if isinstance(params, int) else 0

    def ask(self, tokens: Array) -> torch.Tensor:
        """Logits (N, T, V) of `tokens` (N, T): a copy, which its process can no longer change."""
        self._tokens[: len(tokens)] = tokens
        self._expect("answered", {"rows": len(tokens)})
        return torch.from_numpy(self._logits[: len(tokens)]).clone()

    def _expect(self, kind: str, message: dict[str, Any]) -> dict[str, Any]:
        try:
            self._channel.send(**message)
            reply = self._channel.receive()
        except OSError:
            reply = None
        if reply is None:
            raise ScoreError("the model's process ended while it was asked for logits")
        if reply.get("kind") != kind:
            raise ScoreError(f"in evaluation: {reply.get('reason', 'the model process answered nonsense')}")
        return reply


def start_host(shape: ChunkShape) -> Host:
    """Fork the model's process. It must be done while this process holds no secret: no target, no validation file."""
    memory = create(shape)
    host_read, write = os.pipe()
    read, host_write = os.pipe()
    if os.fork() == 0:
        model_host.run(host_read, host_write, memory)
    os.close(host_read)
    os.close(host_write)
    return Host(Channel(read, write), memory, shape)


def open_validation(path: Path, preset: Preset) -> tuple[Corpus, Array]:
    """The corpus and the rows to score, (N, T + 1).

    Raises:
        CorpusError: it is broken, or was prepared with another preset.
    """
    corpus = open_corpus(path, splits=("val",))
    if (corpus.preset, corpus.vocab_size) != (preset.name, preset.vocab_size):
        raise CorpusError(f"{path} was prepared for another preset than {preset.name!r}; prepare it anew")
    return corpus, validation_rows(corpus, preset.eval_tokens // preset.sequence_len, preset.sequence_len)


def main(arguments: list[str]) -> None:
    """Prepare, say so, wait for a model to score, score it, end."""
    die_with_parent()
    torch.set_num_threads(1)  # see harness.run_environment; the model's process inherits it
    runner = Channel(*map(int, arguments))
    message = runner.receive()
    if message is None:
        return
    preset = Preset(**message["preset"])
    shape = chunk_shape(preset)
    host = start_host(shape)
    try:
        corpus, rows = open_validation(Path(message["corpus"]), preset)
    except CorpusError as error:
        runner.send(kind="fault", reason=str(error))
        return
    runner.send(kind="ready", corpus=corpus.id)
    message = runner.receive()
    if message is None:
        return
    try:
        params = host.load(message)
        score = bits_per_byte(rows, corpus.token_bytes, host.ask, shape.rows)
    except ScoreError as error:
        runner.send(kind="crash", reason=str(error))
        return
    runner.send(kind="score", val_bpb=score, params=params)


if __name__ == "__main__":
    main(sys.argv[1:])
