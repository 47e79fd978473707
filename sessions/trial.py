"""One run: a working copy of its commit, the request to the harness, and the result made fit to record.

And a closer look at the weights that it saved. It judges nothing, and touches neither git's branches nor a ledger.
"""

import asyncio
import math
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.result import WEIGHTS_FILE, Outcome, RunRequest, RunResult
from harness.text import one_line
from sessions.harness_process import OnProgress
from sessions.inflight import Pending
from sessions.lab import Lab, LabError
from sessions.persistence import GivenUpError, Persistence
from sessions.spec import SessionSpec
from sessions.store import SessionDir, leases_home, private_dir

Run = Callable[[RunRequest, OnProgress, asyncio.Event], Awaitable[RunResult]]

_COPY: Final = "copy"
_SCRATCH: Final = "scratch"
_CLOSER: Final = "closer"


async def run_trial(
    one: Pending,
    folder: Path,
    session: SessionDir,
    spec: SessionSpec,
    lab: Lab,
    persistence: Persistence,
    run: Run,
    on_progress: OnProgress,
    abort: asyncio.Event,
) -> RunResult:
    """Run a commit in `folder` and return its result, which is about this run and no other, whatever `run` says."""

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)  # an earlier attempt's
        folder.mkdir(mode=0o700, parents=True)
        lab.export(one.commit, folder / _COPY)
        (folder / _SCRATCH).mkdir(mode=0o700)
        private_dir(session.compiled)

    try:
        await persistence.carry_out(prepare, unless=abort)
    except GivenUpError:
        return aborted(one, "stopped before it started")
    except LabError as error:
        return aborted(one, str(error))
    if abort.is_set():
        return aborted(one, "stopped before it started")
    return _fit(one, await run(_request(one, folder, session, spec), on_progress, abort))


async def look_closer(
    one: Pending,
    folder: Path,
    session: SessionDir,
    spec: SessionSpec,
    persistence: Persistence,
    run: Run,
    on_progress: OnProgress,
    abort: asyncio.Event,
) -> RunResult:
    """Score the weights of the run in `folder` again, and look for leaks in every row instead of one in eight."""
    request = _request(one, folder, session, spec)
    place = folder / _CLOSER / _SCRATCH

    def prepare() -> None:
        shutil.rmtree(place.parent, ignore_errors=True)
        place.mkdir(mode=0o700, parents=True)

    try:
        await persistence.carry_out(prepare, unless=abort)
    except GivenUpError:
        return aborted(one, "stopped before it started")
    weights = str(folder / _SCRATCH / WEIGHTS_FILE)
    request = replace(request, scratch=str(place), weights=weights, probe_share=1.0)
    return _fit(one, await run(request, on_progress, abort))


def _request(one: Pending, folder: Path, session: SessionDir, spec: SessionSpec) -> RunRequest:
    return RunRequest(
        run_id=one.run_id,
        commit=one.commit,
        genome=str(folder / _COPY / spec.genome[0]),
        scratch=str(folder / _SCRATCH),
        corpus=spec.corpus,
        preset=spec.preset,
        budget_s=spec.budget_s,
        seed=one.seed,
        device=spec.device,
        leases=str(leases_home()),
        compiled=str(session.compiled),
    )


def _fit(one: Pending, result: RunResult) -> RunResult:
    """A result as it can be recorded for a run."""
    if (result.run_id, result.commit) != (one.run_id, one.commit):
        return aborted(one, f"the runner answered for another run: {result.run_id}")
    if result.val_bpb is not None and not math.isfinite(result.val_bpb):
        # JSON knows no such number.
        result = replace(result, val_bpb=None, reason=result.reason or f"val_bpb is {result.val_bpb}")
    return replace(result, seed=one.seed)


def aborted(one: Pending, reason: str) -> RunResult:
    """The result of a run that says nothing of its commit."""
    return RunResult(one.run_id, one.commit, Outcome.ABORTED, one_line(reason), seed=one.seed)


def clear_away(session: SessionDir, number: int) -> None:
    """Delete the working copies and weights of an experiment's runs; what they printed stays."""
    first = session.runs / str(number)
    for folder in (first, *first.glob("run-*"), *first.glob("replicate-*")):
        for name in (_COPY, _SCRATCH, f"{_CLOSER}/{_SCRATCH}"):
            shutil.rmtree(folder / name, ignore_errors=True)
