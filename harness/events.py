"""What a runner says of its run: progress now and then, the result at last, one object a line over a pipe.

Both ends: who hears it takes nothing for granted, and what is about another run is none of his.
"""

import contextlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from harness import pipes
from harness.result import Outcome, RecordError, RunProgress, RunRequest, RunResult
from harness.text import one_line, tail

OnProgress = Callable[[RunProgress], None]


def say(fd: int, record: RunProgress | RunResult) -> None:
    """Write a record; nothing happens if nobody reads any more: the run goes on to its orderly end."""
    kind = "result" if isinstance(record, RunResult) else "progress"
    with contextlib.suppress(OSError):
        pipes.send(fd, {"kind": kind, **asdict(record)})


class Heard:
    """What a runner has said so far.

    Attributes:
        result: the run's result, once it was said.
    """

    def __init__(self, request: RunRequest, on_progress: OnProgress) -> None:
        self.result: RunResult | None = None
        self._request = request
        self._on_progress = on_progress
        self._lines = pipes.Lines()

    def feed(self, data: bytes) -> None:
        """Take what came over the pipe."""
        for message in self._lines.feed(data):
            # Another version's record, or another run's, is none of ours.
            with contextlib.suppress(RecordError):
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("run_id") != self._request.run_id:
            return
        if message.get("kind") == "progress":
            self._on_progress(RunProgress.from_dict(message))
        elif message.get("kind") == "result" and message.get("commit") == self._request.commit:
            self.result = RunResult.from_dict(message)


def aborted(request: RunRequest, reason: str) -> RunResult:
    """The result of a run of which nothing is known but that it did not come to its end."""
    return RunResult(request.run_id, request.commit, Outcome.ABORTED, one_line(reason), seed=request.seed)


def obituary(who: str, status: int | None, printed: bytes) -> str:
    """How a process died, and the last line that it printed, which is untrusted and so cleaned."""
    how = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
    return f"{who} died ({how})" + "".join(f": {line}" for line in tail(printed, lines=1))
