"""Kernels that were downloaded before: where a run finds them, and that it sees nothing else of that cache."""

from pathlib import Path

import pytest

from harness.readable_paths import kernel_paths
from harness.run_environment import HUB_CACHE_VARIABLE, hub_cache, run_environment


@pytest.mark.parametrize(
    ("ours", "place"),
    [
        ({"HOME": "/home/her"}, "/home/her/.cache/huggingface/hub"),
        ({"HOME": "/home/her", "XDG_CACHE_HOME": "/cache"}, "/cache/huggingface/hub"),
        ({"HOME": "/home/her", "HF_HOME": "/hf"}, "/hf/hub"),
        ({"HOME": "/home/her", "HF_HOME": "/hf", HUB_CACHE_VARIABLE: "/hub"}, "/hub"),
    ],
)
def test_a_run_looks_where_its_person_has_them(ours: dict[str, str], place: str) -> None:
    """In the cache of hers, though a run's home is its scratch directory; below the server as beside it."""
    first = run_environment(ours, "run", "/scratch")
    assert first[HUB_CACHE_VARIABLE] == place
    assert run_environment(first, "run", "/scratch")[HUB_CACHE_VARIABLE] == place == hub_cache(ours)


def test_a_run_sees_kernels_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private model or data set in the same cache stays out of its reach."""
    for name in ("kernels--some--kernel", "models--her--own", "datasets--her--own"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv(HUB_CACHE_VARIABLE, str(tmp_path))
    assert kernel_paths() == [tmp_path / "kernels--some--kernel"]
    monkeypatch.delenv(HUB_CACHE_VARIABLE)
    assert kernel_paths() == []
