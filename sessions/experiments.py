"""A session's experiments: submission, gate, commit, run, verdict, one after the other.

It knows no agent and no socket; how a verdict is reached is `harness.verdict`'s business, and what follows from one
`sessions.aftermath`'s. Whatever dies, a restart takes up what was in flight.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from harness.ledger import read_experiments
from harness.result import Experiment, Outcome, Phase, RunProgress, RunResult
from harness.text import one_line
from sessions.aftermath import Aftermath, judged
from sessions.gate import busy
from sessions.inflight import InFlight, Pending
from sessions.journal import Journal
from sessions.lab import Lab
from sessions.leftovers import end_leftovers
from sessions.persistence import GivenUpError, Persistence
from sessions.protocol import Running
from sessions.repeats import note_on
from sessions.spec import SessionSpec
from sessions.standing import BASELINE, Incumbent, standing
from sessions.store import SessionDir
from sessions.submission import SubmissionError, Submissions
from sessions.trial import Run, aborted, run_trial
from sessions.usage import Usage, since_last_verdict
from sessions.worktree import Worktree


class Experiments:
    """One session's experiments: one at a time, and at most one in the queue besides the baseline.

    Attributes:
        records: every experiment that has its verdict, in order. Not to be changed from outside.
        meter: what the agent has used since the session began.
    """

    def __init__(
        self,
        session: SessionDir,
        spec: SessionSpec,
        lab: Lab,
        journal: Journal,
        on_change: Callable[[], None],
        run: Run,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Read the session's records.

        Args:
            session: where things lie.
            spec: what was asked for.
            lab: the repository.
            journal: gets an entry for a submission, a start, a verdict and what a person should know.
            on_change: called after anything that a viewer might see has changed.
            run: runs one genome; when its event is set it comes back soon.
            pause: waits so many seconds before a full disk is tried again.
        """
        reading = read_experiments(session.experiments)
        self.records: list[Experiment] = reading.records
        self.meter: Callable[[], Usage] = Usage
        self._broken = reading.broken
        self._standing = standing(self.records, spec.base)
        self._session = session
        self._spec = spec
        self._lab = lab
        self._journal = journal
        self._on_change = on_change
        self._run = run
        self._persistence = Persistence(on_change, pause)
        worktree = Worktree(lab, session.worktree, spec.branch)
        self._submissions = Submissions(spec, lab, worktree)
        self._aftermath = Aftermath(session, worktree, journal, self._persistence)
        self._inflight = InFlight(session.inflight)
        self._progress: RunProgress | None = None
        self._done: dict[int, asyncio.Event] = {}
        self._current: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._held = False
        self._abort = asyncio.Event()
        self._abort_reason = ""

    # What others see.

    @property
    def incumbent(self) -> Incumbent:
        """What the next experiment must beat."""
        return self._standing.incumbent

    @property
    def best(self) -> float | None:
        """The incumbent's val_bpb."""
        return self._standing.incumbent.val_bpb

    @property
    def best_number(self) -> int | None:
        """The incumbent's number."""
        return self._standing.incumbent.number

    @property
    def baseline(self) -> float | None:
        """The baseline's val_bpb."""
        return self._standing.baseline

    @property
    def kept(self) -> int:
        """Experiments that were kept, the baseline left out."""
        return self._standing.kept

    @property
    def total(self) -> int:
        """Experiments that were judged, the baseline left out."""
        return self._standing.total

    @property
    def budget_s(self) -> float:
        """Training seconds an experiment."""
        return self._spec.budget_s

    @property
    def queued(self) -> int:
        """Experiments that were submitted and have not started."""
        return len(self._inflight.queue)

    @property
    def running(self) -> Running | None:
        """The experiment in progress."""
        one, progress = self._inflight.running, self._progress
        if one is None:
            return None
        if progress is None:
            return Running(one.number, one.message, Phase.STARTING, one.started_at, budget_s=self._spec.budget_s)
        clock = (progress.spent_s, progress.budget_s, progress.steps)
        return Running(one.number, one.message, progress.phase, one.started_at, *clock)

    @property
    def alert(self) -> str:
        """What a person should look at, one line; empty where there is nothing."""
        failed = self._standing.baseline_failed
        no_baseline = f"the baseline gave no number: {failed}" if failed else ""
        return self._persistence.alert or self._aftermath.notice or no_baseline

    # Submitting.

    def recover(self) -> None:
        """Take up what an earlier supervisor left in flight; call it once, before `work`."""
        if self._broken:
            text = f"{self._session.experiments}: {self._broken} lines are not records; they are left alone"
            self._journal.add("alert", reason=text)
        for one in self._inflight.read():
            self._done[one.number] = asyncio.Event()
        if self._inflight.queue:
            self.submit_baseline()  # it must not be overtaken
        self._wake.set()

    def submit_baseline(self) -> None:
        """Queue the session's first commit as number 0, unless it has its verdict; one that was stopped runs again."""
        if not self._standing.wants_baseline or self._inflight.has_baseline:
            return
        one = Pending(BASELINE, self._spec.base, "", "baseline", time.time())
        self._inflight.queue.appendleft(one)
        with contextlib.suppress(OSError):  # a full disk; every start of a session queues it again by itself
            self._inflight.write()
        self._submitted(one)

    def submit(self, message: str, *, again: bool = False) -> int:
        """Commit the change in the worktree, queue it, and return its number.

        Args:
            message: what it tries.
            again: run it although it ran before to the letter.

        Raises:
            SubmissionError: it is refused; nothing was started, and the change is still there.
            LabError: git failed; likewise.
        """
        reason = busy(*self._inflight.numbers, held=self._held)
        most = self._spec.max_experiments
        if reason is None and most is not None and self.total >= most:
            reason = f"the session has made its {most} experiments; no further one is needed"
        if reason is not None:
            raise SubmissionError(reason)
        try:
            one = self._submissions.commit(one_line(message), self.incumbent, self.records, again=again)
            self._inflight.queue.append(one)
            self._inflight.write()
        except OSError as error:
            self._inflight.take_back()
            raise SubmissionError(f"nothing was started: {error.strerror}; free some space, then try again") from None
        self._submitted(one)
        return one.number

    def _submitted(self, one: Pending) -> None:
        self._done.setdefault(one.number, asyncio.Event())
        noted = {"note": one.note} if one.note else {}
        self._journal.add("submitted", number=one.number, commit=one.commit, message=one.message, **noted)
        self._wake.set()
        self._on_change()

    def note(self, number: int) -> str:
        """That an experiment repeats an earlier one, in some words; empty where it does not."""
        for one in self._inflight.everything:
            if one.number == number:
                return one.note
        return next((note_on(one, self.records) for one in reversed(self.records) if one.number == number), "")

    # Waiting, holding, stopping.

    async def wait(self, number: int | None) -> Experiment:
        """The record of an experiment, once it has its verdict; None: the one that was submitted last.

        Raises:
            SubmissionError: there is none.
        """
        if number is None:
            latest: list[Experiment | Pending] = [*self.records[-1:], *self._inflight.everything]
            if not latest:
                raise SubmissionError('there is no experiment yet; submit one: autoresearch-tui try -m "..."')
            number = latest[-1].number
        if number in self._done:
            await self._done[number].wait()
        found = next((one for one in reversed(self.records) if one.number == number), None)
        if found is None:
            raise SubmissionError(f"there is no experiment {number}")
        return found

    def hold(self) -> None:
        """Start no further experiment; the one in progress goes on."""
        self._held = True

    def release(self) -> None:
        """Start experiments again."""
        self._held = False
        self._wake.set()

    async def abort(self, reason: str) -> None:
        """End the experiment in progress, if any, and wait until that is recorded; `work` may have been cancelled."""
        if self._current is not None and not self._current.done():
            self._abort_reason = reason
            self._abort.set()
            await asyncio.wait({self._current})

    # Working.

    async def work(self) -> None:
        """Run what is queued, in order, for ever. Cancelled, it leaves the experiment in progress to `abort`."""
        while True:
            if self._inflight.interrupted:
                await self._do(self._take_up(self._inflight.interrupted[0]))
            elif self._inflight.queue and not self._held:
                await self._do(self._experiment(self._inflight.queue.popleft()))
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _do(self, step: Coroutine[Any, Any, None]) -> None:
        self._abort.clear()
        self._current = asyncio.get_running_loop().create_task(step)
        await asyncio.shield(self._current)

    async def _take_up(self, one: Pending) -> None:
        """Bring to its end what was running when an earlier supervisor died."""
        end_leftovers(one.run_id)
        record = next((found for found in self.records if found.result.get("run_id") == one.run_id), None)
        if record is None:
            await self._conclude(one, aborted(one, "the supervisor died while it ran"))
        else:  # it died after the verdict
            await self._settle(record)

    async def _experiment(self, queued: Pending) -> None:
        run_id = f"{self._spec.session}-{queued.number}-{secrets.token_hex(4)}"
        one = replace(queued, run_id=run_id, started_at=time.time())
        self._inflight.running, self._progress = one, None
        self._journal.add("experiment", number=one.number, message=one.message, run_id=run_id)
        self._on_change()
        await self._conclude(one, await self._result_of(one))

    async def _result_of(self, one: Pending) -> RunResult:
        try:
            await self._persistence.carry_out(self._inflight.write, unless=self._abort)
        except GivenUpError:
            return aborted(one, self._abort_reason)
        trial = (one, self._session, self._spec, self._lab, self._persistence, self._run)
        result = await run_trial(*trial, self._on_progress, self._abort)
        if result.outcome == Outcome.ABORTED and self._abort.is_set():
            return replace(result, reason=one_line(self._abort_reason))
        return result

    def _on_progress(self, progress: RunProgress) -> None:
        self._progress = progress
        self._on_change()

    async def _conclude(self, one: Pending, result: RunResult) -> None:
        usage = Usage()
        if one.number != BASELINE:  # which no agent has asked for
            usage = since_last_verdict(self.meter(), [record.usage for record in self.records])
        record = judged(one, result, self.incumbent, usage)
        await self._aftermath.record(record)
        self.records.append(record)
        self._standing = standing(self.records, self._spec.base)
        await self._settle(record)

    async def _settle(self, record: Experiment) -> None:
        await self._aftermath.settle(record, self.incumbent, self.records)
        if self._inflight.running is None:
            self._inflight.interrupted.popleft()
        self._inflight.running = self._progress = None
        await self._persistence.carry_out(self._inflight.write)
        # A stopped baseline that runs again is awaited.
        if all(one.number != record.number for one in self._inflight.queue):
            self._done[record.number].set()
        self._on_change()
