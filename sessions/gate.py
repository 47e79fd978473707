"""Judgement: whether a change may be submitted as an experiment now. Pure; the refusals are written for the agent."""

from collections.abc import Sequence
from typing import Final

_NAMED: Final = 8  # paths in a refusal
_WAIT: Final = "wait for it with `autoresearch-tui try --wait`"


def busy(
    recovering: int | None, running: int | None, waiting: int | None, *, held: bool, measuring: bool = False
) -> str | None:
    """Why nothing can be submitted now, in one line; None where it can. Numbers of experiments, the baseline left out.

    Args:
        recovering: ran when an earlier supervisor died, and has no verdict yet.
        running: is in progress.
        waiting: was submitted and has not started.
        held: whether a person paused the session.
        measuring: whether a replicate of the incumbent runs.
    """
    if recovering is not None:
        return f"experiment {recovering} is being recorded; try again in a moment"
    if running is not None:
        return f"experiment {running} is still running; {_WAIT}"
    if waiting is not None:
        first = "the noise is being measured" if measuring else "the baseline runs first"
        why = "the session is paused" if held else first
        return f"experiment {waiting} has yet to run ({why}); {_WAIT}"
    return None


def refusal(message: str, changed: Sequence[str], genome: Sequence[str], missing: Sequence[str]) -> str | None:
    """Why a submission is refused, in one line; None where it is not.

    Args:
        message: what it tries.
        changed: every path that differs from the incumbent.
        genome: the paths that may.
        missing: those of the genome that are not there.
    """
    if not message:
        return 'say what the change tries: autoresearch-tui try -m "..."'
    if missing:
        return f"{_names(missing)} is missing; `git checkout -- {' '.join(missing)}` brings it back"
    others = [path for path in changed if path not in genome]
    if others:
        return (
            f"only {_names(genome)} may change; also changed: {_names(others)}; "
            "undo that (`git checkout -- FILE`, or delete what is new) and try again"
        )
    if not changed:
        return f"nothing changed: {_names(genome)} is the same as the best version so far; edit it first"
    return None


def _names(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")
