"""Taking the wheel: the person's keys go to the agent unchanged, and the agent's screen fills her terminal.

Only the last line is ours. What she types is passed on byte by byte (mouse, pastes and kitty keys included, for her
terminal is put into the input modes that the agent asked for); what the agent draws comes as painted rows, so that
its own queries and modes never reach her terminal. Runs while the window is suspended, and blocks.
"""

import base64
import contextlib
import os
import re
import select
import signal
import socket
import termios
import tty
from collections.abc import Iterator
from typing import Any, Final

from autoresearch_tui.painting import ENTER, LEAVE, RESET_MODES, bar, paint
from sessions.client import open_stream
from sessions.protocol import MIN_SIZE, Frame, decode, encode
from sessions.store import SessionDir

# Ctrl-], as a byte and as kitty's keyboard protocol spells it: its modifiers less one are bits, 4 is ctrl, and locks
# (64, 128) may be on.
_LET_GO: Final = re.compile(rb"\x1d|\x1b\[93(?::\d*)*;(\d+)(?::[12])?u")
_CTRL: Final = 4
_LOCKS: Final = 64 | 128
_BAR: Final = " you have the wheel · nudges are off · ctrl-] gives it back"


def take_the_wheel(session: SessionDir, stdin: int = 0, stdout: int = 1) -> str:
    """Relay until the person lets go; why it ended, or "" if she did.

    Raises:
        UnreachableError: no supervisor answers.
        ProtocolError: it speaks another protocol.
    """
    with contextlib.closing(open_stream(session)) as connection, _raw(stdin), _resizes() as resized:
        try:
            return _Relay(connection, stdin, stdout).run(resized)
        except OSError as error:
            return f"the wheel was lost: {error.strerror or error}"


class _Relay:
    def __init__(self, connection: socket.socket, stdin: int, stdout: int) -> None:
        self._connection = connection
        self._stdin = stdin
        self._stdout = stdout
        self._pending = b""
        self._modes = ""

    def run(self, resized: int) -> str:
        self._ask("wheel", on=True)
        cols, rows = self._size()
        self._ask("watch", screen=True, cols=cols, rows=rows - 1)
        self._show(ENTER)
        socket_fd = self._connection.fileno()
        try:
            while True:
                ready, _, _ = select.select([self._stdin, socket_fd, resized], [], [])
                if resized in ready:
                    os.read(resized, 4096)
                    cols, rows = self._size()
                    self._ask("resize", cols=cols, rows=rows - 1)
                    self._show("\x1b[0m\x1b[2J")
                    self._ask("watch", screen=True)  # a whole frame, please
                if socket_fd in ready and (end := self._receive()) is not None:
                    return end
                if self._stdin in ready and not self._type(os.read(self._stdin, 65536)):
                    return ""
        finally:
            self._show(LEAVE)

    def _ask(self, verb: str, **arguments: Any) -> None:
        self._connection.sendall(encode({"type": "request", "id": 0, "verb": verb, **arguments}))

    def _type(self, keys: bytes) -> bool:
        """Pass keys on; whether the person keeps the wheel."""
        cut = next((one.start() for one in _LET_GO.finditer(keys) if _is_ctrl(one[1])), None)
        typed = keys[:cut]
        if typed:
            self._ask("keys", data=base64.b64encode(typed).decode())
        return cut is None and bool(keys)  # no keys: the terminal is gone

    def _receive(self) -> str | None:
        """Show what came; why it is over, if it is."""
        data = self._connection.recv(1 << 20)
        if not data:
            return "the supervisor went away"
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            message = decode(line)
            if message["type"] == "frame":
                self._paint(Frame.from_wire(message["frame"]))
            elif message["type"] == "bye":
                return str(message.get("reason", ""))
            elif message["type"] == "reply" and not message.get("ok"):
                return str(message.get("error", ""))
        return None

    def _paint(self, frame: Frame) -> None:
        if frame.modes != self._modes:
            self._modes = frame.modes
            self._show(RESET_MODES + frame.modes)
        cols, rows = self._size()
        self._show(paint(frame, rows - 1) + bar(_BAR, rows, cols))

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._stdout)
        except OSError:
            return MIN_SIZE
        return size.columns, size.lines

    def _show(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self._stdout, data) :]


def _is_ctrl(modifiers: bytes | None) -> bool:
    return modifiers is None or (int(modifiers) - 1) & ~_LOCKS == _CTRL


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Every key as it comes, none interpreted; as it was afterwards."""
    before = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


@contextlib.contextmanager
def _resizes() -> Iterator[int]:
    """A descriptor that becomes readable when the terminal's size changes."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def ring(_number: int, _frame: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(writing, b"!")

    before = signal.signal(signal.SIGWINCH, ring)
    try:
        yield reading
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(reading)
        os.close(writing)
