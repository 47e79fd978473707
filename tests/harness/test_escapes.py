"""The sandbox, from inside: every way out that is in `tests/harness/escapes/`, with it and without it."""

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.sandbox import ATTRIBUTES, COUNT, FILES, PRIORITIES, SOCKETS, Enforced
from tests.harness.escapes.attempt import CALLS, CONTENT
from tests.harness.escapes.trying import aims, attempts

CHECKOUT = Path(__file__).resolve().parents[2]
ROOT = os.getuid() == 0
NOBODY = pwd.getpwnam("nobody").pw_uid
USERS = [pytest.param(os.getuid(), id="root" if ROOT else "user")] + [pytest.param(NOBODY, id="nobody")] * ROOT

# What the attempts are aimed at: a process of the same user that holds a secret.
VICTIM = """
import ctypes, os, signal, sys
uid = int(sys.argv[1])
if uid != os.getuid():
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
secret = ctypes.create_string_buffer(b"sixteen letters!", 16)
print(ctypes.addressof(secret), os.pipe()[1], flush=True)
signal.pause()
"""

TRYING = "import sys; sys.path.append(sys.argv.pop(1)); from tests.harness.escapes.trying import main; main()"

# Without the sandbox they fail all the same, for this user: what they try is root's, or needs another user's program.
ONLY_ROOT = {"mount_something", "be_root_again"}
ONLY_OTHERS = {"run_a_program_of_roots"}

# What a machine may lack, and what the sandbox must then say is not confined.
LACKS = {
    "landlock": {FILES},
    "new landlock": set(),
    "namespaces": set(),
    "filter": {ATTRIBUTES, SOCKETS, PRIORITIES},
    "control group": {COUNT} if ROOT else set(),
}


@dataclass(frozen=True)
class Tried:
    enforced: Enforced
    outcomes: dict[str, str]


@contextlib.contextmanager
def surroundings(uid: int) -> Iterator[Path]:
    """A place with files that are this user's, sockets that listen, and a process."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="escapes-")))
        place.chmod(0o755)
        outside, tools = place / "outside", place / "tools"
        for folder in (outside, tools, place / "scratch", outside / "folder"):
            folder.mkdir()
        for path in (tools / "own", *(outside / name for name in attempts)):
            path.write_text(CONTENT)
        for kind, name in ((socket.SOCK_STREAM, "listening"), (socket.SOCK_DGRAM, "datagrams")):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            listener.bind(str(outside / name))
            if kind == socket.SOCK_STREAM:
                listener.listen()
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        command = [sys.executable, "-I", "-c", VICTIM, str(uid)]
        victim = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(victim.kill)
        assert victim.stdout is not None
        address, pipe = map(int, victim.stdout.readline().split())
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0escape-{victim.pid}")
        abstract.listen()
        known = {"victim": victim.pid, "port": tcp.getsockname()[1], "address": address, "pipe": pipe}
        (outside / "known.json").write_text(json.dumps(known))
        if ROOT:
            for path in place.rglob("*"):
                os.chown(path, uid, uid)
        program = tools / "id"
        shutil.copy("/usr/bin/id", program)
        program.chmod(0o4755)
        yield place


def try_all(uid: int, lack: str) -> Tried:
    with surroundings(uid) as place:
        done = subprocess.run(
            [sys.executable, "-I", "-B", "-c", TRYING, str(CHECKOUT), str(place), str(uid), lack],
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(place / "tools")},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return Tried(Enforced.from_json(said["enforced"]), said["outcomes"])


@pytest.fixture(scope="module", params=USERS)
def uid(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def confined(uid: int) -> Tried:
    return try_all(uid, "nothing")


@pytest.fixture(scope="module")
def free(uid: int) -> Tried:
    return try_all(uid, "sandbox")


@pytest.fixture(scope="module", params=LACKS)
def lesser(request: pytest.FixtureRequest) -> tuple[str, Tried]:
    return request.param, try_all(os.getuid(), request.param)


@pytest.mark.parametrize("name", attempts)
def test_it_is_refused(confined: Tried, name: str) -> None:
    """No way out of the sandbox leads out, and what stops it is no mistake in the attempt."""
    if aims[name] in confined.enforced.missing:
        pytest.skip(confined.enforced.describe())
    assert "escaped" not in confined.outcomes[name]
    assert "MISTAKE" not in confined.outcomes[name]


@pytest.mark.parametrize("name", attempts)
def test_it_would_work_without(free: Tried, uid: int, name: str) -> None:
    """The same attempt gets out where nothing confines it, so that its failure inside means something."""
    if name in (ONLY_OTHERS if uid == 0 else ONLY_ROOT):
        pytest.skip("not for this user")
    assert free.outcomes[name] == "escaped"


def test_what_is_said_to_be_confined_is(lesser: tuple[str, Tried]) -> None:
    """On a machine that lacks a part, whatever the sandbox still says it confines is confined by the others."""
    lack, tried = lesser
    promised = {name for name, aim in aims.items() if aim in tried.enforced.held}
    promised |= set() if lack == "filter" else {name for name, aim in aims.items() if aim == CALLS}
    assert [name for name in promised if tried.outcomes[name] == "escaped"] == []


def test_what_is_not_confined_is_said(lesser: tuple[str, Tried]) -> None:
    """What a machine's lack leaves open is named with a reason, and it is open."""
    lack, tried = lesser
    assert LACKS[lack] <= tried.enforced.missing.keys()
    assert all(f"NOT CONFINED {name}: " in tried.enforced.describe() for name in LACKS[lack])
    open_aims = {aims[name] for name, outcome in tried.outcomes.items() if outcome == "escaped"}
    assert LACKS[lack] <= open_aims
