"""What is kept by luck, and what it costs in runs, beside keeping every lower number."""

import random
from typing import Any

from harness.noise import above
from harness.settings import RULE
from tests.harness.luck import sessions_of

_SESSIONS = 300
_EXPERIMENTS = 30


def figures() -> list[dict[str, Any]]:
    """Simulated nights with our rule: changes that gain nothing, and changes that gain 2 and 4 sigma."""
    chance = random.Random(4)  # noqa: S311  # luck, not a secret
    many = {"sessions": _SESSIONS, "experiments": _EXPERIMENTS}
    nothing, two, four = (sessions_of(chance, gain, RULE, **many) for gain in (0.0, 2.0, 4.0))
    promised = 1.5 * above(RULE.k)
    return [
        _figure("kept of changes that gain nothing (reference: every lower number)", nothing.kept, nothing.lower,
                f"value <= {promised:.3f}", met=nothing.kept <= promised),
        _figure("kept of changes that gain 2 sigma (reference: every lower number)", two.kept, two.lower,
                "none", met=True),
        _figure("kept of changes that gain 4 sigma (reference: every lower number)", four.kept, four.lower,
                ">= 0.95", met=four.kept >= 0.95 * four.lower),
        _figure("runs an experiment that gains nothing takes (reference: one)", nothing.runs, 1.0,
                "value <= 2", met=nothing.runs <= 2),
    ]  # fmt: skip


def _figure(name: str, value: float, reference: float, goal: str, *, met: bool) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": "",
        "reference": reference,
        "ratio": value / reference,
        "goal": goal,
        "met": met,
    }
