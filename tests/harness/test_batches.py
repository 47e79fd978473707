"""Batches are the corpus's documents, packed and shifted by one."""

from itertools import islice

import numpy as np
import pytest
import torch

from harness.batches import token_rows, training_batches, validation_rows
from harness.corpus import Corpus, CorpusError, open_corpus, prepare
from harness.packing import packed_rows
from harness.settings import EMBEDDED


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return prepare(tmp_path_factory.mktemp("batches") / "corpus", EMBEDDED, lambda _line: None)


def test_targets_follow_their_inputs(corpus: Corpus) -> None:
    """Every input but a row's first is the target before it; both are contiguous int64 of (rows, length)."""
    for inputs, targets in islice(training_batches(corpus, 4, 64, "cpu"), 5):
        assert inputs.shape == targets.shape == (4, 64)
        assert inputs.dtype == targets.dtype == torch.int64
        assert inputs.is_contiguous()
        assert targets.is_contiguous()
        assert torch.equal(inputs[:, 1:], targets[:, :-1])


def test_rows_are_whole_documents_but_for_the_last(corpus: Corpus) -> None:
    """Batches hold, in order, exactly the pieces that the packer names, and every row begins with BOS."""
    documents = corpus.documents("train")
    blocks = islice(token_rows(documents, 3, 65), 20)
    packed = packed_rows(documents.offsets, 65)
    for row in (row for block in blocks for row in block):
        assert row[0] == corpus.bos
        assert np.array_equal(row, np.concatenate([documents.tokens[piece] for piece in next(packed).pieces]))


def test_batches_are_the_same_every_time(corpus: Corpus) -> None:
    """Two iterators give the same batches, also when the holder of one overwrites what it was given."""
    for (inputs, targets), (again, targets_again) in zip(
        islice(training_batches(corpus, 2, 32, "cpu"), 10), training_batches(corpus, 2, 32, "cpu"), strict=False
    ):
        assert torch.equal(inputs, again)
        assert torch.equal(targets, targets_again)
        inputs.zero_()
        targets.zero_()


def test_the_scorer_never_sees_a_document_twice(corpus: Corpus) -> None:
    """The rows that the preset scores come from one pass over the validation split."""
    count = EMBEDDED.eval_tokens // EMBEDDED.sequence_len
    documents = corpus.documents("val")
    rows = islice(packed_rows(documents.offsets, EMBEDDED.sequence_len + 1), count)
    starts = [piece.start for row in rows for piece in row.pieces]
    assert len(set(starts)) == len(starts)


def test_validation_rows_are_fixed(corpus: Corpus) -> None:
    """Asking for more rows only adds some at the end, and all are ids of the vocabulary."""
    few, many = validation_rows(corpus, 8, 64), validation_rows(corpus, 40, 64)
    assert few.shape == (8, 65)
    assert np.array_equal(few, many[:8])
    assert many.max() < corpus.vocab_size
    assert (many[:, 0] == corpus.bos).all()


def test_a_split_that_was_not_opened_gives_no_rows(corpus: Corpus) -> None:
    """A run that opened the training split alone cannot ask for validation rows, nor the scorer for batches."""
    with pytest.raises(CorpusError, match="without its split 'val'"):
        validation_rows(open_corpus(corpus.path, splits=("train",)), 1, 8)
    with pytest.raises(CorpusError, match="without its split 'train'"):
        training_batches(open_corpus(corpus.path, splits=("val",)), 1, 8, "cpu")


@pytest.mark.parametrize(("rows", "length"), [(0, 8), (-1, 8), (4, 0), (4, -3)])
def test_impossible_shapes_are_refused_at_once(corpus: Corpus, rows: int, length: int) -> None:
    """A batch of no rows or no tokens is an error at the call, before anything is handed out."""
    with pytest.raises(ValueError, match="rows"):
        training_batches(corpus, rows, length, "cpu")
    with pytest.raises(ValueError, match="rows"):
        validation_rows(corpus, rows, length)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_batches_equal_cpu_batches(corpus: Corpus) -> None:
    """Asynchronous copies arrive whole, however far the device lags behind."""
    on_gpu = [x for pair in islice(training_batches(corpus, 4, 64, "cuda"), 50) for x in pair]
    on_cpu = [x for pair in islice(training_batches(corpus, 4, 64, "cpu"), 50) for x in pair]
    assert all(torch.equal(a.cpu(), b) for a, b in zip(on_gpu, on_cpu, strict=True))
