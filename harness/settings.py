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

# A tokenizer learns from this many characters at most, as in the ecosystem.
TOKENIZER_CHARACTERS: Final = 1_000_000_000

# The packer chooses among this many documents, and keeps it filled.
PACKING_BUFFER: Final = 1000


# The source of text that needs no download: the interpreter's own library.
LIBRARY: Final = "library"


@dataclass(frozen=True)
class ShardSet:
    """A public data set of parquet shards, `shard_00000.parquet` and so on, each at its name below one URL.

    Attributes:
        name: what a preset calls it.
        url: the address below which its shards lie, without a slash at the end.
        train_shards: how many shards, from the first, are for training, unless a person asks for more or fewer.
        val_shard: the number of the shard for validation, always the same.
    """

    name: str
    url: str
    train_shards: int
    val_shard: int


# The data of the ecosystem's published numbers, with its number of shards.
CLIMBMIX: Final = ShardSet(
    name="climbmix",
    url="https://huggingface.co/datasets/karpathy/climbmix-400b-shuffle/resolve/main",
    train_shards=10,
    val_shard=6542,
)

SHARD_SETS: Final = {CLIMBMIX.name: CLIMBMIX}


@dataclass(frozen=True)
class Preset:
    """What a run is measured with.

    Attributes:
        name: what records call it.
        source: where its text comes from unless a person says otherwise: "library", or a name in `SHARD_SETS`.
        device: "cuda" if it is meant for nothing else, or "auto".
        vocab_size: tokens, the special ones included.
        tokenizer_document: characters of a document, from its first, that the tokenizer learns from; 0 is all.
        sequence_len: tokens a row that the model reads (T).
        eval_rows: rows a batch in evaluation; training's batch belongs to the genome.
        eval_tokens: tokens scored, a multiple of `eval_rows * sequence_len`.
        budget_s: training seconds on the harness's clock, unless the session says otherwise.
        warmup_steps: first steps that are not charged (allocation, compilation), nor is what comes before them.
        warmup_s: seconds that are not charged, at most, whatever they were spent on.
        ready_s: seconds on the run's clock that each of the model's processes may take to load the model and give its
            first answers, besides what answers take anyway; a GPU's kernels are compiled and chosen then.
        wall_factor: a run is killed at `wall_factor * budget + wall_grace_s` seconds on the wall, whatever its
            clock says.
        wall_grace_s: start-up allowance in that deadline.
        scratch_bytes: what a run may write, all its files together.
    """

    name: str
    source: str
    device: Literal["auto", "cuda"]
    vocab_size: int
    tokenizer_document: int
    sequence_len: int
    eval_rows: int
    eval_tokens: int
    budget_s: float
    warmup_steps: int
    warmup_s: float
    ready_s: float
    wall_factor: float
    wall_grace_s: float
    scratch_bytes: int


@dataclass(frozen=True)
class Rule:
    """How noise is weighed in a verdict; a session may choose other numbers.

    Attributes:
        k: a change is kept when its gain exceeds so many standard errors of the difference of the means.
        replicates: runs of the baseline, by which the noise is first measured; 1: it is not measured, and a lower
            number is kept.
        most_runs: runs of one experiment at the most, those that are repeated for a taint left out.
        top_up_every: experiments after which the incumbent is run once more; 0: never.
        memory_factor: a run that needs more than so many times the incumbent's memory is flagged.
    """

    k: float = 2.0
    replicates: int = 3
    most_runs: int = 3
    top_up_every: int = 10
    memory_factor: float = 1.5


RULE: Final = Rule()

# Trains in seconds on one CPU core, from text that every Python carries.
EMBEDDED: Final = Preset(
    name="embedded",
    source=LIBRARY,
    device="auto",
    vocab_size=1024,
    tokenizer_document=0,
    sequence_len=256,
    eval_rows=8,
    eval_tokens=131_072,
    budget_s=20.0,
    warmup_steps=1,
    warmup_s=2.0,
    ready_s=1.0,
    wall_factor=3.0,
    wall_grace_s=60.0,
    scratch_bytes=4 << 30,
)

# The numbers of the ecosystem's published results, for a CUDA device.
REFERENCE: Final = Preset(
    name="reference",
    source=CLIMBMIX.name,
    device="cuda",
    vocab_size=8192,
    tokenizer_document=10_000,
    sequence_len=2048,
    eval_rows=64,
    eval_tokens=40 * 524_288,
    budget_s=300.0,
    warmup_steps=11,
    warmup_s=120.0,
    ready_s=60.0,
    wall_factor=2.0,
    wall_grace_s=0.0,
    scratch_bytes=32 << 30,
)

PRESETS: Final = {EMBEDDED.name: EMBEDDED, REFERENCE.name: REFERENCE}


def misfit(preset: Preset, device: str, *, gpu: bool) -> str:
    """Why a preset cannot be measured on a device, one line that says what to do; empty where it can.

    Args:
        preset: what is to be measured with.
        device: "cpu", "cuda" or "auto".
        gpu: whether there is an NVIDIA device.
    """
    if preset.device != "cuda" or (gpu and device != "cpu"):
        return ""
    why = "the device asked for is the CPU" if device == "cpu" else "there is no NVIDIA driver here"
    return f"preset {preset.name!r} is for a CUDA device, and {why}; preset {EMBEDDED.name!r} is for any machine"
