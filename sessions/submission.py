"""A submission: the change in a session's worktree passes the gate and becomes a commit. It queues and runs nothing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ClearError
from harness.result import Experiment
from harness.text import one_line
from sessions.gate import refusal
from sessions.inflight import Pending
from sessions.lab import Lab
from sessions.standing import BASELINE, Incumbent
from sessions.store import SessionSpec
from sessions.worktree import Worktree


class SubmissionError(ClearError):
    """A submission that is refused, or an experiment that there is not; the text is for the agent, one line."""


@dataclass(frozen=True)
class Submissions:
    """Where one session's changes come from: `worktree`, in which the agent works, of `lab`."""

    spec: SessionSpec
    lab: Lab
    worktree: Worktree

    def commit(self, message: str, incumbent: Incumbent, records: Sequence[Experiment]) -> Pending:
        """Pass the gate and commit.

        Raises:
            SubmissionError: the gate refuses it.
            LabError: git failed.
        """
        genome = self.spec.genome
        missing = [path for path in genome if not (self.worktree.path / path).exists()]
        reason = refusal(message, self.worktree.changed_paths(incumbent.commit), genome, missing)
        if reason is not None:
            raise SubmissionError(one_line(reason, 1000))
        number = 1 + max((one.number for one in records), default=BASELINE)
        commit = self.worktree.commit(genome, message, incumbent.commit)
        self.lab.keep_ref(self.spec.session, number, commit)
        return Pending(number, commit, incumbent.commit, message, time.time())
