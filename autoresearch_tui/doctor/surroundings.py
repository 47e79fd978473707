"""Where the product runs and keeps things: locale, terminal, directories, disk, the login it was started from."""

import os
import pwd
import shlex
import shutil
import stat
import sys
from pathlib import Path
from typing import Final

from autoresearch_tui.doctor import logind
from autoresearch_tui.doctor.check import Check
from harness.errors import ClearError
from harness.text import one_line
from sessions.store import HOME_VARIABLE, SessionDir

_GIB: Final = 1 << 30
_FREE_BYTES: Final = 2 * _GIB  # the corpus, and a night of working copies, logs and weights
_COLUMNS: Final = 80
_ROWS: Final = 24
# unix(7): 108 bytes with the NUL; 104 on macOS.
_SOCKET_PATH_BYTES: Final = 103
_LONGEST_TAG: Final = 24  # harness.text.slug's limit


def check_locale(codeset: str) -> Check:
    """The character set of the locale, which agents inherit."""
    if codeset.upper().replace("-", "") == "UTF8":
        return Check("locale", True, codeset)
    return Check("locale", False, f"{codeset}; agents and charts need UTF-8", "export LC_ALL=C.UTF-8")


def check_terminal() -> Check:
    """The terminal on standard output: that it can be drawn on, its colours, its size."""
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):  # a pipe or a file; ValueError: standard output is not a file at all
        return Check("terminal", None, "standard output is not a terminal: the verbs work, the window does not")
    term = os.environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        return Check("terminal", False, f"TERM={term} cannot be drawn on", "export TERM=xterm-256color")
    if os.environ.get("COLORTERM", "") in {"truecolor", "24bit"}:
        colours = "16 million colours"
    else:
        colours = "256 colours" if "256" in term else "16 colours"
    detail = f"{columns}x{rows}, {colours}, TERM={one_line(term, 40)}"
    if columns < _COLUMNS or rows < _ROWS:
        return Check("terminal", False, f"{detail}; the window wants {_COLUMNS}x{_ROWS}: enlarge it")
    return Check("terminal", True, detail)


def check_state(home: Path) -> Check:
    """Where sessions are kept: writable, nobody else's, and short enough for the sockets in it."""
    elsewhere = f"export {HOME_VARIABLE}=$HOME/.art"
    longest = SessionDir(home / "sessions" / ("t" * _LONGEST_TAG)).socket
    excess = len(os.fsencode(longest)) - _SOCKET_PATH_BYTES
    if excess > 0:
        return Check("state", False, f"{home} is {excess} bytes too long for a unix socket's path", elsewhere)
    if not _is_there(home):
        place = _nearest(home)
        if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            return Check("state", False, f"{home} cannot be made: {place} cannot be written", elsewhere)
        return Check("state", True, f"{home}, made when it is needed")
    if not (home.is_dir() and os.access(home, os.W_OK | os.X_OK)):
        return Check("state", False, f"{home} is not a directory that can be written", elsewhere)
    facts = home.stat()
    if facts.st_uid != os.geteuid():
        return Check("state", False, f"{home} belongs to another user", elsewhere)
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o077:
        return Check(
            "state", False, f"{home} is open to others (mode {mode:04o})", f"chmod 700 {shlex.quote(str(home))}"
        )
    return Check("state", True, f"{home}, yours alone")


def check_disk(*places: Path) -> Check:
    """Room at the places where things are kept; the fullest one is shown."""
    free = {place: shutil.disk_usage(place).free for place in map(_nearest, places)}
    fullest = min(free, key=free.__getitem__)
    detail = f"{free[fullest] / _GIB:.1f} GiB free at {fullest}"
    if free[fullest] >= _FREE_BYTES:
        return Check("disk", True, detail)
    detail = f"{detail}; a night wants {_FREE_BYTES // _GIB}: make room, or choose another disk"
    return Check("disk", False, detail, f"export {HOME_VARIABLE}=DIRECTORY")


def check_corpus(directory: Path) -> Check:
    """The prepared corpus, by its manifest; every run checks the files themselves."""
    from harness.manifest import read_manifest  # numpy comes with it

    if not _is_there(directory):
        return Check("corpus", None, "not prepared yet; the first session does it", "autoresearch-tui prepare")
    try:
        manifest = read_manifest(directory)
    except ClearError as error:
        return Check("corpus", False, one_line(str(error)), "autoresearch-tui prepare --fresh")
    return Check("corpus", True, f"{manifest.identity} in {directory}")


def check_login(root: Path = Path("/")) -> Check:
    """Whether a session outlives the login that started it; `root` is where the system's files are."""
    if not (root / "run/systemd/system").is_dir():
        return Check("logout", True, "no systemd here: nothing ends a session when you log out")
    if not logind.kills(logind.settings(root), _user()):
        return Check("logout", True, "sessions outlive it (KillUserProcesses is not on for you)")
    try:
        cgroup = (root / "proc/self/cgroup").read_text(encoding="utf-8")
    except OSError:
        cgroup = ""
    if cgroup and not logind.in_login_scope(cgroup):
        return Check("logout", True, "sessions that you start from here outlive it: this is not the login's scope")
    mend = "loginctl enable-linger && systemd-run --user --scope autoresearch-tui"
    return Check("logout", False, "systemd ends sessions when you log out (KillUserProcesses=yes)", mend)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's number without a name
        return str(os.geteuid())


def _is_there(path: Path) -> bool:
    """Like `Path.exists`, which raises where a parent may not be entered."""
    return os.access(path, os.F_OK)


def _nearest(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if _is_there(one))
