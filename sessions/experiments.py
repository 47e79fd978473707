"""A session's experiments: submission, gate, commit, runs, verdict, one after the other.

It knows no agent and no socket; the runs are `sessions.measuring`'s business, and what follows from a verdict
`sessions.aftermath`'s. Between experiments the incumbent is run for the noise. Whatever dies, a restart takes up what
was in flight.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from harness.noise import Noise
from harness.result import Experiment
from harness.text import one_line
from sessions.aftermath import Aftermath
from sessions.gate import busy
from sessions.history import History
from sessions.inflight import InFlight, Pending
from sessions.journal import Journal
from sessions.lab import Lab
from sessions.measuring import Measuring
from sessions.persistence import Persistence
from sessions.protocol import Running
from sessions.spec import SessionSpec
from sessions.standing import BASELINE, Incumbent
from sessions.store import SessionDir
from sessions.submission import SubmissionError, Submissions
from sessions.trial import Run
from sessions.usage import Usage
from sessions.work import Work
from sessions.worktree import Worktree


class Experiments:
    """One session's experiments: one at a time, and at most one in the queue besides the baseline.

    Attributes:
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
        self.meter: Callable[[], Usage] = Usage
        self._history = History(session, spec)
        self._session = session
        self._spec = spec
        self._lab = lab
        self._journal = journal
        self._on_change = on_change
        self._persistence = Persistence(on_change, pause)
        worktree = Worktree(lab, session.worktree, spec.branch)
        self._submissions = Submissions(spec, lab, worktree)
        self._inflight = InFlight(session.inflight)
        self._measuring = Measuring(
            session, spec, lab, journal, self._inflight, self._persistence, run, on_change, on_progress or on_change
        )
        aftermath = Aftermath(session, worktree, journal, self._persistence)
        self._work = Work(
            session,
            journal,
            self._history,
            self._inflight,
            self._measuring,
            aftermath,
            self._persistence,
            self._metered,
            on_change,
        )

    # What others see.

    @property
    def records(self) -> list[Experiment]:
        """Every experiment that has its verdict, in order. Not to be changed from outside."""
        return self._history.records

    @property
    def incumbent(self) -> Incumbent:
        """What the next experiment must beat."""
        return self._history.standing.incumbent

    @property
    def best(self) -> float | None:
        """The incumbent's val_bpb, the mean of its runs."""
        return self._history.standing.incumbent.val_bpb

    @property
    def best_number(self) -> int | None:
        """The incumbent's number."""
        return self._history.standing.incumbent.number

    @property
    def baseline(self) -> float | None:
        """The baseline's val_bpb, the mean of its runs."""
        return self._history.standing.baseline

    @property
    def kept(self) -> int:
        """Experiments that were kept, the baseline left out."""
        return self._history.standing.kept

    @property
    def total(self) -> int:
        """Experiments that were judged, the baseline left out."""
        return self._history.standing.total

    @property
    def noise(self) -> Noise | None:
        """What is known of the noise between runs."""
        return self._history.standing.noise

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
        return self._persistence.alert or self._work.notice or self._history.alert

    # Submitting.

    def recover(self) -> None:
        """Take up what an earlier supervisor left in flight; call it once, before `work`."""
        for broken in self._history.broken:
            self._journal.add("alert", reason=broken)
        for one in self._inflight.read():
            if not one.replicate:
                self._work.done[one.number] = asyncio.Event()
        if self._inflight.queue:
            self.submit_baseline()  # it must not be overtaken
        self._work.wake()

    def submit_baseline(self) -> None:
        """Queue the session's first commit as number 0, unless it has its verdict; one that was stopped runs again."""
        if not self._history.standing.wants_baseline or self._inflight.has_baseline:
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
        reason = busy(*self._inflight.numbers, held=self._work.held, measuring=one is not None and one.replicate)
        if reason is None and self._history.is_complete:
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

    def _submitted(self, one: Pending) -> None:
        self._work.done.setdefault(one.number, asyncio.Event())
        noted = {"note": one.note} if one.note else {}
        self._journal.add("submitted", number=one.number, commit=one.commit, message=one.message, **noted)
        self._work.wake()
        self._on_change()

    def note(self, number: int) -> str:
        """That an experiment repeats an earlier one, in some words; empty where it does not."""
        for one in self._inflight.experiments:
            if one.number == number:
                return one.note
        return self._history.note(number)

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
        if number in self._work.done:
            await self._work.done[number].wait()
        found = self._history.latest(number)
        if found is None:
            raise SubmissionError(f"there is no experiment {number}")
        return found

    def hold(self) -> None:
        """Start no further experiment and no replicate; the one in progress goes on."""
        self._work.held = True

    def release(self) -> None:
        """Start experiments again."""
        self._work.held = False
        self._work.wake()

    async def abort(self, reason: str) -> None:
        """End what is in progress, if anything, and wait until that is recorded; `work` may have been cancelled.

        A replicate that is ended is not recorded: it runs again.
        """
        await self._work.abort(reason)

    async def work(self) -> None:
        """Run what is queued, in order, for ever. Cancelled, it leaves what is in progress to `abort`."""
        await self._work.go_on()

    def _metered(self) -> Usage:
        return self.meter()
