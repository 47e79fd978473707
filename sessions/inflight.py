"""`inflight.json`: the experiments that were submitted and have no verdict yet, so that no crash loses one."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.result import Record, RecordError
from sessions.store import replace_file


@dataclass(frozen=True)
class Pending(Record):
    """A submitted experiment; the fields are those of `harness.result.Experiment`.

    Attributes:
        run_id: unique to its run; empty until it has started.
        started_at: seconds since the epoch; 0 until it has started.
    """

    number: int
    commit: str
    parent: str
    message: str
    submitted_at: float
    run_id: str = ""
    started_at: float = 0.0


def read_inflight(path: Path) -> list[Pending]:
    """What was in flight; nothing where the file is missing or none of ours."""
    try:
        found = json.loads(path.read_bytes())["experiments"]
        return [Pending.from_dict(one) for one in found]
    except (FileNotFoundError, RecordError, ValueError, KeyError, TypeError):
        return []


def write_inflight(path: Path, pending: Sequence[Pending]) -> None:
    """Replace the file; remove it where nothing is in flight.

    Raises:
        OSError: the disk is full, or the place cannot be written; the file is as it was.
    """
    if pending:
        replace_file(path, json.dumps({"experiments": [asdict(one) for one in pending]}, ensure_ascii=False) + "\n")
    else:
        path.unlink(missing_ok=True)
