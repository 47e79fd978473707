"""How far an experiment's number can be believed, in a mark and a few words. Pure.

It judges nothing anew: what decided is in the record.
"""

import re
from typing import Final

from autoresearch_tui.format import MISSING
from harness.result import Experiment
from harness.text import one_line

IN_NOISE: Final = "~"
NOISE_UNKNOWN: Final = "?"

# What lies beyond two standard errors, on either side. It decides no verdict.
_LUCK: Final = 0.0228
# A flag that opens so is of a run that was repeated, or of which the result itself tells.
_OF_A_RUN: Final = re.compile(r"run [\d, ]+ of \d+: ")


def mark(one: Experiment) -> str:
    """`IN_NOISE` where the difference to the incumbent may be luck, `NOISE_UNKNOWN` where nobody knows, else empty."""
    if one.delta is None or not one.runs:  # a baseline, no number, or a ledger from before noise was measured
        return ""
    if one.confidence is None:
        return NOISE_UNKNOWN
    return IN_NOISE if _LUCK < one.confidence < 1 - _LUCK else ""


def sure(one: Experiment) -> str:
    """How sure it is that it is better than the incumbent: "97 %"; never "100 %", which nothing is."""
    if one.confidence is None or one.delta is None:
        return MISSING
    share = one.confidence * 100
    return ">99 %" if share > 99 else "<1 %" if share < 1 else f"{share:.0f} %"


def runs(one: Experiment) -> str:
    """How many runs its number is from."""
    return str(len(one.runs)) if one.runs else MISSING


def doubts(one: Experiment) -> list[str]:
    """What a person should know of it, one line each: its flags, and the taints of the run that decided."""
    cleaned = [one_line(str(line), 120) for line in [*one.flags, *_taints(one)]]
    return [line for i, line in enumerate(cleaned) if line and not any(line in other for other in cleaned[:i])]


def is_alarming(one: Experiment) -> bool:
    """Whether a person should look at it: the run that decided was tainted, or something else was flagged."""
    return bool(_taints(one)) or any(not _OF_A_RUN.match(str(flag)) for flag in one.flags)


def _taints(one: Experiment) -> list[object]:
    taints = one.result.get("taints")
    return taints if isinstance(taints, list) else []
