"""What is run to confirm a gain, and what of that has been run already. It starts no run."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from harness.claim import Conditions, differences
from harness.errors import ClearError
from harness.ledger import complete_lines, read_experiments
from harness.noise import usable
from harness.result import Experiment, Record, RecordError, RunResult
from harness.verdict import Verdict
from harness.verify import conditions_here
from sessions.spec import SessionSpec
from sessions.standing import BASELINE
from sessions.store import SessionDir

CONFIRMATIONS: Final = "confirmations.jsonl"
# Far from the seeds that experiments are judged with: the incumbent was not chosen by its luck with these.
_FIRST_SEED: Final = 1000


class ConfirmationError(ClearError):
    """There is nothing to confirm; one line that says why."""


@dataclass(frozen=True)
class Confirming(Record):
    """A finished run: a line of `confirmations.jsonl`.

    Attributes:
        number: of the experiment whose commit ran; 0 is the baseline.
        commit: full hexadecimal id.
        budget_s: training seconds.
        seed: of the run.
        ended_at: seconds since the epoch.
        result: the run's own record.
    """

    number: int
    commit: str
    budget_s: float
    seed: int
    ended_at: float
    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What will be run.

    Attributes:
        baseline, incumbent: the two experiments.
        budget_s: training seconds a run.
        seeds: of each one's runs.
        k: standard errors that a gain must exceed.
        done: what an earlier, stopped confirmation has of it.
    """

    baseline: Experiment
    incumbent: Experiment
    budget_s: float
    seeds: tuple[int, ...]
    k: float
    done: tuple[Confirming, ...] = ()

    @property
    def missing(self) -> list[tuple[Experiment, int]]:
        """The runs that have to be made, in order: for each seed the baseline, then the incumbent."""
        had = {(one.commit, one.seed) for one in self.done}
        both = (self.baseline, self.incumbent)
        return [(one, seed) for seed in self.seeds for one in both if (one.commit, seed) not in had]


def plan(session: SessionDir, budget_s: float | None, seeds: int, k: float, *, again: bool = False) -> Plan:
    """What a confirmation of the session would run.

    Args:
        session: the session.
        budget_s: training seconds a run; None: three times the session's.
        seeds: runs of each of the two.
        k: standard errors that a gain must exceed.
        again: run everything anew, also what an earlier confirmation has.

    Raises:
        ConfirmationError: there is no baseline with a number, or nothing was kept after it.
    """
    spec = session.spec()
    kept = [one for one in read_experiments(session.experiments).records if one.verdict == Verdict.KEEP]
    baseline = next((one for one in kept if one.number == BASELINE), None)
    if baseline is None:
        raise ConfirmationError(f"{session.id} has no baseline with a number yet; wait for it")
    if kept[-1].number == BASELINE:
        raise ConfirmationError(f"{session.id} has kept nothing yet: its incumbent is the baseline")
    budget = budget_s or 3 * spec.budget_s
    made = Plan(baseline, kept[-1], budget, tuple(range(_FIRST_SEED, _FIRST_SEED + seeds)), k)
    return made if again else replace(made, done=tuple(_reusable(session, spec, made)))


def _reusable(session: SessionDir, spec: SessionSpec, made: Plan) -> Iterator[Confirming]:
    """Finished runs of this plan, the last of each, unless corpus, torch or the preset have changed since."""
    here = conditions_here(Path(spec.corpus), spec.preset, made.budget_s)
    wanted = {(one.commit, seed) for one in (made.baseline, made.incumbent) for seed in made.seeds}
    found: dict[tuple[str, int], Confirming] = {}
    for one in read_confirmations(session):
        result = result_of(one)
        fits = (one.commit, one.seed) in wanted and one.budget_s == made.budget_s
        if fits and result is not None and usable(result) and not differences(Conditions.of(result), here):
            found[one.commit, one.seed] = one
    yield from found.values()


def read_confirmations(session: SessionDir) -> list[Confirming]:
    """All runs that were ever made to confirm a gain of the session; broken lines are passed over."""
    found = []
    for line in complete_lines(session.path / CONFIRMATIONS):
        with contextlib.suppress(RecordError):
            found.append(Confirming.from_json(line))
    return found


def result_of(one: Confirming) -> RunResult | None:
    """Its run's record; None where that is broken."""
    try:
        return RunResult.from_dict(one.result)
    except RecordError:
        return None
