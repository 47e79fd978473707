"""The real window in a real terminal, on a real session: what happens to it must not happen to the session."""

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessions import store
from sessions.client import ask
from sessions.store import SessionDir, find_session, is_supervised, locked

pytestmark = pytest.mark.timeout(120)

# Writes as fast as its terminal takes it, for ever.
FLOOD = "import itertools\nfor n in itertools.count():\n    print(f'line {n} ' + 'x' * 60)\n"
GENOME = "def build_model(spec):\n    raise SystemExit(3)\n\n\ndef train(model, run):\n    pass\n"


@pytest.fixture(scope="module")
def session() -> Iterator[SessionDir]:
    """A running session whose agent floods its terminal."""
    home = Path(tempfile.mkdtemp(prefix="art-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store.HOME_VARIABLE, str(home))
        lab = home / "lab"
        lab.mkdir()
        (lab / "train.py").write_text(GENOME)
        identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "base"]):
            subprocess.run(["git", *words], cwd=lab, check=True)
        new = [sys.executable, "-m", "autoresearch_tui", "new", "--detach", "--tag", "w", "--lab", str(lab), "--"]
        subprocess.run([*new, sys.executable, "-c", FLOOD], check=True, stdout=subprocess.DEVNULL, timeout=60)
        yield find_session("w")
        if is_supervised(find_session("w")):
            ask(find_session("w"), "stop", timeout_s=30)
            with locked(find_session("w"), patience_s=30):
                pass
    shutil.rmtree(home)


class Window:
    """`autoresearch-tui attach` in a terminal of its own."""

    def __init__(self, cols: int = 100, rows: int = 30) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(sys.executable, [sys.executable, "-m", "autoresearch_tui", "attach", "w"])  # noqa: S606 - no shell
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self._seen = b""

    def until(self, text: bytes, within_s: float = 30.0) -> None:
        """Read until the window has drawn `text` anew."""
        self._seen = b""
        deadline = time.monotonic() + within_s
        while text not in self._seen:
            assert select.select([self.fd], [], [], deadline - time.monotonic())[0], f"no {text!r}"
            self._seen = self._seen[-4096:] + os.read(self.fd, 65536)

    def end(self) -> int:
        """Read on until the window has ended; its wait status."""
        with contextlib.suppress(OSError):  # EIO: nobody holds the other side any more
            while os.read(self.fd, 65536):
                pass
        os.close(self.fd)
        return os.waitpid(self.pid, 0)[1]


def viewers(session: SessionDir, wanted: int) -> None:
    """Wait until the supervisor counts so many viewers."""
    deadline = time.monotonic() + 20
    while ask(session, "status")["viewers"] != wanted:
        assert time.monotonic() < deadline


def test_a_killed_window_leaves_the_session_alone(session: SessionDir) -> None:
    """After kill -9 of the window the same supervisor and agent run on, and a new window shows them."""
    before = ask(session, "status")
    window = Window()
    window.until(b"line ")
    os.kill(window.pid, signal.SIGKILL)
    window.end()
    viewers(session, 0)
    after = ask(session, "status")
    assert (after["pid"], after["agent_pid"]) == (before["pid"], before["agent_pid"])
    again = Window()
    again.until(b"line ")
    os.write(again.fd, b"q")
    assert os.waitstatus_to_exitcode(again.end()) == 0


def test_a_window_whose_terminal_is_gone_leaves_the_session_alone(session: SessionDir) -> None:
    """When the terminal is torn away the window ends and the session does not."""
    window = Window()
    window.until(b"line ")
    os.close(window.fd)
    os.waitpid(window.pid, 0)
    viewers(session, 0)
    assert ask(session, "status")["agent_pid"]


def test_two_windows_on_one_session(session: SessionDir) -> None:
    """A second attach is welcome: both are counted, both are shown the agent."""
    first, second = Window(), Window(120, 40)
    first.until(b"line ")
    second.until(b"line ")
    viewers(session, 2)
    first.until(b"line ")
    for window in (first, second):
        os.write(window.fd, b"q")
        window.end()


def test_a_window_that_stops_reading_slows_nobody(session: SessionDir) -> None:
    """With a stopped window the agent writes on and the supervisor answers; woken, the window catches up."""
    window = Window()
    window.until(b"line ")
    os.kill(window.pid, signal.SIGSTOP)
    other = Window()
    for _ in range(20):
        other.until(b"line ")
        assert ask(session, "status", timeout_s=5)["agent_pid"]
    os.write(other.fd, b"q")
    other.end()
    os.kill(window.pid, signal.SIGCONT)
    window.until(b"line ")
    os.kill(window.pid, signal.SIGKILL)
    window.end()
