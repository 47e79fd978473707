"""Checks the number of a session's experiment by running its commit again, with the session's corpus and settings.

The supervisor need not run, and nothing of the session changes. Whether the number holds, `harness.claim` judges.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.claim import Again, Claim, Finding, next_step
from harness.result import RunProgress, RunResult
from harness.verify import check_of, recorded_claim
from sessions.lab import lab_at
from sessions.rerun import StoppedError, at_home, copy_of
from sessions.store import SessionDir
from sessions.trial import Run

# Which run it is and why, then how it goes.
OnStep = Callable[[Again, RunProgress | None], None]


@dataclass(frozen=True)
class Wish:
    """What a person asks for.

    Attributes:
        number: of the experiment.
        runs: runs with a number to make.
        k: standard errors that the means may differ by.
        device: "cpu", "cuda" or "auto"; empty: as recorded.
        other_device: compare with a record from another device all the same.
    """

    number: int
    runs: int
    k: float
    device: str = ""
    other_device: bool = False


async def verify(
    session: SessionDir, wish: Wish, run: Run, on_step: OnStep, abort: asyncio.Event
) -> tuple[Claim, Finding]:
    """Run the experiment's commit again until its number holds or does not.

    Args:
        session: the session.
        wish: what is asked for.
        run: runs one genome.
        on_step: told of each run as it begins, and of its progress.
        abort: when it is set, the run in progress ends.

    Raises:
        ClaimError: the number cannot be compared here.
        ClearError: the lab or the corpus is not what it was.
        StoppedError: `abort` was set.
    """
    spec = session.spec()
    claim = recorded_claim(session.experiments, wish.number, wish.k)
    runs: list[RunResult] = []
    with copy_of(session, spec, lab_at(Path(spec.lab)), claim.commit) as copy:
        check = check_of(claim, copy.genome, Path(spec.corpus), wish.device, spec.budget_s)
        while True:
            step = next_step(check.claim, runs, wish.runs, other_device=wish.other_device)
            if isinstance(step, Finding):
                return check.claim, step
            on_step(step, None)
            with copy.place() as (run_id, scratch):
                request = at_home(check.request(run_id, scratch, step.seed), session)
                runs.append(await run(request, partial(on_step, step), abort))
            if abort.is_set():
                raise StoppedError
