"""What a run may use, as the runner sees it from outside, where no genome can change a clock. Pure.

The trainer's own clock ends the batches and is exact; it lives in the genome's process, though. So these bounds are a
little wider, and hold whatever that process says.
"""

from typing import Final

from harness.settings import ClockKind, Preset

# For the weights to be saved and the process to end; on the wall other load may delay that.
_SAVING_S: Final[dict[ClockKind, float]] = {"cpu": 1.0, "wall": 10.0}
# Of the budget, how far the two clocks may differ besides what was untimed.
_DISAGREEMENT: Final = 0.05

_MEASURE: Final[dict[ClockKind, str]] = {"cpu": "CPU seconds", "wall": "seconds"}


def overspent(outside_s: float, clock: ClockKind, budget_s: float, preset: Preset) -> str:
    """Why training must end, if it goes on: one line; empty if it may.

    Args:
        outside_s: seconds that the trainer and all that it started have used since the clock began.
        clock: that counts.
        budget_s: training seconds that it was given.
        preset: says how much more is untimed.
    """
    most = 1.1 * budget_s + 1.0 + preset.warmup_s + _SAVING_S[clock]
    if outside_s <= most:
        return ""
    return (
        f"training used {outside_s:.1f} {_MEASURE[clock]} of a budget of {budget_s:.1f} s; "
        "train for as long as run.batches() gives batches, in shorter steps"
    )


def contradicted(outside_s: float, told_s: float, clock: ClockKind, budget_s: float, preset: Preset) -> str:
    """Why what the trainer says of its time cannot be: one line; empty if it can.

    Args:
        outside_s: as in `overspent`, until the trainer's end.
        told_s: what its own clock has charged.
        clock: likewise.
        budget_s: likewise.
        preset: likewise.
    """
    most = told_s + preset.warmup_s + _DISAGREEMENT * budget_s + _SAVING_S[clock]
    if outside_s <= most:
        return ""
    return (
        f"training used {outside_s:.1f} {_MEASURE[clock]} where its own clock counted {told_s:.1f}; "
        "whatever it starts is charged, too, and no clock may be changed"
    )


def overfull(written: int, preset: Preset) -> str:
    """Why a run must end that has written so many bytes; empty if it may go on."""
    if written <= preset.scratch_bytes:
        return ""
    return f"the run wrote more than {preset.scratch_bytes / 2**30:.1f} GiB into a directory of its own"
