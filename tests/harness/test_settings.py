"""What makes results comparable: the presets' constants."""

import json
from dataclasses import asdict

import pytest
import tiktoken

from harness.settings import (
    EMBEDDED,
    LIBRARY,
    PRESETS,
    REFERENCE,
    SHARD_SETS,
    SPECIAL_TOKENS,
    SPLIT_PATTERN,
    Preset,
    misfit,
)


def test_the_reference_is_the_ecosystems() -> None:
    """The reference preset's numbers are those of the published results."""
    assert (REFERENCE.sequence_len, REFERENCE.budget_s, REFERENCE.vocab_size) == (2048, 300, 8192)
    assert REFERENCE.eval_tokens == 40 * 524288
    assert (REFERENCE.wall_factor, REFERENCE.wall_grace_s, REFERENCE.device) == (2, 0, "cuda")
    assert len(SPECIAL_TOKENS) == 4
    assert "bos" in SPECIAL_TOKENS[0]
    shards = SHARD_SETS[REFERENCE.source]
    assert (shards.train_shards, shards.val_shard) == (10, 6542)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_scores_whole_batches(preset: Preset) -> None:
    """The scored tokens are whole batches, and the preset is known by its name and comes from a known source."""
    assert preset.eval_tokens % (preset.eval_rows * preset.sequence_len) == 0
    assert PRESETS[preset.name] is preset
    assert preset.source in {LIBRARY, *SHARD_SETS}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_crosses_a_pipe(preset: Preset) -> None:
    """As JSON and back it is the same, so that the processes of a run agree on every constant."""
    assert Preset(**json.loads(json.dumps(asdict(preset)))) == preset


@pytest.mark.parametrize(
    ("preset", "device", "gpu", "fits"),
    [
        (EMBEDDED, "cpu", False, True),
        (EMBEDDED, "auto", True, True),
        (REFERENCE, "auto", True, True),
        (REFERENCE, "cuda", True, True),
        (REFERENCE, "cpu", True, False),
        (REFERENCE, "auto", False, False),
    ],
)
def test_a_preset_is_measured_only_on_its_device(preset: Preset, device: str, gpu: bool, fits: bool) -> None:
    """What is meant for a GPU is refused elsewhere, with the preset to take instead."""
    assert (misfit(preset, device, gpu=gpu) == "") is fits
    assert fits or EMBEDDED.name in misfit(preset, device, gpu=gpu)


def test_digits_are_split_by_two() -> None:
    """The split pattern leaves no more than two digits in one piece."""
    encoding = tiktoken.Encoding(
        "bytes",
        pat_str=SPLIT_PATTERN,
        mergeable_ranks={b"%c" % i: i for i in range(256)} | {b"12": 256, b"123": 257},
        special_tokens={},
    )
    pieces = [encoding.decode_single_token_bytes(token) for token in encoding.encode_ordinary("12345")]
    assert pieces == [b"12", b"3", b"4", b"5"]
