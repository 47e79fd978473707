"""What a run can be confined to on this machine. Found by confining a process that does nothing."""

from typing import Final

from autoresearch_tui.doctor.check import Check
from harness.sandbox import ATTRIBUTES, COUNT, FILES, NETWORK, Enforced

# What helps against what is missing; the first that applies is said.
_HELP: Final = {
    FILES: "boot Linux 5.13 or newer with landlock in its list of security modules",
    NETWORK: "let this container filter system calls (seccomp) or make namespaces",
    ATTRIBUTES: "let this container filter system calls (seccomp)",
    COUNT: "run as another user than root",
}
# With these open, a genome could read the validation text, or send what it finds to somebody.
_GRAVE: Final = {FILES, NETWORK}


def check_sandbox(offered: Enforced | str) -> Check:
    """The check of what `harness.sandbox.probe` found. Runs go on with what there is, and every result says so."""
    if isinstance(offered, str):
        return Check("sandbox", False, f"no run will start: {offered}")
    if not offered.missing:
        ways = ", ".join(offered.held[name] for name in (FILES, NETWORK) if name in offered.held)
        return Check("sandbox", True, f"everything is confined: {ways}")
    open_ones = ", ".join(f"{name} ({why})" for name, why in offered.missing.items())
    helps = next((f"; {text}" for name, text in _HELP.items() if name in offered.missing), "")
    return Check("sandbox", False if _GRAVE & offered.missing.keys() else None, f"not confined: {open_ones}{helps}")
