"""How far a session got and how fast, from its status or its ledger. Pure."""

from dataclasses import dataclass

from autoresearch_tui.changes import Link
from autoresearch_tui.state import SessionView
from harness.result import Experiment
from harness.verdict import Verdict


@dataclass(frozen=True)
class Score:
    """How far a session got. val_bpb in bits per byte; `kept` and `total` leave the baseline and aborted runs out.

    `sigma` is the run-to-run standard deviation of val_bpb; None: not known.
    """

    best: float | None
    best_number: int | None
    baseline: float | None
    kept: int
    total: int
    sigma: float | None = None

    @property
    def gain(self) -> float | None:
        """The best less the baseline; negative is better."""
        return None if self.best is None or self.baseline is None else self.best - self.baseline


def score(view: SessionView) -> Score:
    """From the status of a living supervisor, else from the ledger."""
    status = view.status
    if status is not None and view.link is Link.LIVE:
        return Score(status.best, status.best_number, status.baseline, status.kept, status.total, status.sigma)
    kept = [one for one in view.experiments if one.verdict == Verdict.KEEP and one.val_bpb is not None]
    judged = [one for one in view.experiments if one.number > 0 and one.verdict != Verdict.ABORTED]
    return Score(
        best=kept[-1].val_bpb if kept else None,
        best_number=kept[-1].number if kept else None,
        baseline=kept[0].val_bpb if kept else None,
        kept=sum(1 for one in kept if one.number > 0),
        total=len(judged),
        sigma=next((one.sigma for one in reversed(view.experiments) if one.sigma is not None), None),
    )


def incumbent(view: SessionView) -> Experiment | None:
    """The kept experiment that the next one must beat."""
    return next((one for one in reversed(view.experiments) if one.verdict == Verdict.KEEP), None)


def best_so_far(view: SessionView) -> list[float]:
    """The incumbent's val_bpb after each verdict, oldest first. What was discarded or held is no best, however low."""
    return [one.best for one in view.experiments if one.best is not None]


def per_hour(view: SessionView, last: int = 20) -> float | None:
    """Experiments an hour, over the last ones; None before there are three."""
    recent = view.experiments[-last:]
    if len(recent) < 3:
        return None
    hours = (recent[-1].ended_at - recent[0].ended_at) / 3600
    return None if hours <= 0 else (len(recent) - 1) / hours
