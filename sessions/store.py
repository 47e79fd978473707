"""Session directories: where things lie, records replaced atomically, one supervisor each.

Disk is the truth; sockets are the live view. This module neither judges nor talks to anyone.

    <state>/sessions/<id>/      0700
        session.json            what was asked for: `SessionSpec`
        lock                    held by the living supervisor
        sock                    its unix socket, 0600
        journal.jsonl           every event and decision, one object a line
        experiments.jsonl       one object an experiment: the truth
        replicates.jsonl        one object a further run of a kept commit, by which the noise is measured
        results.tsv             the ecosystem's five columns, made from it
        status.json             the last `Status`, for when no supervisor lives
        nudges.json             what the person asked to have typed, not typed yet
        agent.json              which of the agent's own conversations is ours
        usage.json              what the agent has used so far, and how far its log was read
        inflight.json           the run in progress, so that a crash does not lose it
        supervisor.log          what the supervisor printed
        worktree/               where the agent works
        runs/<number>/          an experiment's first run: working copy, scratch, log; others in folders of it
        compiled/               what compilers keep from one run to the next
        bin/                    `autoresearch-tui` for the agent's PATH, and the hook client
        agent/                  settings files of the session's own that its agent is given
        casts/                  recordings of its terminal, if they were asked for
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from harness.errors import ClearError
from harness.result import RecordError
from sessions.spec import SessionSpec

APP: Final = "autoresearch-tui"
HOME_VARIABLE: Final = "AUTORESEARCH_TUI_HOME"

# A unix socket's path must fit into sockaddr_un.sun_path, 108 bytes with its NUL (unix(7)); 104 on macOS.
_SOCKET_PATH_LIMIT: Final = 103


class StoreError(ClearError):
    """A session directory that is missing, taken, or not what it should be; the text is for the person."""


def state_home() -> Path:
    """Where all state lives: `$AUTORESEARCH_TUI_HOME`, else the user's state directory."""
    chosen = os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_state_dir(APP))


def cache_home() -> Path:
    """Where what can be made again lives, the corpus first of all."""
    chosen = os.environ.get(HOME_VARIABLE)
    return state_home() / "cache" if chosen else Path(platformdirs.user_cache_dir(APP))


def config_home() -> Path:
    """Where the person's own profiles live."""
    chosen = os.environ.get(HOME_VARIABLE)
    return state_home() / "config" if chosen else Path(platformdirs.user_config_dir(APP))


def leases_home() -> Path:
    """Where the runs of all sessions wait for their turn on a GPU."""
    return state_home() / "leases"


@dataclass(frozen=True)
class SessionDir:
    """One session's directory and the places in it."""

    path: Path

    @property
    def id(self) -> str:
        """The session's id: its directory's name."""
        return self.path.name

    @property
    def spec_file(self) -> Path:
        return self.path / "session.json"

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def socket(self) -> Path:
        return self.path / "sock"

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def experiments(self) -> Path:
        return self.path / "experiments.jsonl"

    @property
    def replicates(self) -> Path:
        return self.path / "replicates.jsonl"

    @property
    def results(self) -> Path:
        return self.path / "results.tsv"

    @property
    def inflight(self) -> Path:
        return self.path / "inflight.json"

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def nudges(self) -> Path:
        return self.path / "nudges.json"

    @property
    def log(self) -> Path:
        return self.path / "supervisor.log"

    @property
    def worktree(self) -> Path:
        return self.path / "worktree"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def compiled(self) -> Path:
        return self.path / "compiled"

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    @property
    def command(self) -> Path:
        return self.bin / "autoresearch-tui"

    @property
    def hook(self) -> Path:
        return self.bin / "hook"

    @property
    def agent_files(self) -> Path:
        return self.path / "agent"

    @property
    def conversation(self) -> Path:
        return self.path / "agent.json"

    @property
    def usage(self) -> Path:
        return self.path / "usage.json"

    @property
    def casts(self) -> Path:
        return self.path / "casts"

    def spec(self) -> SessionSpec:
        """Read `session.json`.

        Raises:
            StoreError: it is missing or broken.
        """
        try:
            return SessionSpec.from_json(self.spec_file.read_bytes())
        except FileNotFoundError:
            raise StoreError(f"no session {self.id!r}; `autoresearch-tui ls` lists them") from None
        except (OSError, RecordError) as error:
            raise StoreError(f"session {self.id}: {self.spec_file.name} cannot be read: {error}") from None


def sessions_home() -> Path:
    """The directory that holds all sessions."""
    return state_home() / "sessions"


def session_dirs() -> list[SessionDir]:
    """All session directories, the newest last; those without a `session.json` are left out."""
    home = sessions_home()
    if not home.is_dir():
        return []
    found: list[tuple[float, SessionDir]] = []
    for path in home.iterdir():
        with contextlib.suppress(OSError):  # no session, or one that is being made or removed right now
            found.append(((path / "session.json").stat().st_mtime, SessionDir(path)))
    return [one for _at, one in sorted(found, key=lambda pair: (pair[0], pair[1].id))]


def find_session(name: str | None) -> SessionDir:
    """The session of that id or unique beginning; None: the one of the working directory, else the only one.

    Raises:
        StoreError: there is none, or several.
    """
    everything = session_dirs()
    if name is None:
        here = Path.cwd()
        around = [one for one in everything if here.is_relative_to(one.worktree.resolve())]
        everything = around or everything
        if len(everything) == 1:
            return everything[0]
        names = ", ".join(one.id for one in everything)
        raise StoreError(f"which session? {names}" if everything else "no session; `autoresearch-tui new` starts one")
    matching = [one for one in everything if one.id == name] or [one for one in everything if one.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise StoreError(f"{name!r} could be any of: {', '.join(one.id for one in matching)}")
    raise StoreError(f"no session {name!r}; `autoresearch-tui ls` lists them")


def create_session(spec: SessionSpec) -> SessionDir:
    """Make the directory of a new session and write its `session.json`.

    Raises:
        StoreError: the id is taken, or the socket's path would be too long, or the directory cannot be written.
    """
    session = SessionDir(sessions_home() / spec.session)
    if len(os.fsencode(session.socket)) > _SOCKET_PATH_LIMIT:
        raise StoreError(
            f"{session.socket} is too long for a unix socket ({_SOCKET_PATH_LIMIT} bytes); "
            f"set {HOME_VARIABLE} to a shorter directory, or choose a shorter --tag"
        )
    if session.path.exists():
        raise StoreError(f"a session {spec.session!r} exists; choose another --tag")
    try:
        private_dir(state_home())
        private_dir(sessions_home())
        session.path.mkdir(mode=0o700)
        replace_file(session.spec_file, spec.to_json() + "\n")
        private_dir(session.runs)
    except (OSError, UnicodeError) as error:
        shutil.rmtree(session.path, ignore_errors=True)
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(
            f"cannot write {session.path}: {why}; set {HOME_VARIABLE} to a directory that can be written"
        ) from None
    return session


def private_dir(path: Path) -> Path:
    """Make a directory that only its owner may enter, if it is not there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one and nothing between.

    Raises:
        OSError: the disk is full, or the place cannot be written; the old file is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class BusyError(StoreError):
    """Another process holds the session's lock."""


@contextlib.contextmanager
def locked(session: SessionDir, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the session's lock: there is one supervisor. Somebody who only looks holds it for a moment, too.

    Raises:
        BusyError: it is still held after `patience_s` seconds.
    """
    with session.lock_file.open("a") as stream:
        os.fchmod(stream.fileno(), 0o600)
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError(f"session {session.id} has a supervisor already") from None
                time.sleep(0.02)
        yield


def is_supervised(session: SessionDir) -> bool:
    """Whether a supervisor lives, which is whether its lock is held: a pid could be somebody else's by now."""
    try:
        with locked(session):
            return False
    except BusyError:
        return True
    except OSError:
        return False
