"""A confirmation as lines of plain text. Pure."""

from typing import Any

from harness.text import one_line
from sessions.confirmation import Confirmation

_HEAD = ("", "seed", "val_bpb", "steps", "taints")


def confirmation_lines(one: Confirmation) -> list[str]:
    """The runs as a table, the gain at both budgets, and the conclusion."""
    rows = [_HEAD, *(_cells(run) for run in one.runs)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*table, "", _gain(one.short), _gain(one.long), "", one.conclusion]


def _cells(run: dict[str, Any]) -> tuple[str, ...]:
    result = run["result"]
    bpb = result.get("val_bpb")
    ended = one_line(f"{result.get('outcome')}: {result.get('reason')}", 60)
    return (
        "baseline" if run["number"] == 0 else f"#{run['number']}",
        str(run["seed"]),
        f"{bpb:.6f}" if isinstance(bpb, int | float) else ended,
        str(result.get("steps", "")),
        one_line(", ".join(map(str, result.get("taints", []))), 60),
    )


def _gain(facts: dict[str, Any]) -> str:
    gain, error, confidence = facts["gain"], facts["error"], facts["confidence"]
    counts = f"{len(facts['baseline'])} + {len(facts['incumbent'])} runs"
    if gain is None:
        return f"at {facts['budget_s']:g} s: no gain is known ({counts})"
    noise = "" if error is None else f" ± {error:.6f}"
    sure = "" if confidence is None else f", better with {confidence:.1%} confidence"
    return f"at {facts['budget_s']:g} s: gain {gain:+.6f}{noise}{sure} ({counts})"
