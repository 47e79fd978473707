"""Which GPU CUDA_VISIBLE_DEVICES means."""

import pytest

from harness.machine_sample import GpuSample
from harness.visible_gpu import find_gpu, first_visible, lease_name

GPUS = [GpuSample(0, "A", uuid="GPU-11aa22bb"), GpuSample(1, "B", uuid="GPU-33cc44dd"), GpuSample(2, "C")]


@pytest.mark.parametrize(
    ("value", "first"),
    [
        (None, "0"),
        ("0", "0"),
        ("3,1", "3"),
        (" 1 , 0", "1"),
        ("GPU-33cc,0", "GPU-33cc"),
        ("MIG-9f3e", "MIG-9f3e"),
        ("", ""),
        ("-1", ""),
        ("NoDevFiles", ""),
        (",1", ""),
    ],
)
def test_the_first_that_cuda_shows(value: str | None, first: str) -> None:
    """The first entry counts; one that is no device hides all after it; without the variable all are shown."""
    assert first_visible(value) == first


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("0", 0),
        ("2", 2),
        ("3", None),
        ("GPU-33cc44dd", 1),
        ("GPU-33", 1),  # CUDA takes a beginning, too
        ("GPU-", None),  # of more than one
        ("GPU-ff", None),
        ("MIG-GPU-11aa22bb/7/0", 0),
        ("MIG-9f3e", None),
        ("", None),
    ],
)
def test_it_is_found_among_the_drivers(wanted: str, index: int | None) -> None:
    """By number, by UUID or by its beginning if that is one GPU's alone; a guess is never made."""
    found = find_gpu(GPUS, wanted)
    assert (found and found.index) == index


def test_an_instance_is_on_the_only_gpu() -> None:
    """Where there is one GPU, it is the one that was split."""
    assert find_gpu(GPUS[:1], "MIG-9f3e") == GPUS[0]


@pytest.mark.parametrize(
    ("wanted", "name"), [("1", "GPU-33cc44dd"), ("GPU-33", "GPU-33cc44dd"), ("2", "2"), ("MIG-9f3e", "MIG-9f3e")]
)
def test_one_gpu_has_one_lease(wanted: str, name: str) -> None:
    """Whatever it was called, a GPU's lease has its UUID's name where that is known; an instance's has its own."""
    assert lease_name(GPUS, wanted) == name
