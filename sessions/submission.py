"""A submission: the change in a session's worktree passes the gate and becomes a commit. It queues and runs nothing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ClearError
from harness.result import Experiment
from harness.text import one_line
from sessions import gate, repeats
from sessions.inflight import Pending
from sessions.lab import Lab
from sessions.spec import SessionSpec
from sessions.standing import BASELINE, Incumbent
from sessions.worktree import Worktree


class SubmissionError(ClearError):
    """A submission that is refused, or an experiment that there is not; the text is for the agent, one line."""


@dataclass(frozen=True)
class Submissions:
    """Where one session's changes come from: `worktree`, in which the agent works, of `lab`."""

    spec: SessionSpec
    lab: Lab
    worktree: Worktree

    def commit(self, message: str, incumbent: Incumbent, records: Sequence[Experiment], *, again: bool) -> Pending:
        """Pass the gate and commit.

        Args:
            message: what the change tries, one line.
            incumbent: what it changes.
            records: the experiments so far.
            again: whether one that ran before to the letter may run again.

        Raises:
            SubmissionError: the gate refuses it.
            LabError: git failed.
        """
        genome = self.spec.genome
        missing = [path for path in genome if not (self.worktree.path / path).exists()]
        reason = gate.refusal(message, self.worktree.changed_paths(incumbent.commit), genome, missing)
        if reason is not None:
            raise SubmissionError(one_line(reason, 1000))
        earlier = repeats.judged(records)
        same: Experiment | None = None

        def check(tree: str) -> None:
            nonlocal same
            same = self._same(tree, earlier)
            if same is not None and not again:
                raise SubmissionError(repeats.refusal(same))

        number = 1 + max((one.number for one in records), default=BASELINE)
        commit = self.worktree.commit(genome, message, incumbent.commit, check)
        self.lab.keep_ref(self.spec.session, number, commit)
        change = repeats.identity(self.lab.changed_lines(commit))
        note = repeats.note(change, incumbent.commit, same, earlier)
        return Pending(number, commit, incumbent.commit, message, time.time(), change=change, note=note)

    def _same(self, tree: str, earlier: Sequence[Experiment]) -> Experiment | None:
        """The last experiment whose commit has this tree."""
        trees = self.lab.trees([one.commit for one in earlier])
        return next((one for one in reversed(earlier) if trees.get(one.commit) == tree), None)
