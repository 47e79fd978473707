"""The agent's process and its pseudo-terminal: bytes out, bytes in, its size, its end. Nothing here ever blocks.

The only module that imports pexpect, and of that only `spawn`: reading is done by the caller's event loop. It
neither understands what the agent writes nor decides what to type. Launch from a process with one thread: it forks.
"""

import errno
import os
import shutil
import signal
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import pexpect

from harness.errors import ClearError
from harness.text import one_line
from sessions.processes import end_session, started_since
from sessions.protocol import MAX_SIZE, MIN_SIZE

TERM: Final = "xterm-256color"
BACKLOG: Final = 1 << 20
"""Bytes that wait at most for an agent that does not read."""

STATUS_UNKNOWN: Final = 255
"""Exit status of an agent that somebody else has reaped."""

_WRITE_BYTES: Final = 4096  # a PTY takes no more at once


class PtyError(ClearError):
    """The agent cannot be launched or typed to; the text is one line for the person."""


def clamped(cols: int, rows: int) -> tuple[int, int]:
    """The nearest size that agents are known to bear."""
    return min(max(cols, MIN_SIZE[0]), MAX_SIZE[0]), min(max(rows, MIN_SIZE[1]), MAX_SIZE[1])


class AgentPty:
    """A program in a pseudo-terminal, leading a session and process group of its own.

    Attributes:
        pid: of the program.
        fd: the terminal's other side, not blocking, for the event loop to watch.
    """

    def __init__(self, child: Any) -> None:  # pexpect.spawn; its types leave out `ptyproc`
        self.pid: Final[int] = child.ptyproc.pid
        self.fd: Final[int] = child.ptyproc.fd
        self._child = child
        self._backlog = bytearray()
        self._ended = False
        self._status: int | None = None
        os.set_blocking(self.fd, False)

    @classmethod
    def launch(cls, argv: Sequence[str], cwd: Path, env: Mapping[str, str], cols: int, rows: int) -> Self:
        """Start a program; no shell reads `argv`.

        Args:
            argv: the program, sought on `env`'s PATH or, if it contains a slash, from `cwd`; and its arguments.
            cwd: the directory it starts in.
            env: its whole environment, but for what describes the terminal.
            cols: the terminal's width, clamped to what agents bear.
            rows: its height, likewise.

        Raises:
            PtyError: it cannot be started.
        """
        environment = {name: value for name, value in env.items() if name not in {"LINES", "COLUMNS"}}
        environment |= {"TERM": TERM, "COLORTERM": "truecolor"}
        _check_text(argv, environment)
        program = _find(argv, cwd, environment.get("PATH"))
        us = os.getpid()
        try:
            child = pexpect.spawn(
                # pexpect splits a command that comes without arguments, so protect each of its characters.
                program if argv[1:] else "".join(f"\\{character}" for character in program),
                list(argv[1:]),
                env=environment,
                dimensions=clamped(cols, rows)[::-1],
                preexec_fn=lambda: _become_agent(cwd),
            )
        except (OSError, pexpect.ExceptionPexpect) as error:
            traceback.clear_frames(error.__traceback__)  # they hold the terminal, and so the failed process's zombie
            raise PtyError(f"cannot start {one_line(argv[0])}: {_reason(error)}") from None
        finally:
            if os.getpid() != us:  # the forked copy of us failed before it became the agent; it must not go on
                os._exit(127)
        return cls(child)

    def read(self, limit: int = 65536) -> bytes | None:
        """What the agent has written, at most `limit` bytes; None: nothing now.

        Raises:
            EOFError: there will be no more.
        """
        pieces: list[bytes] = []
        room = limit
        while room > 0 and not self._ended:
            try:
                piece = os.read(self.fd, room)  # the kernel gives 4095 bytes at most
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.EIO:  # EIO is how Linux says that nobody holds the other side any more
                    raise
                piece = b""
            self._ended = not piece
            pieces.append(piece)
            room -= len(piece)
        data = b"".join(pieces)
        if not data and self._ended:
            raise EOFError
        return data or None

    def write(self, data: bytes) -> None:
        """Type to the agent. What it does not take now waits for `flush`; to an agent that has ended nothing waits.

        Raises:
            PtyError: more than `BACKLOG` bytes would wait; nothing of `data` is taken.
        """
        if len(self._backlog) + len(data) > BACKLOG:
            raise PtyError(f"the agent does not read its input; {len(self._backlog)} bytes wait for it already")
        self._backlog += data
        self.flush()

    @property
    def unsent(self) -> bool:
        """Whether something waits for `flush`: call it when `fd` can be written to."""
        return bool(self._backlog)

    def flush(self) -> None:
        """Write what waits, as far as the terminal takes it."""
        while self._backlog:
            if self._child.closed:  # by now the number may be another file's
                self._backlog.clear()
                return
            try:
                taken = os.write(self.fd, self._backlog[:_WRITE_BYTES])
            except BlockingIOError:
                return
            except OSError:  # the agent has ended
                self._backlog.clear()
                return
            del self._backlog[:taken]

    def resize(self, cols: int, rows: int) -> tuple[int, int]:
        """Give the terminal the nearest size that agents bear, and say which; the kernel tells the agent."""
        size = clamped(cols, rows)
        if not self._ended:
            self._child.setwinsize(size[1], size[0])
        return size

    def exit_status(self) -> int | None:
        """The agent's exit status, negative for a signal; None while it lives. It leaves no zombie."""
        if self._status is None:
            try:
                pid, raw = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self._status = STATUS_UNKNOWN
            else:
                self._status = os.waitstatus_to_exitcode(raw) if pid else None
        return self._status

    def busy_children(self, since: float) -> bool:
        """Whether a process that the agent started after `since` is still running.

        With `since`, in seconds since the epoch, the time of the last prompt, these are the commands of its turn, also
        those that it left in the background. Servers that it started with itself do not count; one that it starts
        in a turn and keeps does, until the next prompt. It costs well under 2 ms.
        """
        return self.exit_status() is None and started_since(self.pid, since)

    async def hang_up(self, grace_s: float = 2.0) -> int | None:
        """End the agent, all that stayed in its session, and all below it; its exit status.

        SIGHUP with SIGCONT, SIGTERM, SIGKILL, each after a grace if somebody is left. None: even SIGKILL has not ended
        it yet. Read on meanwhile, or an agent that says goodbye waits for its terminal.
        """
        await end_session(self.pid, lambda: self.exit_status() is not None, grace_s)
        return self.exit_status()

    def close(self) -> None:
        """Give the terminal back. An agent that still lives is hung up by the kernel; `hang_up` comes first."""
        if not self._child.closed:
            self._ended = True
            self._child.ptyproc.fileobj.close()
            # pexpect's own close sleeps, kills and waits; tell it that there is nothing left to do.
            self._child.closed = self._child.ptyproc.closed = True


def _check_text(argv: Sequence[str], env: Mapping[str, str]) -> None:
    if not argv or not argv[0]:
        raise PtyError("no command was given")
    for number, text in enumerate(argv):
        if not _can_be_passed(text):
            raise PtyError(
                f"argument {number} of the command holds a NUL, or half a character: {one_line(ascii(text))}"
            )
    for name, value in env.items():
        if not name or "=" in name or not _can_be_passed(name) or not _can_be_passed(value):
            raise PtyError(
                f"an environment variable cannot be passed on: {one_line(ascii(name))}"
            )  # its value is secret


def _can_be_passed(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _find(argv: Sequence[str], cwd: Path, path: str | None) -> str:
    """The absolute path of the program.

    Raises:
        PtyError: there is no such directory or program, or it may not be run.
    """
    name = argv[0]
    if not cwd.is_dir():
        raise PtyError(f"no such directory: {cwd}")
    if "/" not in name:
        found = shutil.which(name, path=path)
        if found is None:
            raise PtyError(f"{one_line(name)} is not on PATH; install it, or give its path")
        return str(Path(found).absolute())
    program = cwd.absolute() / name
    if not program.is_file():
        raise PtyError(f"no such program: {one_line(str(program))}")
    if not os.access(program, os.X_OK):
        raise PtyError(f"{one_line(str(program))} is not executable; `chmod +x` makes it so")
    return str(program)


def _become_agent(cwd: Path) -> None:
    """Between fork and exec: what an exec would inherit of us and an agent must not."""
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:  # Python ignores SIGPIPE, a detached process SIGHUP
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir(cwd)


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENOEXEC:
        return "neither a program for this machine nor a script that begins with #!"
    return os.strerror(number) if number else one_line(str(error))
