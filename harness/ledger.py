"""Ledgers: append-only files of one record a line, whole under power cuts, full disks and foreign hands.

`experiments.jsonl` is the truth, and `replicates.jsonl` beside it. `results.tsv` is made from the experiments for
people and agents who know the ecosystem's format: five tab-separated columns, in order commit, val_bpb, memory_gb,
status, description. None judges.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from harness.result import Experiment, Record, RecordError, Replicate
from harness.text import one_line
from harness.verdict import TSV_STATUS

TSV_HEADER: Final = "commit\tval_bpb\tmemory_gb\tstatus\tdescription"


def append_line(path: Path, line: str) -> None:
    """Append a line durably, all of it or nothing.

    A torn last line (a crash in the middle of a write) is closed off first, so that it costs itself alone.

    Raises:
        OSError: the disk is full, or the place cannot be written; the file is as it was.
    """
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + line.encode("utf-8", "replace") + b"\n"  # a lone surrogate costs itself alone
        try:
            written = 0
            while written < len(data):
                written += os.write(fd, data[written:])
            os.fsync(fd)
            if size == 0:
                _sync_directory(path.parent)  # the file itself may be new
        except OSError:
            os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


Kept = TypeVar("Kept", bound=Record)


@dataclass(frozen=True)
class Reading(Generic[Kept]):
    """What a ledger held: its records, and how many lines were not records."""

    records: list[Kept]
    broken: int


def read_experiments(path: Path) -> Reading[Experiment]:
    """All records of an `experiments.jsonl`; broken lines are counted and passed over, a missing file is empty."""
    return _read(path, Experiment)


def read_replicates(path: Path) -> Reading[Replicate]:
    """The same of a `replicates.jsonl`."""
    return _read(path, Replicate)


def _read(path: Path, kind: type[Kept]) -> Reading[Kept]:
    records: list[Kept] = []
    broken = 0
    for line in complete_lines(path):
        try:
            records.append(kind.from_json(line))
        except RecordError:
            broken += 1
    return Reading(records, broken)


def complete_lines(path: Path, offset: int = 0) -> Iterator[bytes]:
    """The lines from `offset` on that end in a newline, without it; none where the file is missing."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        stream.seek(offset)
        for line in stream:
            if line.endswith(b"\n"):
                yield line[:-1]


def tsv_row(experiment: Experiment) -> str | None:
    """An experiment as its row of `results.tsv`, without a newline; None where it has none (it was aborted)."""
    status = TSV_STATUS.get(experiment.verdict)
    if status is None:
        return None
    measured = status != "crash" and experiment.val_bpb is not None
    bpb = f"{experiment.val_bpb:.6f}" if measured else "0.000000"
    memory_gb = experiment.result.get("memory_gb") if measured else None
    memory = f"{memory_gb:.1f}" if isinstance(memory_gb, int | float) else "0.0"
    return "\t".join((one_line(experiment.commit[:7]), bpb, memory, status, one_line(experiment.message)))


def tsv_text(experiments: list[Experiment]) -> str:
    """A whole `results.tsv`."""
    rows = [row for row in map(tsv_row, experiments) if row is not None]
    return "\n".join([TSV_HEADER, *rows]) + "\n"


def is_ours(path: Path, experiments: list[Experiment]) -> bool:
    """Whether a `results.tsv` is the beginning of what these experiments make, or missing; otherwise hands off."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return True
    return tsv_text(experiments).startswith(text)
