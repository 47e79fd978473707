"""Start a session's supervisor, detached: it outlives this process, its terminal and its SSH connection.

Only starting: what the supervisor does is `sessions.supervisor`'s business.
"""

import contextlib
import os
import select
import subprocess
import sys
from typing import Final

from harness.errors import ClearError
from sessions.store import HOME_VARIABLE, BusyError, SessionDir, locked, state_home

# What the supervisor says: that it lives, or, with the reason behind it, that it does not.
READY: Final = "ready"
FAILED: Final = "failed: "

# Imports take under a second; the agent gets one more to fail in. The rest is a slow disk.
_READY_WITHIN_S: Final = 30.0
_ENDED_WITHIN_S: Final = 20.0


class LaunchError(ClearError):
    """The supervisor did not come up; the text says why, in one line."""


def start(session: SessionDir) -> None:
    """Start the supervisor of a session and wait until it listens and its agent lives.

    The agent gets this process's environment (its keys live there and nowhere on disk).

    Raises:
        LaunchError: the supervisor or the agent failed; nothing is left running.
        KeyboardInterrupt: likewise: a supervisor whose launcher is gone before it was ready ends itself.
    """
    reading, writing = os.pipe()
    try:
        with session.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "sessions.supervisor", str(session.path), "--ready-fd", str(writing)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                pass_fds=(writing,),
                start_new_session=True,
            )
    except OSError as error:
        os.close(reading)
        raise LaunchError(f"cannot start a supervisor: {error}") from None
    finally:
        os.close(writing)
    message = ""
    try:
        message = _read_to_end(reading, _READY_WITHIN_S)
    finally:
        os.close(reading)
        process.wait()  # it has forked the supervisor off and is gone
        if message != READY:  # it ends, or will when it finds nobody to report to
            with contextlib.suppress(BusyError), locked(session, patience_s=_ENDED_WITHIN_S):
                pass
    if message == READY:
        return
    raise LaunchError(message.removeprefix(FAILED) or f"the supervisor died at its start; see {session.log}")


def _environment() -> dict[str, str]:
    """Ours, with a state directory that means the same from any working directory."""
    chosen = {HOME_VARIABLE: str(state_home())} if os.environ.get(HOME_VARIABLE) else {}
    return {**os.environ, **chosen}


def _read_to_end(fd: int, within_s: float) -> str:
    """What is written to a pipe until its last writer closes it."""
    data = b""
    while select.select([fd], [], [], within_s)[0]:
        chunk = os.read(fd, 4096)
        if not chunk:
            return data.decode("utf-8", "replace").strip()
        data += chunk
    return f"the supervisor said nothing for {within_s:.0f} s"


class ReadyPipe:
    """The supervisor's end: it says once how its start went."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def ready(self) -> bool:
        """The supervisor listens and its agent lives; whether the launcher is there to hear it."""
        return self._say(READY)

    def failed(self, reason: str) -> None:
        """It does not, and why, in one line."""
        self._say(FAILED + reason)

    def _say(self, message: str) -> bool:
        if self._fd is None:
            return True
        try:
            os.write(self._fd, message.encode())
        except BrokenPipeError:
            return False
        finally:
            os.close(self._fd)
            self._fd = None
        return True
