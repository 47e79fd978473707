import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import model_host
from harness.device_memory import DeviceHandle, allocation_bytes
from harness.logits_memory import ChunkShape, chunk_shape
from harness.settings import REFERENCE

HANDLE = DeviceHandle(0, "00ff", 64, 0, "c0de", 8, "", waits=False)


@given(st.integers(1, 64), st.integers(1, 4096), st.integers(1, 70_000))
def test_logits_on_a_gpu_lie_alone(rows: int, sequence_len: int, vocab_size: int) -> None:
    """An allocation holds the logits, and is of a size that torch shares with no other tensor."""
    shape = ChunkShape(rows, sequence_len, vocab_size)
    size = allocation_bytes(shape)
    assert size >= shape.logit_bytes
    assert size >= 10 << 20
    assert size % (2 << 20) == 0


def test_a_handle_travels_as_text() -> None:
    """Nothing of it needs a pickle."""
    assert DeviceHandle.from_json(HANDLE.to_json()) == HANDLE


def test_memory_that_cannot_be_opened_is_done_without() -> None:
    """Where the driver does not share memory, or there is none, the logits go the other way."""
    shape = chunk_shape(REFERENCE)
    assert model_host.device_logits({**vars(HANDLE), "size": shape.logit_bytes}, shape) is None
    assert model_host.device_logits(None, shape) is None


def test_logits_are_answered_where_they_are_wanted() -> None:
    """The model's process writes into the memory that it was given, whatever its model's precision."""
    logits = torch.zeros(2, 3, 5)
    wanted = torch.arange(30.0).view(2, 3, 5)
    model_host.answer(
        lambda _tokens: wanted.bfloat16(), torch.zeros(2, 3, dtype=torch.int64).numpy(), logits, torch.device("cpu")
    )
    assert torch.equal(logits, wanted)
