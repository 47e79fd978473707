"""What a look at one thing yields. A leaf: values and how a mending command is worded."""

import os
import shutil
from dataclasses import dataclass

from harness.result import Record


@dataclass(frozen=True)
class Check(Record):
    """One thing that was looked at.

    Attributes:
        name: what, one word.
        ok: None where it is absent, or could not be looked at, and nothing needs it.
        detail: what was found; one line.
        mend: the command that mends it, or "".
    """

    name: str
    ok: bool | None
    detail: str
    mend: str = ""


_INSTALLERS = (
    ("apt-get", "install -y"),
    ("dnf", "install -y"),
    ("zypper", "install -y"),
    ("pacman", "-S --noconfirm"),
    ("apk", "add"),
)


def as_root(command: str) -> str:
    """The command as this user can give it. Rented boxes are often root's, without a sudo."""
    return command if os.geteuid() == 0 else f"sudo {command}"


def install(package: str) -> str:
    """The command that installs a package of this system."""
    for tool, words in _INSTALLERS:
        if shutil.which(tool):
            return as_root(f"{tool} {words} {package}")
    return f"install {package} with the system's package manager"
