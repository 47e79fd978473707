"""The template as a fresh module, so that one test's knobs are not another's; and a run without a harness."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from harness.genome_file import load_genome, sha256_of
from harness.training import Batch, ModelSpec

TEMPLATE = Path(__file__).resolve().parents[2] / "genome" / "train.py"
SPEC = ModelSpec(vocab_size=96, sequence_len=24)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Two threads wait for each other, spinning, when another test runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fresh_genome(**knobs: object) -> ModuleType:
    """The template's module with those knobs."""
    genome = load_genome(TEMPLATE, sha256_of(TEMPLATE.read_bytes()), ("build_model", "train"))
    unknown = knobs.keys() - vars(genome).keys()
    assert not unknown, f"the template has no knob {unknown}"
    vars(genome).update(knobs)
    return genome


class Steps:
    """What `train` needs of a run: so many steps, on the same rows or on new ones."""

    device = torch.device("cpu")
    spec = SPEC

    def __init__(self, count: int, *, same: bool = False) -> None:
        self.count = count
        self.steps = 0
        self._same = same

    @property
    def progress(self) -> float:
        return self.steps / self.count

    def batches(self, rows: int) -> Iterator[Batch]:
        dice = torch.Generator().manual_seed(1)
        shape, vocab = (rows, self.spec.sequence_len + 1), self.spec.vocab_size
        text = torch.randint(vocab, shape, generator=dice)
        while self.steps < self.count:
            self.steps += 1
            yield text[:, :-1], text[:, 1:]
            if not self._same:
                text = torch.randint(vocab, shape, generator=dice)
