"""Tokenised documents: one split of a corpus as a long array of tokens, and where each document begins in it.

Two plain little-endian files: `<split>.tokens` (uint16) and `<split>.offsets` (int64, one more than documents). Every
document opens with BOS. Whether the files are intact is decided elsewhere.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import tiktoken
from numpy.typing import NDArray

# What a uint16 can tell apart.
LARGEST_VOCABULARY: Final = 1 << 16

# Texts that tiktoken encodes at a time, over all cores.
_ENCODED_TOGETHER: Final = 4096


def tokens_file(split: str) -> str:
    """The name of the file of a split's tokens."""
    return f"{split}.tokens"


def offsets_file(split: str) -> str:
    """The name of the file of a split's offsets."""
    return f"{split}.offsets"


@dataclass(frozen=True, eq=False)
class TokenDocuments:
    """The documents of one split, mapped, read-only.

    Attributes:
        tokens: (tokens,) uint16, all documents one after another.
        offsets: (documents + 1,) int64, where each begins, and the end of the last.
    """

    tokens: NDArray[np.uint16]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.uint16]:
        """One document's tokens, BOS included; `index` from 0 to the number of documents less 1."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    @classmethod
    def from_bytes(cls, tokens: memoryview, offsets: memoryview) -> "TokenDocuments":
        """The documents in the two files' bytes.

        Raises:
            ValueError: the two do not fit together.
        """
        made = cls(np.frombuffer(tokens, "<u2"), np.frombuffer(offsets, "<i8"))
        edges = made.offsets
        if len(edges) < 2 or edges[0] != 0 or edges[-1] != len(made.tokens) or not (edges[1:] > edges[:-1]).all():
            raise ValueError("the offsets do not divide the tokens into documents")
        return made


def write_documents(
    directory: Path, split: str, texts: Iterable[str], encoding: tiktoken.Encoding, bos: int
) -> dict[str, int]:
    """Tokenise texts into a split's two files; how many "documents", "tokens" (BOS included) and "bytes" of text.

    Special tokens' names in a text are text like any other.
    """
    lengths = []
    size = 0
    cores = os.cpu_count() or 1
    pending = iter(texts)
    with (directory / tokens_file(split)).open("wb") as stream:
        while block := list(islice(pending, _ENCODED_TOGETHER)):
            size += sum(len(text.encode()) for text in block)
            for ids in encoding.encode_ordinary_batch(block, num_threads=cores):
                lengths.append(len(ids) + 1)
                stream.write(np.array([bos, *ids], "<u2").tobytes())
    offsets = np.zeros(len(lengths) + 1, "<i8")
    np.cumsum(lengths, out=offsets[1:])
    (directory / offsets_file(split)).write_bytes(offsets.tobytes())
    return {"documents": len(lengths), "tokens": int(offsets[-1]), "bytes": size}
