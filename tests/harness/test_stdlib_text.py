"""The standard library as documents: each once, the same every time."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stdlib_text import Texts, split_source, stdlib_texts

LINES = st.sampled_from(
    ["import os", "@decorated", "def f():", "    @decorated", "    def g(self):", "    return 1", "class C:", ""]
)
FILLING = "    # " + "long enough to stand alone" * 4


@pytest.fixture(scope="module")
def texts() -> Texts:
    return stdlib_texts()


def test_no_document_is_in_both_splits_or_twice(texts: Texts) -> None:
    """Validation text is never trained on, and no document counts twice."""
    everything = [*texts.train, *texts.val]
    assert len(set(everything)) == len(everything)


def test_it_is_enough_to_learn_from(texts: Texts) -> None:
    """There are megabytes to train on, and about one document in five is for validation."""
    assert sum(map(len, texts.train)) > 5_000_000
    assert 0.17 < len(texts.val) / (len(texts.train) + len(texts.val)) < 0.23


def test_order_comes_from_the_contents_alone(texts: Texts) -> None:
    """Reading again gives the same lists, ordered by the documents' SHA-256, whatever order a disk lists files in."""
    assert stdlib_texts() == texts
    for split in texts:
        assert all(a < b for a, b in pairwise(hashlib.sha256(text.encode()).digest() for text in split))


@given(st.lists(LINES, max_size=30))
def test_pieces_are_the_source_in_order(lines: list[str]) -> None:
    """Pieces follow one another in the source without overlapping, and none is cut inside a line."""
    source = "\n".join(part for line in lines for part in (line, FILLING))
    at = 0
    for piece in split_source(source):
        at = source.index(piece, at) + len(piece)
        assert set(piece.split("\n")) <= set(source.split("\n"))


def test_a_decorator_stays_with_its_function() -> None:
    """Functions and methods begin with their decorators; module code before them is a piece of its own."""
    module, function, method = (
        f"import os\n{FILLING}",
        f"@first\n@second\ndef f():\n{FILLING}",
        f"    @property\n    def g(self):\n{FILLING}",
    )
    assert list(split_source("\n\n".join((module, function, method)) + "\n")) == [module, function, method]


def test_scraps_are_left_out() -> None:
    """A piece shorter than 80 characters is no document."""
    assert list(split_source("import os\n\n\ndef f():\n    return 1\n")) == []
