"""Session directories, atomic records, the lock and the journal."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sessions import store
from sessions.journal import Journal
from sessions.spec import SessionSpec
from sessions.store import SessionDir, StoreError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of this test's own."""
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "h"))
    monkeypatch.setattr(store, "_SOCKET_PATH_LIMIT", 4096)  # pytest's paths are long; one test is about the limit
    return tmp_path / "h"


def spec(session: str = "nov23") -> SessionSpec:
    return SessionSpec(
        session=session,
        agent="generic",
        argv=["cat"],
        lab="/lab",
        branch=f"autoresearch/{session}",
        base="0" * 40,
        corpus="/corpus",
        preset="embedded",
        budget_s=20.0,
    )


def test_a_created_session_is_found_again() -> None:
    """What `create_session` wrote is what `find_session` and `spec` read."""
    created = store.create_session(spec())
    assert store.find_session("nov23") == created == store.find_session("nov") == store.find_session(None)
    assert created.spec() == spec()


def test_directories_are_private(home: Path) -> None:
    """Only the owner may enter the state directory and a session's."""
    session = store.create_session(spec())
    for path in (home, home / "sessions", session.path, session.runs):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(session.spec_file.stat().st_mode) == 0o600


def test_a_taken_tag_is_refused() -> None:
    """A second session of the same id is refused and the first one untouched."""
    first = store.create_session(spec())
    with pytest.raises(StoreError, match="choose another --tag"):
        store.create_session(spec())
    assert first.spec() == spec()


def test_a_path_too_long_for_a_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the socket could not be bound the session is refused before anything is made, and the mend is named."""
    monkeypatch.setattr(store, "_SOCKET_PATH_LIMIT", 20)
    with pytest.raises(StoreError, match=store.HOME_VARIABLE):
        store.create_session(spec())
    assert store.session_dirs() == []


def test_a_place_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state directory where nobody can write, not even root, gives one line that names it."""
    monkeypatch.setenv(store.HOME_VARIABLE, "/proc/nowhere")
    with pytest.raises(StoreError, match="cannot write /proc/nowhere"):
        store.create_session(spec())


def test_a_file_where_the_state_directory_should_be_is_named(home: Path) -> None:
    """A state directory that cannot be made gives one line that names it."""
    home.write_text("")
    with pytest.raises(StoreError, match=store.HOME_VARIABLE):
        store.create_session(spec())


def test_an_ambiguous_name_lists_the_candidates() -> None:
    """A beginning that fits two sessions, or no name with two sessions, names both."""
    store.create_session(spec("nov23"))
    store.create_session(spec("nov24"))
    for name in ("nov", None):
        with pytest.raises(StoreError, match="nov23, nov24"):
            store.find_session(name)


def test_the_working_directory_chooses_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a session's worktree that session is meant, whatever others there are."""
    store.create_session(spec("nov23"))
    other = store.create_session(spec("nov24"))
    inside = other.worktree / "deep"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert store.find_session(None) == other


def test_a_broken_spec_is_named() -> None:
    """A session.json that is not one is an error that names the session and the file."""
    session = store.create_session(spec())
    session.spec_file.write_text('{"session": "nov23"}')
    with pytest.raises(StoreError, match=r"nov23: session\.json cannot be read"):
        session.spec()


def test_a_replaced_file_is_old_or_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the old contents are still there, and no temporary file is left."""
    path = tmp_path / "record"
    store.replace_file(path, "old")

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.replace_file(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["record"]


def test_there_is_one_supervisor() -> None:
    """While one process holds the lock another can't have it, and the session counts as supervised; then not."""
    session = store.create_session(spec())
    assert not store.is_supervised(session)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib\n"
            "from sessions.store import SessionDir, locked\n"
            "with locked(SessionDir(pathlib.Path(sys.argv[1]))):\n"
            "    print('held', flush=True)\n"
            "    sys.stdin.read()\n",
            str(session.path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert store.is_supervised(session)
        with pytest.raises(store.BusyError), store.locked(session):
            pass
        holder.communicate()
    assert not store.is_supervised(session)


def test_a_killed_supervisor_leaves_no_lock() -> None:
    """After kill -9 of the holder the lock is free: nothing stale to clean up."""
    session = store.create_session(spec())
    code = (
        "import os, pathlib, signal, sys\n"
        "from sessions.store import SessionDir, locked\n"
        "with locked(SessionDir(pathlib.Path(sys.argv[1]))):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(session.path)], check=False)
    assert not store.is_supervised(session)
    with store.locked(session):
        pass


def test_a_journal_keeps_what_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries made while the disk is full are written, in order, once it is not."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add("first")
    write = os.write

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    journal.add("second", text="ü")
    journal.add("third")
    assert journal.pending == 2
    monkeypatch.setattr(os, "write", write)
    assert journal.flush()
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert kinds == ["first", "second", "third"]


def test_the_directory_is_the_sessions_id(tmp_path: Path) -> None:
    """A session is named by its directory."""
    assert SessionDir(tmp_path / "nov23").id == "nov23"


def test_a_session_that_could_not_be_written_leaves_no_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the tag is free again, and the same command works once there is space."""

    def full(_path: Path, _text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "replace_file", full)
        with pytest.raises(StoreError, match="No space left"):
            store.create_session(spec())
    assert store.create_session(spec()).spec() == spec()


def test_a_symlinked_state_directory_is_recognised_from_inside(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worktree is found as the working directory's also when the way to it leads over a link."""
    session = store.create_session(spec())
    store.create_session(spec("nov24"))
    session.worktree.mkdir()
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setenv(store.HOME_VARIABLE, str(tmp_path / "link"))
    monkeypatch.chdir(session.worktree)
    assert store.find_session(None).id == session.id
