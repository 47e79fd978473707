"""What this machine lacks, and the command that mends it. It looks and mends nothing itself.

It asks in the way the product will: the driver through `harness.machine`, the state directory by its permissions,
the terminal by its size. torch is looked up, not loaded. The sandbox is tried on a process that does nothing.
"""

import locale

from autoresearch_tui.doctor.check import Check
from autoresearch_tui.doctor.gpu import check_gpu, machine_sample
from autoresearch_tui.doctor.sandbox import check_sandbox
from autoresearch_tui.doctor.software import check_agents, check_git, check_python, check_torch
from autoresearch_tui.doctor.surroundings import (
    check_corpus,
    check_disk,
    check_locale,
    check_login,
    check_state,
    check_terminal,
)
from harness.sandbox import probe
from harness.settings import EMBEDDED
from sessions.store import cache_home, state_home

__all__ = ["Check", "checks", "render"]


def checks() -> list[Check]:
    """Look at everything; half a second unless the GPU's driver is slow. Raises for nothing that it looks for."""
    gpu, usable = check_gpu(machine_sample())
    return [
        check_python(),
        check_git(),
        check_torch(has_gpu=usable),
        gpu,
        check_sandbox(probe()),
        check_locale(locale.nl_langinfo(locale.CODESET)),
        check_terminal(),
        check_state(state_home()),
        check_disk(state_home(), cache_home()),
        check_corpus(cache_home() / "corpus" / EMBEDDED.name),
        check_agents(),
        check_login(),
    ]


def render(found: list[Check]) -> str:
    """The checks as text: a glyph, a word and a line each, and the command below what wants one."""
    width = max((len(one.name) for one in found), default=0)
    words = {True: "✓ ok  ", False: "✗ mend", None: "– note"}
    lines = []
    for one in found:
        lines.append(f"{words[one.ok]}  {one.name:<{width}}  {one.detail}")
        if one.mend:
            lines.append(f"{'':{width + 10}}→ {one.mend}")
    wrong = [one.name for one in found if one.ok is False]
    return "\n".join([*lines, "", f"to mend: {', '.join(wrong)}" if wrong else "this machine is ready"])
