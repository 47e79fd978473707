"""Judgement: whether a change was tried before. Pure; the words are written for the agent."""

import hashlib
from collections.abc import Iterable, Sequence

from harness.result import Experiment
from harness.text import one_line
from harness.verdict import Verdict


def identity(diff: str) -> str:
    """What is the same for two diffs that change the same lines to the same; empty where a diff does not say.

    Where in a file they do it, and with how much white space, does not count.

    Args:
        diff: git's, without context lines.
    """
    lines = [line for line in diff.splitlines() if not line.startswith(("@@ ", "index "))]
    if not lines or any(line.startswith("Binary files ") for line in lines):
        return ""
    text = "\n".join(f"{line[:1]}{' '.join(line[1:].split())}" for line in lines)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def judged(records: Iterable[Experiment]) -> list[Experiment]:
    """The experiments that a later one can repeat: one that was stopped said nothing of its change."""
    return [one for one in records if one.verdict != Verdict.ABORTED]


def refusal(same: Experiment) -> str:
    """Why a genome is refused that ran before as `same`, in one line."""
    number = "gave no val_bpb" if same.val_bpb is None else f"val_bpb {same.val_bpb:.6f}"
    return (
        f"this is experiment {same.number} again, to the letter ({one_line(same.verdict, 20)}, {number}); change "
        'something, or run it all the same: autoresearch-tui try --again -m "..."'
    )


def note(change: str, parent: str, same: Experiment | None, earlier: Sequence[Experiment]) -> str:
    """What to tell of an experiment that repeats an earlier one, in some words; empty where it does not.

    Args:
        change: identity of its change.
        parent: the incumbent that it changes.
        same: the earlier experiment whose genome was the same, if there is one.
        earlier: those before it that said something of their change.
    """
    if same is not None:
        return f"the same as {_told(same)}, run again"
    one = next((one for one in reversed(earlier) if change and one.change == change), None)
    if one is None:
        return ""
    if one.parent == parent:  # to other places, or with other white space
        return f"nearly the same change as {_told(one)}"
    return f"the same change as {_told(one)}, on another incumbent"


def note_on(record: Experiment, records: Sequence[Experiment]) -> str:
    """The same of an experiment that has its verdict; `records` may hold it and what came after."""
    earlier = judged(one for one in records if one.number < record.number)
    ran = record.result.get("genome_sha256")
    same = next((one for one in reversed(earlier) if ran and one.result.get("genome_sha256") == ran), None)
    return note(record.change, record.parent, same, earlier)


def _told(one: Experiment) -> str:
    delta = "" if one.delta is None else f", {one.delta:+.4f}"
    return f"#{one.number} ({one_line(one.verdict, 20)}{delta})"
