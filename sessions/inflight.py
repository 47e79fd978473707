"""`inflight.json`: what was submitted and has no verdict yet, and what runs, so that no crash loses one."""

import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.result import Record, RecordError
from sessions.standing import BASELINE
from sessions.store import replace_file


@dataclass(frozen=True)
class Pending(Record):
    """A submitted experiment, or a replicate that runs; the fields are those of `harness.result.Experiment`.

    Attributes:
        run_id: unique to its run; empty until it has started.
        started_at: seconds since the epoch; 0 until it has started.
        note: that it repeats an earlier one, in some words; empty where it does not.
        replicate: whether it is a further run of a commit that was kept; else it is an experiment.
        seed: of its run.
        run, most_runs, because: of its run, as in `sessions.protocol.Running`.
        runs: the records of its runs before this one, in order.
    """

    number: int
    commit: str
    parent: str
    message: str
    submitted_at: float
    run_id: str = ""
    started_at: float = 0.0
    change: str = ""
    note: str = ""
    replicate: bool = False
    seed: int = 0
    run: int = 1
    most_runs: int = 1
    because: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_baseline(self) -> bool:
        """Whether it is the baseline's experiment."""
        return self.number == BASELINE and not self.replicate


class InFlight:
    """The experiments without a verdict and the replicate in progress, here and in the file.

    Attributes:
        interrupted: they ran when an earlier supervisor died.
        running: the one in progress.
        queue: those that have not started, in order.
    """

    def __init__(self, path: Path) -> None:
        self.interrupted: deque[Pending] = deque()
        self.running: Pending | None = None
        self.queue: deque[Pending] = deque()
        self._path = path

    @property
    def everything(self) -> list[Pending]:
        """All of them, in the order in which they come to their end."""
        return [*self.interrupted, *([self.running] if self.running else []), *self.queue]

    @property
    def experiments(self) -> list[Pending]:
        """The same without a replicate."""
        return [one for one in self.everything if not one.replicate]

    @property
    def has_baseline(self) -> bool:
        """Whether the baseline runs or will; one that was interrupted says nothing any more."""
        return any(one.is_baseline for one in (self.running, *self.queue) if one is not None)

    @property
    def numbers(self) -> tuple[int | None, int | None, int | None]:
        """The first experiment that was interrupted, that runs, and that waits; the baseline left out."""
        return _first(self.interrupted), _first([self.running] if self.running else []), _first(self.queue)

    def take_back(self) -> None:
        """Forget what was queued last, where it could not be written."""
        self.queue = deque(one for one in self.queue if one.is_baseline)

    def read(self) -> list[Pending]:
        """Take up what an earlier supervisor left in the file, and return it."""
        found = read_inflight(self._path)
        for one in found:
            (self.interrupted if one.started_at else self.queue).append(one)
        return found

    def write(self) -> None:
        """Replace the file; see `write_inflight`."""
        write_inflight(self._path, self.everything)


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


def _first(group: Iterable[Pending]) -> int | None:
    """The number of the first experiment in a group that is not the baseline."""
    return next((one.number for one in group if not one.is_baseline and not one.replicate), None)
