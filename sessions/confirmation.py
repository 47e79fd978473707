"""Runs a session's incumbent and its baseline at a longer budget with several seeds, to see whether the gain transfers.

Every finished run is in `confirmations.jsonl` at once: whoever stops it goes on with the same command. The two take
turns, so that what drifts on the machine drifts for both. What to run, `sessions.confirming` says; what follows from
it, `sessions.transfer` judges.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.ledger import append_line, read_replicates
from harness.noise import numbers
from harness.result import Experiment, Outcome, Record, RunProgress, RunRequest, RunResult
from sessions.confirming import CONFIRMATIONS, ConfirmationError, Confirming, Plan, result_of
from sessions.lab import Lab, lab_at
from sessions.rerun import Copy, StoppedError, at_home, copy_of
from sessions.spec import SessionSpec
from sessions.standing import runs_of
from sessions.store import SessionDir
from sessions.transfer import conclusion, gain_of
from sessions.trial import Run


@dataclass(frozen=True)
class Confirmation(Record):
    """What came of it: every run, the gain at both budgets, and one sentence."""

    session: str
    incumbent: int
    runs: list[dict[str, Any]]
    short: dict[str, Any]
    long: dict[str, Any]
    conclusion: str


# Which run of how many, of which experiment, with which seed; then how it goes.
OnStep = Callable[[int, int, Experiment, int, RunProgress | None], None]


async def confirm(session: SessionDir, chosen: Plan, run: Run, on_step: OnStep, abort: asyncio.Event) -> Confirmation:
    """Make the plan's runs and say what they show.

    Args:
        session: the session.
        chosen: what to run.
        run: runs one genome.
        on_step: told of each run as it begins, and of its progress.
        abort: when it is set, the run in progress ends.

    Raises:
        ClearError: the lab does not have a commit any more.
        OSError: a finished run cannot be recorded.
        StoppedError: `abort` was set; what was finished is recorded.
    """
    spec = session.spec()
    lab = lab_at(Path(spec.lab))
    made = list(chosen.done)
    with _copies(session, spec, lab, chosen) as copies:
        total = len(chosen.missing)
        for index, (experiment, seed) in enumerate(chosen.missing, 1):
            step = partial(on_step, index, total, experiment, seed)
            step(None)
            request = _request(spec, chosen, experiment, seed)
            result = await _run(copies[experiment.commit], request, session, run, step, abort)
            if result.taints and not abort.is_set():  # once more: the machine was not itself
                result = await _run(copies[experiment.commit], request, session, run, step, abort)
            if abort.is_set():
                raise StoppedError
            if result.outcome == Outcome.ABORTED:
                raise ConfirmationError(f"#{experiment.number} could not run: {result.reason}")
            one = Confirming(experiment.number, experiment.commit, chosen.budget_s, seed, time.time(), asdict(result))
            append_line(session.path / CONFIRMATIONS, one.to_json())
            made.append(one)
    return concluded(session, chosen, made)


@contextlib.contextmanager
def _copies(session: SessionDir, spec: SessionSpec, lab: Lab, chosen: Plan) -> Iterator[dict[str, Copy]]:
    with contextlib.ExitStack() as stack:
        commits = {one.commit for one, _seed in chosen.missing}
        yield {commit: stack.enter_context(copy_of(session, spec, lab, commit)) for commit in commits}


def _request(spec: SessionSpec, chosen: Plan, experiment: Experiment, seed: int) -> RunRequest:
    return RunRequest(
        run_id="",
        commit=experiment.commit,
        genome="",
        scratch="",
        corpus=spec.corpus,
        preset=spec.preset,
        budget_s=chosen.budget_s,
        seed=seed,
        device=spec.device,
    )


async def _run(
    copy: Copy,
    request: RunRequest,
    session: SessionDir,
    run: Run,
    step: Callable[[RunProgress | None], None],
    abort: asyncio.Event,
) -> RunResult:
    with copy.place() as (run_id, scratch):
        here = replace(request, run_id=run_id, genome=str(copy.genome), scratch=str(scratch))
        return await run(at_home(here, session), step, abort)


def concluded(session: SessionDir, chosen: Plan, made: Sequence[Confirming]) -> Confirmation:
    """What the runs show, those of the session's own budget beside them."""
    spec = session.spec()
    baseline, incumbent = chosen.baseline, chosen.incumbent
    before = (_judged_with(session, baseline), _judged_with(session, incumbent))
    short = gain_of(spec.budget_s, *before, known=incumbent.sigma)
    long = gain_of(chosen.budget_s, _numbers_of(baseline, made), _numbers_of(incumbent, made))
    ordered = sorted(made, key=lambda one: (one.seed, one.number))
    return Confirmation(
        session=session.id,
        incumbent=chosen.incumbent.number,
        runs=[asdict(one) for one in ordered],
        short=asdict(short),
        long=asdict(long),
        conclusion=_unlike(ordered) or conclusion(short, long, chosen.k),
    )


def _judged_with(session: SessionDir, experiment: Experiment) -> list[float]:
    """val_bpb of all runs of a commit at the session's budget: its experiment's and its replicates'."""
    more = [one.result for one in read_replicates(session.replicates).records if one.commit == experiment.commit]
    return numbers([*runs_of(experiment), *runs_of(replace(experiment, runs=more, result={}))])


def _numbers_of(experiment: Experiment, made: Sequence[Confirming]) -> list[float]:
    results = (result_of(one) for one in made if one.commit == experiment.commit)
    return numbers(result for result in results if result is not None)


def _unlike(made: Sequence[Confirming]) -> str:
    """Why the runs cannot be compared with one another; empty where they can."""
    devices = sorted({result.device for one in made if (result := result_of(one)) is not None and result.device})
    if len(devices) < 2:
        return ""
    return f"Nothing can be said: the runs were made on {' and on '.join(devices)}; run them again with --again."
