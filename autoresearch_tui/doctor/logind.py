"""Whether this system kills what a login leaves behind. Reads systemd's files; changes nothing.

With `KillUserProcesses=yes` a supervisor that was started over SSH dies with the connection, however well it is
detached: logind ends the login's whole scope. See logind.conf(5).
"""

import configparser
from pathlib import Path
from typing import Final

_TRUE: Final = {"1", "yes", "y", "true", "t", "on"}
# The later wins, as systemd reads them; of drop-ins with one name, the one in the last of these directories.
_DIRECTORIES: Final = ("usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd")


def settings(root: Path = Path("/")) -> dict[str, str]:
    """Login settings below `root`, keys in lower case: the main file, then the drop-ins by name."""
    mains = [root / one / "logind.conf" for one in _DIRECTORIES]
    files = [one for one in mains if one.is_file()][-1:]
    drop_ins: dict[str, Path] = {}
    for one in _DIRECTORIES:
        drop_ins |= {found.name: found for found in (root / one / "logind.conf.d").glob("*.conf")}
    found: dict[str, str] = {}
    for path in [*files, *(drop_ins[name] for name in sorted(drop_ins))]:
        parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
        try:
            parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
        except (OSError, configparser.Error):
            continue  # systemd passes over what it cannot read, too
        if parser.has_section("Login"):
            found |= {key: (value or "").strip() for key, value in parser.items("Login")}
    return found


def kills(found: dict[str, str], user: str) -> bool:
    """Whether logind ends this user's processes with their login."""
    if found.get("killuserprocesses", "no").lower() not in _TRUE:
        return False
    only = found.get("killonlyusers", "").split()
    excluded = found.get("killexcludeusers", "root").split()
    return user not in excluded and (not only or user in only)


def in_login_scope(cgroup: str) -> bool:
    """Whether a process whose /proc/PID/cgroup this is belongs to a login, and so ends with it."""
    return any(part.startswith("session-") and part.endswith(".scope") for part in cgroup.replace("\n", "/").split("/"))
