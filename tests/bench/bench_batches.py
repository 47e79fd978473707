"""How fast batches are made: packed from token files, against the ecosystem's way in the same process.

The reference tokenises documents as they are needed, 128 at a time with the same encoding, and scans the whole
buffer for every piece of a row. Both give the same batches, which is checked before anything is timed. Rounds
alternate, so that a machine that slows down slows both; the medians are compared.
"""

import tempfile
import time
from collections import deque
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import torch

from harness.batches import training_batches
from harness.corpus import Corpus, prepare
from harness.settings import EMBEDDED, PACKING_BUFFER
from harness.shards import read_texts

# T, B, and how many times faster than the reference we want to be.
SHAPES = ((256, 16, 40.0), (2048, 8, 30.0))

# Documents that the reference tokenises at a time, as in the ecosystem's loader.
TOKENISED_TOGETHER = 128

ROUNDS = 5

Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]


def reference_batches(corpus: Corpus, texts: list[str], rows: int, sequence_len: int) -> Batches:
    """Batches by tokenising on the fly and scanning the buffer, each (rows, sequence_len) int64."""
    encoding = corpus.encoding()
    endless = cycle(texts)
    tokenised: deque[list[int]] = deque()
    buffer: list[list[int]] = []
    while True:
        block = torch.empty((rows, sequence_len + 1), dtype=torch.int64)
        for row in range(rows):
            at = 0
            while at <= sequence_len:
                while len(buffer) < PACKING_BUFFER:
                    if not tokenised:
                        together = list(islice(endless, TOKENISED_TOGETHER))
                        encoded = encoding.encode_ordinary_batch(together, num_threads=8)
                        tokenised.extend([corpus.bos, *ids] for ids in encoded)
                    buffer.append(tokenised.popleft())
                left = sequence_len + 1 - at
                best, best_len = -1, 0
                for i, document in enumerate(buffer):
                    length = len(document)
                    if best_len < length <= left:
                        best, best_len = i, length
                if best < 0:
                    best = min(range(len(buffer)), key=lambda i: len(buffer[i]))
                piece = buffer.pop(best)[:left]
                block[row, at : at + len(piece)] = torch.tensor(piece)
                at += len(piece)
        yield block[:, :-1].contiguous(), block[:, 1:].contiguous()


def megatokens_per_second(batches: Batches, count: int, tokens: int) -> float:
    """Speed of drawing `count` batches of `tokens` tokens each, in millions of tokens a second."""
    start = time.perf_counter()
    deque(islice(batches, count), maxlen=0)
    return count * tokens / (time.perf_counter() - start) / 1e6


def figures() -> list[dict[str, Any]]:
    """One figure a shape: `value` and `reference` in millions of tokens a second."""
    with tempfile.TemporaryDirectory(prefix="bench-batches-") as scratch:
        corpus = prepare(Path(scratch) / "corpus", EMBEDDED, lambda _line: None)
        texts = list(read_texts(sorted(corpus.path.glob("shard_*.parquet"))[:-1]))
        return [_figure(corpus, texts, *shape) for shape in SHAPES]


def _figure(corpus: Corpus, texts: list[str], length: int, rows: int, goal: float) -> dict[str, Any]:
    ours = training_batches(corpus, rows, length, "cpu")
    reference = reference_batches(corpus, texts, rows, length)
    for ours_now, reference_now in islice(zip(ours, reference, strict=True), 8):
        if not all(map(torch.equal, ours_now, reference_now)):
            raise AssertionError("the two loaders differ: their speeds do not compare")
    tokens = rows * length
    ours_speeds, reference_speeds = [], []
    for _ in range(ROUNDS):
        reference_speeds.append(megatokens_per_second(reference, 300_000 // tokens, tokens))
        ours_speeds.append(megatokens_per_second(ours, 6_000_000 // tokens, tokens))
    value, slow = median(ours_speeds), median(reference_speeds)
    return {
        "name": f"batches T={length} B={rows}",
        "value": round(value, 2),
        "unit": "Mtok/s",
        "reference": round(slow, 3),
        "ratio": round(value / slow, 1),
        "goal": f">= {goal:g}",
        "met": value / slow >= goal,
    }
