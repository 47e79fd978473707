"""The demo agent's terminal: a transcript, a spinner, a composer and a question, drawn on a raw tty.

Part of an external program: standard library only, and nothing of this project. It draws and reads keys like the
agent CLIs that people use; what the agent does is in `sessions.demo_agent`.
"""

import fcntl
import os
import re
import selectors
import signal
import sys
import termios
import textwrap
import time
import tty
from types import TracebackType
from typing import Final, Self

NAME: Final = "demo agent"
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_TICK_S: Final = 0.1
_ESCAPE_S: Final = 0.05  # an Esc that nothing follows for so long is the key, not the beginning of a sequence
_PASTE: Final = re.compile(rb"\x1b\[200~(.*?)\x1b\[201~", re.DOTALL)
_SEQUENCE: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)")
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*)?$|\x1b\[200~")


class QuitError(Exception):
    """The person wants to leave."""


class InterruptedTurnError(Exception):
    """Esc, or ctrl-c, while a turn was in progress."""


class Terminal:
    """A raw terminal that draws itself. Keys are handled whenever the agent waits in `pump` or in what calls it.

    Attributes:
        submitted: prompts that were entered and not taken yet.
    """

    def __init__(self) -> None:
        self.submitted: list[str] = []
        self._transcript: list[str] = []
        self._composer = ""
        self._question: tuple[str, str] | None = None
        self._reply: bool | None = None
        self._busy_since: float | None = None
        self._footer = ""
        self._ctrl_c_at = float("-inf")
        self._input = b""
        self._painted: list[str] = []
        self._selector = selectors.DefaultSelector()
        self._resized, self._resized_in = os.pipe()

    def __enter__(self) -> Self:
        self._saved = termios.tcgetattr(0)
        tty.setraw(0)
        for end in (self._resized, self._resized_in):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._resized_in)
        signal.signal(signal.SIGWINCH, lambda *_: None)
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(self._resized, selectors.EVENT_READ)
        self._write("\x1b[?2004h")
        self.draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        self._write("\x1b[?2004l\x1b]0;\x07\x1b[999;1H\r\n")
        termios.tcsetattr(0, termios.TCSADRAIN, self._saved)

    # What the agent says and asks.

    def add(self, line: str) -> None:
        """Add a line to the transcript; control characters do not get through."""
        self._transcript.append(_printable(line))
        del self._transcript[:-500]
        self.draw()

    def extend(self, text: str) -> None:
        """Go on with the transcript's last line, as a model's answer streams in."""
        self._transcript[-1] += _printable(text)
        self.draw()

    def busy(self, on: bool) -> None:
        """Begin or end a turn: the spinner and what Esc means."""
        self._busy_since = time.monotonic() if on else None
        self.draw()

    def read_prompt(self) -> str:
        """Wait for a prompt."""
        while not self.submitted:
            self.pump(None)
        return self.submitted.pop(0)

    def ask(self, subject: str) -> bool:
        """Ask whether a command may run, and wait for y or n. A turn in progress stands still meanwhile."""
        busy_since, self._busy_since = self._busy_since, None
        self._question, self._reply = (subject, "Allow this command? [y] yes  [n] no"), None
        self.draw()
        while (reply := self._replied()) is None:
            self.pump(None)
        self._question, self._busy_since = None, busy_since
        self.draw()
        return reply

    def _replied(self) -> bool | None:
        return self._reply

    def sleep(self, seconds: float) -> None:
        """Let time pass with the spinner turning."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.pump(left)

    def pump(self, timeout: float | None, fd: int | None = None) -> bool:
        """Handle keys and the spinner until `timeout`, at most one tick while busy; whether `fd` can be read.

        Raises:
            QuitError: the person leaves.
            InterruptedTurnError: Esc or ctrl-c during a turn.
        """
        if self._busy_since is not None:
            timeout = _TICK_S if timeout is None else min(timeout, _TICK_S)
        if self._input:
            timeout = _ESCAPE_S if timeout is None else min(timeout, _ESCAPE_S)
        if fd is not None:
            self._selector.register(fd, selectors.EVENT_READ)
        try:
            ready = {key.fd for key, _ in self._selector.select(timeout)}
        finally:
            if fd is not None:
                self._selector.unregister(fd)
        if self._resized in ready:
            os.read(self._resized, 512)
            self._painted = []
        if 0 in ready:
            try:
                data = os.read(0, 65536)
            except OSError:  # the terminal hung up
                data = b""
            if not data:
                raise QuitError
            self._input += data
            self._take_keys(final=False)
        elif self._input:
            self._take_keys(final=True)
        self.draw()
        return fd in ready

    # Keys.

    def _take_keys(self, *, final: bool) -> None:
        """Handle what was typed, but for the beginning of a sequence, unless it is `final`."""
        while self._input:
            if (paste := _PASTE.match(self._input)) is not None:
                self._input = self._input[paste.end() :]
                self._composer += paste[1].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
            elif _UNFINISHED.match(self._input) is not None and not final:
                return
            elif (sequence := _SEQUENCE.match(self._input)) is not None:
                self._input = self._input[sequence.end() :]  # cursor keys and the like do nothing here
            else:
                size = _character_size(self._input[0])
                if len(self._input) < size and not final:
                    return
                key, self._input = self._input[:size].decode("utf-8", "replace"), self._input[size:]
                self._press(key)

    def _press(self, key: str) -> None:
        self._footer = ""
        if key == "\x04" and not self._composer:
            raise QuitError
        if key == "\x03":
            self._press_ctrl_c()
        elif key == "\x1b":
            if self._question is not None:
                self._reply = False
            elif self._busy_since is not None:
                raise InterruptedTurnError
        elif self._question is not None:
            self._reply = {"y": True, "n": False}.get(key.lower(), self._reply)
        elif key == "\r":
            if text := self._composer.strip():
                self.submitted.append(text)
            self._composer = ""
        elif key in "\x7f\x08":
            self._composer = self._composer[:-1]
        elif key == "\x15":
            self._composer = ""
        elif key.isprintable():
            self._composer += key

    def _press_ctrl_c(self) -> None:
        now = time.monotonic()
        if now - self._ctrl_c_at < 2.0:
            raise QuitError
        self._ctrl_c_at = now
        if self._busy_since is not None:
            raise InterruptedTurnError
        self._composer, self._footer = "", "ctrl-c again to quit"

    # Drawing.

    def draw(self) -> None:
        """Paint the rows that have changed, in one synchronized update."""
        cols, rows = _size()
        below = self._below(cols)
        room = max(0, rows - len(below))
        body = self._body(cols, room)
        lines = [*[""] * (room - len(body)), *body, *below][-rows:]
        lines = [line[: cols - 1] for line in lines]
        cursor = f"\x1b[{max(1, rows - 1)};{min(cols, 3 + len(self._shown_composer(cols)))}H"
        frame = [*lines, cursor, self._title()]
        if frame == self._painted:
            return
        before = self._painted if len(self._painted) == len(frame) else [""] * len(frame)
        clear = "" if before is self._painted else "\x1b[2J"
        changed = [
            f"\x1b[{y};1H{new}\x1b[K" for y, (new, old) in enumerate(zip(lines, before, strict=False), 1) if new != old
        ]
        title = f"\x1b]0;{self._title()}\x07" if before[-1] != self._title() else ""
        self._write(f"\x1b[?2026h{clear}{title}{''.join(changed)}{cursor}\x1b[?2026l")
        self._painted = frame

    def _body(self, cols: int, room: int) -> list[str]:
        """The end of the transcript, wrapped: as much as there is room for."""
        body: list[str] = []
        for line in reversed(self._transcript):
            if len(body) >= room:
                break
            body = [*(textwrap.wrap(line, max(10, cols - 1), subsequent_indent="  ") or [""]), *body]
        return body[max(0, len(body) - room) :]

    def _below(self, cols: int) -> list[str]:
        footer = "  " + (self._footer or "enter sends · esc interrupts · ctrl-c twice quits")
        if self._question is not None:
            return ["", f"  $ {self._question[0]}", "", self._question[1], "", footer]
        seconds = "" if self._busy_since is None else f"{time.monotonic() - self._busy_since:.0f}"
        status = f"{self._frame()} Working ({seconds}s • esc to interrupt)" if seconds else ""
        return ["", status, "", f"› {self._shown_composer(cols)}", footer]

    def _shown_composer(self, cols: int) -> str:
        text = self._composer.replace("\n", "⏎")
        return text[-max(1, cols - 4) :]

    def _title(self) -> str:
        if self._question is not None:
            return f"[ ! ] {NAME}"
        return NAME if self._busy_since is None else f"{self._frame()} {NAME}"

    def _frame(self) -> str:
        return _SPINNER[int(time.monotonic() / _TICK_S) % len(_SPINNER)]

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _size() -> tuple[int, int]:
    """Columns and rows; a terminal that does not say is 80 by 24."""
    packed = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
    rows, cols = (int.from_bytes(packed[at : at + 2], sys.byteorder) for at in (0, 2))
    return (cols or 80, rows or 24)


def _character_size(first: int) -> int:
    """How many bytes a UTF-8 character has that begins with this one."""
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
