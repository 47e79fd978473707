"""What follows from a run: verdict, ledger, branch, results.tsv, journal. After a crash every step can be repeated."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from errno import ENOSPC

from harness.ledger import append_line
from harness.result import Experiment, Replicate, RunResult
from harness.text import one_line
from harness.verdict import Judgement, Verdict, decisive
from sessions.inflight import Pending
from sessions.journal import Journal
from sessions.lab import LabError
from sessions.persistence import Persistence
from sessions.results_file import write_results
from sessions.standing import Incumbent
from sessions.store import SessionDir
from sessions.trial import clear_away
from sessions.usage import Usage
from sessions.worktree import Worktree


def judged(
    one: Pending, runs: Sequence[RunResult], judgement: Judgement, incumbent: Incumbent, usage: Usage
) -> Experiment:
    """The record of an experiment that has just ended.

    Args:
        one: what was submitted.
        runs: what its runs gave, in order.
        judgement: its verdict.
        incumbent: what it was judged against.
        usage: what the agent has used for it.
    """
    return Experiment(
        number=one.number,
        commit=one.commit,
        parent=one.parent,
        message=one.message,
        verdict=judgement.verdict,
        reason=one_line(judgement.reason),
        val_bpb=judgement.val_bpb,
        delta=judgement.delta,
        best=judgement.val_bpb if judgement.verdict is Verdict.KEEP else incumbent.val_bpb,
        submitted_at=one.submitted_at,
        started_at=one.started_at,
        ended_at=time.time(),
        result=asdict(decisive(runs)),
        change=one.change,
        usage=asdict(usage) if usage.tokens else {},
        runs=[asdict(run) for run in runs],
        sigma=judgement.sigma,
        confidence=judgement.confidence,
        flags=[one_line(flag) for flag in judgement.flags],
    )


class Aftermath:
    """Carries a session's verdicts out.

    Attributes:
        notice: what went wrong with the last one, one line; empty where nothing did.
    """

    def __init__(self, session: SessionDir, worktree: Worktree, journal: Journal, persistence: Persistence) -> None:
        self.notice = ""
        self._session = session
        self._worktree = worktree
        self._journal = journal
        self._persistence = persistence
        self._mirror_is_foreign = False

    async def record(self, experiment: Experiment) -> None:
        """Append to `experiments.jsonl`: from here on the verdict stands."""
        line = experiment.to_json()
        await self._persistence.carry_out(lambda: append_line(self._session.experiments, line))

    async def record_replicate(self, replicate: Replicate) -> None:
        """Append to `replicates.jsonl`: from here on it counts."""
        line = replicate.to_json()
        await self._persistence.carry_out(lambda: append_line(self._session.replicates, line))

    async def settle(self, experiment: Experiment, incumbent: Incumbent, records: Sequence[Experiment]) -> None:
        """Do everything that follows from a record in `records`; `incumbent` is the one after its verdict."""
        self.notice = ""
        if experiment.parent and experiment.verdict != Verdict.KEEP:
            await self._reset(experiment, incumbent)
        await self._write_results(records)
        self._journal.add(
            "verdict",
            number=experiment.number,
            verdict=experiment.verdict,
            reason=experiment.reason,
            val_bpb=experiment.val_bpb,
            delta=experiment.delta,
            commit=experiment.commit,
            runs=len(experiment.runs),
            sigma=experiment.sigma,
            confidence=experiment.confidence,
            flags=experiment.flags,
        )
        await self._persistence.carry_out(self._flush)
        clear_away(self._session, experiment.number)

    async def _reset(self, experiment: Experiment, incumbent: Incumbent) -> None:
        try:
            saved = await self._persistence.carry_out(
                lambda: self._worktree.reset(incumbent.commit, expected=experiment.commit)
            )
        except LabError as error:
            # The verdict stands all the same, and the next submission is compared with the incumbent, not with this.
            self.notice = one_line(f"the worktree could not be put back to the incumbent: {error}")
            self._journal.add("alert", reason=self.notice)
            return
        if saved is not None:
            text = f"edits made while #{experiment.number} ran are kept: git show {saved}"
            self._journal.add("edits saved", number=experiment.number, ref=saved, text=text)

    async def _write_results(self, records: Sequence[Experiment]) -> None:
        own, mirror = self._session.results, self._session.worktree / "results.tsv"
        ours = await self._persistence.carry_out(lambda: write_results(own, mirror, records))
        if not ours and not self._mirror_is_foreign:
            self._journal.add("alert", reason=f"{mirror} was written by somebody else; it is left alone, ours is {own}")
        self._mirror_is_foreign = not ours

    def _flush(self) -> None:
        if not self._journal.flush():
            raise OSError(ENOSPC, "the journal cannot be written", str(self._session.journal))
