"""Every constant that makes two results comparable, in one place.

A preset's name and these values go into every result's record. What a person may choose per session (budget,
number of experiments) is not here: see `sessions.store.SessionSpec`.
"""

from dataclasses import dataclass
from typing import Final, Literal

ClockKind = Literal["cpu", "wall"]

# Four reserved tokens, the first of which opens every document, as in the ecosystem's tokenizer.
SPECIAL_TOKENS: Final = ("<|bos|>", "<|reserved_1|>", "<|reserved_2|>", "<|reserved_3|>")

# The GPT-4 family's split pattern, with runs of at most two digits: small vocabularies waste merges on numbers.
SPLIT_PATTERN: Final = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)

# The packer chooses among this many documents, and keeps it filled.
PACKING_BUFFER: Final = 1000


@dataclass(frozen=True)
class Preset:
    """What a run is measured with.

    Attributes:
        name: what records call it.
        vocab_size: tokens, the special ones included.
        sequence_len: tokens a row that the model reads (T).
        eval_rows: rows a batch in evaluation; training's batch belongs to the genome.
        eval_tokens: tokens scored, a multiple of `eval_rows * sequence_len`.
        budget_s: training seconds on the harness's clock, unless the session says otherwise.
        warmup_steps: first steps that are not charged (allocation, compilation), nor is what comes before them.
        warmup_s: seconds that are not charged, at most, whatever they were spent on.
        wall_factor: a run is killed at `wall_factor * budget + wall_grace_s` seconds on the wall, whatever its
            clock says.
        wall_grace_s: start-up allowance in that deadline.
    """

    name: str
    vocab_size: int
    sequence_len: int
    eval_rows: int
    eval_tokens: int
    budget_s: float
    warmup_steps: int
    warmup_s: float
    wall_factor: float
    wall_grace_s: float


# Trains in seconds on one CPU core, from text that every Python carries.
EMBEDDED: Final = Preset(
    name="embedded",
    vocab_size=1024,
    sequence_len=256,
    eval_rows=32,
    eval_tokens=131_072,
    budget_s=20.0,
    warmup_steps=1,
    warmup_s=10.0,
    wall_factor=3.0,
    wall_grace_s=60.0,
)

PRESETS: Final = {EMBEDDED.name: EMBEDDED}
