"""The log of a run: all of it, or its beginning and its end."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.run_log import RunLog


@settings(max_examples=200, deadline=None)
@given(size=st.integers(0, 300), cuts=st.lists(st.integers(0, 300)), limit=st.integers(2, 64))
def test_head_and_tail_are_kept(
    tmp_path_factory: pytest.TempPathFactory, size: int, cuts: list[int], limit: int
) -> None:
    """However it arrives, what fits is kept whole; of more, the first and the last bytes, and how many are missing."""
    path = tmp_path_factory.getbasetemp() / "run.log"
    data = bytes(i % 251 for i in range(size))
    log = RunLog(path, limit)
    for start, end in pairwise(sorted({0, size, *(min(cut, size) for cut in cuts)})):
        log.write(data[start:end])
    log.close()
    head, tail = limit // 2, limit - limit // 2
    if size <= limit:
        assert path.read_bytes() == data
    else:
        notice = f"\n[... {size - limit} bytes left out ...]\n".encode()
        assert path.read_bytes() == data[:head] + notice + data[size - tail :]


def test_a_full_disk_costs_the_log_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written any more, the log remembers why, and whoever writes to it notices nothing."""
    log = RunLog(tmp_path / "run.log")
    log._file.close()
    monkeypatch.setattr(log, "_file", open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115 - the log closes it
    log.write(b"something")
    log.write(b"more")
    log.close()
    assert log.error is not None
    assert "No space left" in str(log.error)
