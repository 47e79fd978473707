"""What is done with a session's experiments once they are submitted: run, judged, recorded, settled, one by one.

Between them the incumbent is run for the noise. Whatever dies, a restart takes up what was in flight. It takes no
submission and asks nobody anything.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from typing import Any

from harness.result import Experiment, Outcome, Replicate, RunResult
from harness.verdict import Judgement
from sessions.aftermath import Aftermath, judged
from sessions.history import History, told
from sessions.inflight import InFlight, Pending
from sessions.journal import Journal
from sessions.leftovers import end_leftovers
from sessions.measuring import Measuring
from sessions.persistence import Persistence
from sessions.replication import Wanted
from sessions.standing import BASELINE
from sessions.store import SessionDir
from sessions.trial import clear_away
from sessions.usage import Usage


class Work:
    """One session's work: one thing at a time.

    Attributes:
        held: whether nothing new is started.
        done: number -> set once that experiment has its verdict and all that follows from it; those that were
            submitted since the supervisor started, and those in flight then.
    """

    def __init__(
        self,
        session: SessionDir,
        journal: Journal,
        history: History,
        inflight: InFlight,
        measuring: Measuring,
        aftermath: Aftermath,
        persistence: Persistence,
        meter: Callable[[], Usage],
        on_change: Callable[[], None],
    ) -> None:
        self.held = False
        self.done: dict[int, asyncio.Event] = {}
        self._session = session
        self._journal = journal
        self._history = history
        self._inflight = inflight
        self._measuring = measuring
        self._aftermath = aftermath
        self._persistence = persistence
        self._meter = meter
        self._on_change = on_change
        self._current: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()

    @property
    def notice(self) -> str:
        """What went wrong with what followed from the last verdict, one line; empty where nothing did."""
        return self._aftermath.notice

    def wake(self) -> None:
        """There may be something to do."""
        self._awake.set()

    async def abort(self, reason: str) -> None:
        """End what is in progress, if anything, and wait until that is recorded; `go_on` may have been cancelled."""
        if self._current is not None and not self._current.done():
            self._measuring.stop_reason = reason
            self._measuring.stop.set()
            await asyncio.wait({self._current})

    async def go_on(self) -> None:
        """Run what is queued, in order, for ever. Cancelled, it leaves what is in progress to `abort`."""
        while True:
            if self._inflight.interrupted:
                await self._do(self._take_up(self._inflight.interrupted[0]))
            elif not self.held and (step := self._next()) is not None:
                await self._do(step)
            else:
                self._awake.clear()
                await self._awake.wait()

    def _next(self) -> Coroutine[Any, Any, None] | None:
        """The baseline, then what measures the noise, then what was submitted."""
        queue = self._inflight.queue
        if queue and queue[0].is_baseline:
            return self._experiment(queue.popleft())
        if (more := self._history.wanted()) is not None:
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
        record = self._history.of_run(one.run_id)
        if record is None:
            reason = "the supervisor died while it ran"
            await self._conclude(one, *self._measuring.cut_short(one, reason, self._history.standing))
        else:  # it died after the verdict
            await self._settle(record)

    async def _experiment(self, queued: Pending) -> None:
        await self._conclude(*await self._measuring.experiment(queued, self._history.standing))

    async def _replicate(self, more: Wanted) -> None:
        result = await self._measuring.replicate(more)
        # One that was stopped is run again; one that could not be started is not tried for ever.
        if result.outcome != Outcome.ABORTED or not self._measuring.stop.is_set():
            record = Replicate(more.number, more.commit, time.time(), asdict(result))
            await self._aftermath.record_replicate(record)
            self._history.add(record)
            self._journal.add("replicate", **told(record, result, self._history.standing))
        self._measuring.rest()
        await self._persistence.carry_out(self._inflight.write)
        clear_away(self._session, more.number)
        self._on_change()

    async def _conclude(self, one: Pending, runs: list[RunResult], judgement: Judgement) -> None:
        usage = Usage()
        if one.number != BASELINE:  # which no agent has asked for
            usage = self._history.usage_since(self._meter())
        record = judged(one, runs, judgement, self._history.standing.incumbent, usage)
        await self._aftermath.record(record)
        self._history.add(record)
        await self._settle(record)

    async def _settle(self, record: Experiment) -> None:
        await self._aftermath.settle(record, self._history.standing.incumbent, self._history.records)
        if self._inflight.running is None:
            self._inflight.interrupted.popleft()
        self._measuring.rest()
        await self._persistence.carry_out(self._inflight.write)
        # A stopped baseline that runs again is awaited.
        if all(one.number != record.number for one in self._inflight.queue):
            self.done[record.number].set()
        self._on_change()
