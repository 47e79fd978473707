"""The tokenizer: trained with rustbpe, kept as two plain files, used through tiktoken.

`tokenizer.tiktoken` holds a line `base64(token) rank` for every token, as tiktoken's own files do;
`tokenizer.json` the split pattern and the special tokens. Nothing here is ever unpickled.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import rustbpe
import tiktoken
from numpy.typing import NDArray

from harness.errors import ClearError
from harness.settings import SPECIAL_TOKENS, SPLIT_PATTERN

RANKS_FILE: Final = "tokenizer.tiktoken"
SETTINGS_FILE: Final = "tokenizer.json"


class TokenizerError(ClearError):
    """A tokenizer cannot be trained from this text, or its files do not have their form."""


@dataclass(frozen=True)
class Tokenizer:
    """A byte-pair encoding.

    Attributes:
        pattern: the regular expression that cuts text into words before merging.
        ranks: every ordinary token's bytes and its id; ids 0 to n-1 without a gap.
        special_tokens: names of the tokens n, n+1, ...; the first opens every document.
    """

    pattern: str
    ranks: dict[bytes, int]
    special_tokens: tuple[str, ...]

    @property
    def vocab_size(self) -> int:
        """Tokens, the special ones included."""
        return len(self.ranks) + len(self.special_tokens)

    @property
    def bos(self) -> int:
        """The token that opens every document."""
        return len(self.ranks)

    def token_bytes(self) -> NDArray[np.int32]:
        """How many bytes of text each token stands for, (vocab_size,) int32; 0 for the special ones.

        Taken from the tokens' own bytes: decoding one to text and back miscounts those that hold a part of a
        character.
        """
        table = np.zeros(self.vocab_size, np.int32)
        for token, rank in self.ranks.items():
            table[rank] = len(token)
        return table

    def encoding(self) -> tiktoken.Encoding:
        """The same, ready to encode and decode."""
        special = {name: self.bos + i for i, name in enumerate(self.special_tokens)}
        return tiktoken.Encoding(
            "autoresearch", pat_str=self.pattern, mergeable_ranks=self.ranks, special_tokens=special
        )

    def save(self, directory: Path) -> None:
        """Write both files."""
        by_rank = sorted(self.ranks.items(), key=lambda item: item[1])
        lines = [base64.b64encode(token) + b" %d\n" % rank for token, rank in by_rank]
        (directory / RANKS_FILE).write_bytes(b"".join(lines))
        settings = {"pattern": self.pattern, "special_tokens": list(self.special_tokens)}
        (directory / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn `vocab_size` tokens, the special ones included; the same texts give the same tokenizer.

    Raises:
        TokenizerError: the texts are too few for so many tokens.
    """
    trainer = rustbpe.Tokenizer()
    trainer.train_from_iterator(texts, vocab_size - len(SPECIAL_TOKENS), pattern=SPLIT_PATTERN)
    ranks = {bytes(token): rank for token, rank in trainer.get_mergeable_ranks()}
    tokenizer = Tokenizer(SPLIT_PATTERN, ranks, SPECIAL_TOKENS)
    if tokenizer.vocab_size != vocab_size:
        raise TokenizerError(
            f"this text yields only {tokenizer.vocab_size:,} of {vocab_size:,} tokens; "
            "use more text or a smaller vocabulary"
        )
    return tokenizer


def parse_tokenizer(ranks: bytes, settings: bytes) -> Tokenizer:
    """Read what `Tokenizer.save` wrote, from the two files' bytes.

    Raises:
        TokenizerError: they do not have that form.
    """
    try:
        table = {
            base64.b64decode(token, validate=True): int(rank) for token, rank in map(bytes.split, ranks.splitlines())
        }
        values = json.loads(settings)
        tokenizer = Tokenizer(str(values["pattern"]), table, tuple(map(str, values["special_tokens"])))
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise TokenizerError(f"{RANKS_FILE} and {SETTINGS_FILE} are not a tokenizer: {error}") from None
    if sorted(table.values()) != list(range(len(table))) or not tokenizer.special_tokens:
        raise TokenizerError(f"{RANKS_FILE} has gaps in its ranks, or {SETTINGS_FILE} no special token")
    return tokenizer
