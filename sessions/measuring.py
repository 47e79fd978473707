"""The runs of one experiment, one after the other until they decide; and those that measure the noise.

It knows which run is in progress. It queues nothing, writes no ledger and touches no branch.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.result import Outcome, Phase, RecordError, RunProgress, RunResult
from harness.text import one_line
from harness.verdict import Again, Judgement, Verdict, judge
from sessions.inflight import InFlight, Pending
from sessions.journal import Journal
from sessions.lab import Lab
from sessions.persistence import GivenUpError, Persistence
from sessions.protocol import Running
from sessions.replication import Wanted
from sessions.spec import SessionSpec
from sessions.standing import Standing
from sessions.store import SessionDir
from sessions.trial import Run, aborted, look_closer, run_trial


class Measuring:
    """One session's runs, one at a time.

    Attributes:
        stop: ends the run in progress when it is set.
        stop_reason: why, one line.
    """

    def __init__(
        self,
        session: SessionDir,
        spec: SessionSpec,
        lab: Lab,
        journal: Journal,
        inflight: InFlight,
        persistence: Persistence,
        run: Run,
        on_change: Callable[[], None],
        on_progress: Callable[[], None],
    ) -> None:
        self.stop = asyncio.Event()
        self.stop_reason = ""
        self._session = session
        self._spec = spec
        self._lab = lab
        self._journal = journal
        self._inflight = inflight
        self._persistence = persistence
        self._run = run
        self._on_change = on_change
        self._on_progress = on_progress
        self._progress: RunProgress | None = None

    @property
    def running(self) -> Running | None:
        """The run in progress."""
        one, progress = self._inflight.running, self._progress
        if one is None:
            return None
        which: dict[str, Any] = {
            "run": one.run,
            "most_runs": one.most_runs,
            "because": one.because,
            "replicate": one.replicate,
        }
        if progress is None:
            budget_s = self._spec.budget_s
            return Running(one.number, one.message, Phase.STARTING, one.started_at, budget_s=budget_s, **which)
        clock = (progress.spent_s, progress.budget_s, progress.steps)
        return Running(one.number, one.message, progress.phase, one.started_at, *clock, **which)

    async def experiment(self, queued: Pending, standing: Standing) -> tuple[Pending, list[RunResult], Judgement]:
        """Run an experiment as often as its verdict takes; what ran, what its runs gave, and the verdict.

        Args:
            queued: what was submitted.
            standing: what it is judged against; nothing changes it meanwhile.
        """
        one = replace(queued, started_at=time.time(), most_runs=max(1, self._spec.most_runs))
        runs: list[RunResult] = []
        while True:
            one = replace(one, run_id=self._new_id(one.number), runs=[asdict(run) for run in runs])
            if not runs:
                self._journal.add("experiment", number=one.number, message=one.message, run_id=one.run_id)
            else:
                self._journal.add("another run", number=one.number, run=one.run, reason=one.because, run_id=one.run_id)
            runs.append(await self._result_of(one, self._folder(one)))
            judgement = self.judged(runs, standing)
            if isinstance(judgement, Judgement):
                if judgement.verdict is Verdict.KEEP:
                    judgement = await self._looked_closer_at(one, runs, judgement, standing)
                return one, runs, judgement
            seeds = {run.seed for run in runs} | {judgement.seed}
            one = replace(one, seed=judgement.seed, run=len(seeds), because=one_line(judgement.reason))

    async def _looked_closer_at(
        self, one: Pending, runs: list[RunResult], keep: Judgement, standing: Standing
    ) -> Judgement:
        """The verdict once every row was looked at for leaks; a run that does not stand that is added to `runs`.

        What is kept is built on for the rest of the night, and a usual evaluation looks at one row in eight.
        """
        one = replace(one, because="before it is kept, every row is looked at for leaks")
        self._inflight.running, self._progress = one, None
        self._on_change()
        place = (one, self._folder(one), self._session, self._spec, self._persistence)
        result = await look_closer(*place, self._run, self._reported, self.stop)
        self._journal.add("looked closer", number=one.number, outcome=result.outcome, probes=result.probes)
        if result.outcome == Outcome.ABORTED:
            return replace(keep, flags=(*keep.flags, f"not every row was looked at for leaks: {result.reason}"))
        if result.outcome == Outcome.OK and not result.alarm:
            return keep
        runs.append(result)
        judgement = self.judged(runs, standing)
        return judgement if isinstance(judgement, Judgement) else keep

    def _folder(self, one: Pending) -> Path:
        """Where an experiment's latest run lies."""
        first = self._session.runs / str(one.number)
        return first / f"run-{len(one.runs) + 1}" if one.runs else first

    async def replicate(self, wanted: Wanted) -> RunResult:
        """Run a commit that was kept once more."""
        one = Pending(
            number=wanted.number,
            commit=wanted.commit,
            parent="",
            message=wanted.message,
            submitted_at=time.time(),
            run_id=self._new_id(wanted.number),
            started_at=time.time(),
            replicate=True,
            seed=wanted.seed,
            run=wanted.run,
            most_runs=wanted.most_runs,
            because=wanted.because,
        )
        name = f"replicate-{one.seed}{'-again' if wanted.repeated else ''}"
        return await self._result_of(one, self._session.runs / str(one.number) / name)

    def cut_short(self, one: Pending, reason: str, standing: Standing) -> tuple[list[RunResult], Judgement]:
        """The runs and the verdict of an experiment whose run in progress came to nothing."""
        runs: list[RunResult] = []
        for before in one.runs:
            with contextlib.suppress(RecordError):
                runs.append(RunResult.from_dict(before))
        runs.append(aborted(one, reason))
        judgement = self.judged(runs, standing)
        assert isinstance(judgement, Judgement)  # noqa: S101  (a run that was stopped is never run again)
        return runs, judgement

    def judged(self, runs: Sequence[RunResult], standing: Standing) -> Judgement | Again:
        """What an experiment's runs so far come to."""
        rule = self._spec.rule
        noise = standing.noise_with(runs) if rule.replicates > 1 else None
        return judge(runs, standing.incumbent.rival, noise, rule)

    def rest(self) -> None:
        """No run is in progress any more."""
        self._inflight.running = self._progress = None

    async def _result_of(self, one: Pending, folder: Path) -> RunResult:
        self._inflight.running, self._progress = one, None
        self._on_change()
        try:
            await self._persistence.carry_out(self._inflight.write, unless=self.stop)
        except GivenUpError:
            return aborted(one, self.stop_reason)
        trial = (one, folder, self._session, self._spec, self._lab, self._persistence, self._run)
        result = await run_trial(*trial, self._reported, self.stop)
        if result.outcome == Outcome.ABORTED and not self.stop.is_set():
            # The harness failed, not the genome: a worker that was killed, say. Once it may be chance.
            self._journal.add("run repeated", number=one.number, run_id=one.run_id, reason=result.reason)
            result = await run_trial(*trial, self._reported, self.stop)
        if result.outcome == Outcome.ABORTED and self.stop.is_set():
            return replace(result, reason=one_line(self.stop_reason))
        return result

    def _reported(self, progress: RunProgress) -> None:
        self._progress = progress
        self._on_progress()

    def _new_id(self, number: int) -> str:
        return f"{self._spec.session}-{number}-{secrets.token_hex(4)}"
