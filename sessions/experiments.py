"""A session's experiments: submission, gate, commit, runs, verdict, one after the other.

It knows no agent and no socket; the runs are `sessions.measuring`'s business, and what follows from a verdict
`sessions.aftermath`'s. Between experiments the incumbent is run for the noise. Whatever dies, a restart takes up what
was in flight.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from typing import Any

from harness.ledger import read_experiments, read_replicates
from harness.noise import Noise, usable
from harness.result import Experiment, Outcome, Replicate, RunResult
from harness.text import one_line
from harness.verdict import Judgement
from sessions.aftermath import Aftermath, judged
from sessions.gate import busy
from sessions.inflight import InFlight, Pending
from sessions.journal import Journal
from sessions.lab import Lab
from sessions.leftovers import end_leftovers
from sessions.measuring import Measuring
from sessions.persistence import Persistence
from sessions.protocol import Running
from sessions.repeats import note_on
from sessions.replication import Wanted, wanted
from sessions.spec import SessionSpec
from sessions.standing import BASELINE, Incumbent, Standing, standing
from sessions.store import SessionDir
from sessions.submission import SubmissionError, Submissions
from sessions.trial import Run, clear_away
from sessions.usage import Usage, since_last_verdict
from sessions.worktree import Worktree


class Experiments:
    """One session's experiments: one at a time, and at most one in the queue besides the baseline.

    Attributes:
        records: every experiment that has its verdict, in order. Not to be changed from outside.
        replicates: the further runs of kept commits, in order. Likewise.
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
        on_progress: Callable[[], None] | None = None,
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
            on_progress: called instead of `on_change`, a few times a second at most, when the run in progress has come
                further and nothing else has changed.
        """
        reading = read_experiments(session.experiments)
        self.records: list[Experiment] = reading.records
        self.meter: Callable[[], Usage] = Usage
        more = read_replicates(session.replicates)
        self.replicates: list[Replicate] = more.records
        self._broken = {session.experiments: reading.broken, session.replicates: more.broken}
        self._session = session
        self._spec = spec
        self._lab = lab
        self._journal = journal
        self._on_change = on_change
        self._persistence = Persistence(on_change, pause)
        worktree = Worktree(lab, session.worktree, spec.branch)
        self._submissions = Submissions(spec, lab, worktree)
        self._aftermath = Aftermath(session, worktree, journal, self._persistence)
        self._inflight = InFlight(session.inflight)
        self._measuring = Measuring(
            session, spec, lab, journal, self._inflight, self._persistence, run, on_change, on_progress or on_change
        )
        self._standing = self._added_up()
        self._done: dict[int, asyncio.Event] = {}
        self._current: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._held = False

    # What others see.

    @property
    def incumbent(self) -> Incumbent:
        """What the next experiment must beat."""
        return self._standing.incumbent

    @property
    def best(self) -> float | None:
        """The incumbent's val_bpb, the mean of its runs."""
        return self._standing.incumbent.val_bpb

    @property
    def best_number(self) -> int | None:
        """The incumbent's number."""
        return self._standing.incumbent.number

    @property
    def baseline(self) -> float | None:
        """The baseline's val_bpb, the mean of its runs."""
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
    def noise(self) -> Noise | None:
        """What is known of the noise between runs."""
        return self._standing.noise

    @property
    def pending(self) -> bool:
        """Whether an experiment runs or is queued; a replicate is nobody's experiment."""
        one = self._inflight.running
        return self.queued > 0 or (one is not None and not one.replicate)

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
        """The run in progress, of an experiment or a replicate."""
        return self._measuring.running

    @property
    def alert(self) -> str:
        """What a person should look at, one line; empty where there is nothing."""
        failed = self._standing.baseline_failed
        no_baseline = f"the baseline gave no number: {failed}" if failed else ""
        return self._persistence.alert or self._aftermath.notice or no_baseline or self._no_noise()

    def _no_noise(self) -> str:
        """That the incumbent could not be run again, so that the noise is not known; empty where it is, or may be."""
        if self.noise is not None or len(self.replicates) < self._spec.replicates - 1 or not self.replicates:
            return ""
        reason = one_line(str(self.replicates[-1].result.get("reason", "")), 120)
        return f"the noise is not known: another run of #{self.replicates[-1].number} gave no number: {reason}"

    # Submitting.

    def recover(self) -> None:
        """Take up what an earlier supervisor left in flight; call it once, before `work`."""
        for path, broken in self._broken.items():
            if broken:
                self._journal.add("alert", reason=f"{path}: {broken} lines are not records; they are left alone")
        for one in self._inflight.read():
            if not one.replicate:
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
        one = self._inflight.running
        reason = busy(*self._inflight.numbers, held=self._held, measuring=one is not None and one.replicate)
        if reason is None and self._is_over:
            most = self._spec.max_experiments
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

    @property
    def _is_over(self) -> bool:
        return self._spec.max_experiments is not None and self.total >= self._spec.max_experiments

    def _submitted(self, one: Pending) -> None:
        self._done.setdefault(one.number, asyncio.Event())
        noted = {"note": one.note} if one.note else {}
        self._journal.add("submitted", number=one.number, commit=one.commit, message=one.message, **noted)
        self._wake.set()
        self._on_change()

    def note(self, number: int) -> str:
        """That an experiment repeats an earlier one, in some words; empty where it does not."""
        for one in self._inflight.experiments:
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
            latest: list[Experiment | Pending] = [*self.records[-1:], *self._inflight.experiments]
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
        """Start no further experiment and no replicate; the one in progress goes on."""
        self._held = True

    def release(self) -> None:
        """Start experiments again."""
        self._held = False
        self._wake.set()

    async def abort(self, reason: str) -> None:
        """End what is in progress, if anything, and wait until that is recorded; `work` may have been cancelled.

        A replicate that is ended is not recorded: it runs again.
        """
        if self._current is not None and not self._current.done():
            self._measuring.stop_reason = reason
            self._measuring.stop.set()
            await asyncio.wait({self._current})

    # Working.

    async def work(self) -> None:
        """Run what is queued, in order, for ever. Cancelled, it leaves what is in progress to `abort`."""
        while True:
            if self._inflight.interrupted:
                await self._do(self._take_up(self._inflight.interrupted[0]))
            elif not self._held and (step := self._next()) is not None:
                await self._do(step)
            else:
                self._wake.clear()
                await self._wake.wait()

    def _next(self) -> Coroutine[Any, Any, None] | None:
        """The baseline, then what measures the noise, then what was submitted."""
        queue = self._inflight.queue
        if queue and queue[0].is_baseline:
            return self._experiment(queue.popleft())
        more = None if self._is_over else wanted(self.records, self.replicates, self.incumbent, self._spec.rule)
        if more is not None:
            return self._replicate(more)
        return self._experiment(queue.popleft()) if queue else None

    async def _do(self, step: Coroutine[Any, Any, None]) -> None:
        self._measuring.stop.clear()
        self._current = asyncio.get_running_loop().create_task(step)
        await asyncio.shield(self._current)

    async def _take_up(self, one: Pending) -> None:
        """Bring to its end what was running when an earlier supervisor died."""
        end_leftovers(one.run_id)
        if one.replicate:  # it is wanted again by itself
            self._inflight.interrupted.popleft()
            await self._persistence.carry_out(self._inflight.write)
            clear_away(self._session, one.number)
            return
        record = next((found for found in self.records if one.run_id in _run_ids(found)), None)
        if record is None:
            reason = "the supervisor died while it ran"
            await self._conclude(one, *self._measuring.cut_short(one, reason, self._standing))
        else:  # it died after the verdict
            await self._settle(record)

    async def _experiment(self, queued: Pending) -> None:
        await self._conclude(*await self._measuring.experiment(queued, self._standing))

    async def _replicate(self, more: Wanted) -> None:
        result = await self._measuring.replicate(more)
        # One that was stopped is run again; one that could not be started is not tried for ever.
        if result.outcome != Outcome.ABORTED or not self._measuring.stop.is_set():
            record = Replicate(more.number, more.commit, time.time(), asdict(result))
            await self._aftermath.record_replicate(record)
            self.replicates.append(record)
            self._standing = self._added_up()
            self._journal.add(
                "replicate",
                number=more.number,
                seed=more.seed,
                val_bpb=result.val_bpb,
                reason="" if usable(result) else one_line(result.reason or result.alarm),
                taints=[one_line(taint) for taint in result.taints],
                best=self.best,
                sigma=None if self.noise is None else self.noise.sigma,
            )
        self._measuring.rest()
        await self._persistence.carry_out(self._inflight.write)
        clear_away(self._session, more.number)
        self._on_change()

    async def _conclude(self, one: Pending, runs: list[RunResult], judgement: Judgement) -> None:
        usage = Usage()
        if one.number != BASELINE:  # which no agent has asked for
            usage = since_last_verdict(self.meter(), [record.usage for record in self.records])
        record = judged(one, runs, judgement, self.incumbent, usage)
        await self._aftermath.record(record)
        self.records.append(record)
        self._standing = self._added_up()
        await self._settle(record)

    async def _settle(self, record: Experiment) -> None:
        await self._aftermath.settle(record, self.incumbent, self.records)
        if self._inflight.running is None:
            self._inflight.interrupted.popleft()
        self._measuring.rest()
        await self._persistence.carry_out(self._inflight.write)
        # A stopped baseline that runs again is awaited.
        if all(one.number != record.number for one in self._inflight.queue):
            self._done[record.number].set()
        self._on_change()

    def _added_up(self) -> Standing:
        return standing(self.records, self._spec.base, self.replicates, self._spec.rule)


def _run_ids(record: Experiment) -> list[Any]:
    return [run.get("run_id") for run in (*record.runs, record.result)]
