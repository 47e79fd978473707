"""What a session has on record, experiments and replicates, and where it stands by that. It writes nothing."""

from collections.abc import Sequence
from typing import Any

from harness.ledger import read_experiments, read_replicates
from harness.result import Experiment, Replicate, RunResult
from harness.text import one_line
from sessions.repeats import note_on
from sessions.replication import Wanted, wanted
from sessions.spec import SessionSpec
from sessions.standing import Standing, standing
from sessions.store import SessionDir
from sessions.usage import Usage, since_last_verdict


class History:
    """One session's records, as its ledgers hold them.

    Attributes:
        records: every experiment that has its verdict, in order.
        replicates: the further runs of kept commits, in order.
        broken: what is wrong with the ledgers, one line each.
        standing: where the session stands.
    """

    def __init__(self, session: SessionDir, spec: SessionSpec) -> None:
        """Read the ledgers."""
        experiments, replicates = read_experiments(session.experiments), read_replicates(session.replicates)
        self.records: list[Experiment] = experiments.records
        self.replicates: list[Replicate] = replicates.records
        self.broken = [
            f"{path}: {reading.broken} lines are not records; they are left alone"
            for path, reading in ((session.experiments, experiments), (session.replicates, replicates))
            if reading.broken
        ]
        self._spec = spec
        self.standing: Standing = self._added_up()

    def add(self, record: Experiment | Replicate) -> None:
        """Take up what was written to its ledger."""
        if isinstance(record, Experiment):
            self.records.append(record)
        else:
            self.replicates.append(record)
        self.standing = self._added_up()

    @property
    def is_complete(self) -> bool:
        """Whether the session has made as many experiments as it was to make."""
        return self._spec.max_experiments is not None and self.standing.total >= self._spec.max_experiments

    def wanted(self) -> Wanted | None:
        """The replicate that comes before the next experiment; None where none does."""
        if self.is_complete:
            return None
        return wanted(self.records, self.replicates, self.standing.incumbent, self._spec.rule)

    def latest(self, number: int) -> Experiment | None:
        """The record of an experiment; the last one, where it was stopped and ran again."""
        return next((one for one in reversed(self.records) if one.number == number), None)

    def of_run(self, run_id: str) -> Experiment | None:
        """The record of the experiment that a run belongs to."""
        return next((one for one in self.records if run_id in _run_ids(one)), None)

    def note(self, number: int) -> str:
        """That an experiment repeats an earlier one, in some words; empty where it does not."""
        record = self.latest(number)
        return "" if record is None else note_on(record, self.records)

    def usage_since(self, total: Usage) -> Usage:
        """What of the agent's usage so far no record has."""
        return since_last_verdict(total, [one.usage for one in self.records])

    @property
    def alert(self) -> str:
        """What a person should know of the records, one line; empty where there is nothing."""
        if failed := self.standing.baseline_failed:
            return f"the baseline gave no number: {failed}"
        if self.standing.noise is not None or not 0 < self._spec.replicates - 1 <= len(self.replicates):
            return ""
        latest = self.replicates[-1]
        reason = one_line(str(latest.result.get("reason", "")), 120)
        return f"the noise is not known: another run of #{latest.number} gave no number: {reason}"

    def _added_up(self) -> Standing:
        return standing(self.records, self._spec.base, self.replicates, self._spec.rule)


def told(replicate: Replicate, result: RunResult, after: Standing) -> dict[str, Any]:
    """A replicate for the journal, and what is known of number and noise after it."""
    return {
        "number": replicate.number,
        "seed": result.seed,
        "val_bpb": result.val_bpb,
        "reason": one_line(result.reason or result.alarm),
        "taints": [one_line(taint) for taint in result.taints],
        "best": after.incumbent.val_bpb,
        "sigma": None if after.noise is None else after.noise.sigma,
    }


def _run_ids(record: Experiment) -> Sequence[Any]:
    return [run.get("run_id") for run in (*record.runs, record.result)]
