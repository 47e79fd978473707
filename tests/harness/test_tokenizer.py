"""The tokenizer loses no byte, counts bytes right and survives its files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.settings import SPECIAL_TOKENS
from harness.tokenizer import (
    RANKS_FILE,
    SETTINGS_FILE,
    Tokenizer,
    TokenizerError,
    parse_tokenizer,
    train_tokenizer,
)

TEXTS = [Path(__file__).read_text(encoding="utf-8"), "Übergrößenträger, naïveté: 数学 and 🙂🙂 " * 20]
TOKENIZER = train_tokenizer(TEXTS, 400)
ENCODING = TOKENIZER.encoding()
TOKEN_BYTES = TOKENIZER.token_bytes()


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    """Encoding and decoding is the identity, and the text's bytes are the sum of its tokens' bytes."""
    ids = ENCODING.encode_ordinary(text)
    assert ENCODING.decode(ids) == text
    assert int(TOKEN_BYTES[ids].sum()) == len(text.encode())


def test_parts_of_characters_are_counted_too() -> None:
    """Bytes that are no character by themselves count as one, where decoding would count a replacement as three."""
    assert TOKEN_BYTES[TOKENIZER.ranks[b"\xf0"]] == 1


def test_special_tokens_stand_for_no_text() -> None:
    """The special tokens come after all others, count no bytes, and their names in a text are ordinary text."""
    assert TOKENIZER.vocab_size == 400
    assert TOKENIZER.bos == 400 - len(SPECIAL_TOKENS)
    assert TOKEN_BYTES[TOKENIZER.bos :].tolist() == [0] * len(SPECIAL_TOKENS)
    assert (TOKEN_BYTES[: TOKENIZER.bos] > 0).all()
    assert max(ENCODING.encode_ordinary("".join(SPECIAL_TOKENS))) < TOKENIZER.bos


def test_the_same_text_gives_the_same_tokenizer() -> None:
    """Training has no randomness, although it uses every core."""
    assert train_tokenizer(TEXTS, 400) == TOKENIZER


def test_files_keep_all_of_it(tmp_path: Path) -> None:
    """What was saved reads as the same tokenizer, and each line of the ranks is `base64 rank`, in order."""
    TOKENIZER.save(tmp_path)
    ranks = (tmp_path / RANKS_FILE).read_bytes()
    assert parse_tokenizer(ranks, (tmp_path / SETTINGS_FILE).read_bytes()) == TOKENIZER
    assert [int(line.split()[1]) for line in ranks.splitlines()] == list(range(TOKENIZER.bos))


def test_too_little_text_is_said() -> None:
    """Text that does not yield the vocabulary is an error that says so, not a smaller vocabulary."""
    with pytest.raises(TokenizerError, match="more text or a smaller vocabulary"):
        train_tokenizer(["aaa"], 1024)


@given(st.sampled_from([b"", b"not base64 0\n", b"YQ== zero\n", b"YQ== 0 1\n", b"YQ==\n"]) | st.binary(max_size=60))
def test_broken_ranks_are_refused(ranks: bytes) -> None:
    """Bytes that are no list of ranks give a tokenizer error, or an honest table without gaps; nothing else."""
    try:
        parsed = parse_tokenizer(ranks, b'{"pattern": ".", "special_tokens": ["<|bos|>"]}')
    except TokenizerError:
        return
    assert isinstance(parsed, Tokenizer)
    assert sorted(parsed.ranks.values()) == list(range(parsed.bos))


@pytest.mark.parametrize("values", [b"", b"[]", b"{}", b'{"pattern": "."}', b'{"pattern": ".", "special_tokens": []}'])
def test_broken_settings_are_refused(values: bytes) -> None:
    """Settings without a pattern or a special token are refused."""
    with pytest.raises(TokenizerError):
        parse_tokenizer(b"YQ== 0\n", values)
