"""The agent as a process with a terminal: started, read, drawn, typed to, ended. It judges nothing that it shows.

Joins `sessions.pty` and `sessions.screen` on the event loop. One drain of the terminal a callback: during a flood the
socket must get its turn.
"""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from harness.text import clean, one_line
from sessions.detector import View
from sessions.protocol import MIN_SIZE, Frame
from sessions.pty import AgentPty, PtyError
from sessions.recording import CastRecorder
from sessions.screen import Screen
from sessions.signals import Signal

# A frame that the application holds back (mode 2026) is shown after this long all the same.
_HOLD_FRAME_S: Final = 0.15
# The process tree is walked while the screen is still, this often at first; later, when a process runs, less often;
# and when none does, not at all until something is drawn.
_TREE_S: Final = 0.1
_TREE_AT_REST_S: Final = 1.0
_STILL_S: Final = 2.0
_READ: Final = 64 << 10
_PASTE: Final = (b"\x1b[200~", b"\x1b[201~")
_ECHO_S: Final = 0.05
_GOODBYE_S: Final = 0.4  # between the keys that make an agent leave


class Agent:
    """One agent's terminal, through all its launches.

    Attributes:
        size: columns and rows.
        trouble: why it did not take what was typed; empty where it did.
        changed_at: when its screen or title last changed, as far as `view` has looked, on the monotonic clock.
        on_stir: called when it has written something, ended, or not taken what was typed.
    """

    def __init__(self, on_screen: Callable[[], None], recorder: CastRecorder | None = None) -> None:
        """Make a blank terminal.

        Args:
            on_screen: called when there is a new picture to show.
            recorder: records the terminal; None: nobody does.
        """
        self.size = MIN_SIZE
        self.trouble = ""
        self.changed_at = time.monotonic()
        self.on_stir: Callable[[], None] = lambda: None
        self._on_screen = on_screen
        self._recorder = recorder
        self._pty: AgentPty | None = None
        self._screen = Screen(*self.size, on_reply=self.write)
        self._seen_version = -1
        self._prompted_at = math.inf
        self._busy = (0.0, False)
        self._ended = False
        self._frame_due: asyncio.TimerHandle | None = None
        if recorder is not None:
            recorder.repaint = self._screen.repaint

    # The process.

    def launch(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> int:
        """Start the agent, on a blank terminal, and return its process id.

        Raises:
            PtyError: it cannot be started.
        """
        self._forget()
        self._busy = (0.0, False)
        self._ended = False
        self._screen.reset()  # another agent's screen, modes and signals are not this one's
        self._pty = AgentPty.launch(argv, cwd, env, *self.size)
        if self._recorder is not None:
            self._recorder.launched()
        self._prompted_at = math.inf  # what it starts with, if only the program behind a wrapper, is no work
        asyncio.get_running_loop().add_reader(self._pty.fd, self._read, self._pty)
        return self._pty.pid

    @property
    def pid(self) -> int:
        """Its process id, 0 when it has ended."""
        return 0 if self._pty is None or self._pty.exit_status() is not None else self._pty.pid

    async def exited_within(self, seconds: float) -> bool:
        """Whether it ends within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._pty is not None and self._pty.exit_status() is not None:
                return True
            await asyncio.sleep(0.02)
        return False

    def last_words(self) -> str:
        """Its exit status and the last line that it showed."""
        status = None if self._pty is None else self._pty.exit_status()
        shown = [row for row in self._screen.text() if row.strip()]
        return f"exit status {status}" + (f", {one_line(shown[-1])!r}" if shown else "")

    async def hang_up(self, goodbye: Sequence[str] = ()) -> None:
        """End it and everything below it: with the keys that make it leave, then by signals."""
        if self._pty is None:
            return
        for keys in goodbye:
            self.press(keys.encode())
            if await self.exited_within(_GOODBYE_S):
                break
        await self._pty.hang_up()
        self._forget()

    def _forget(self) -> None:
        if self._pty is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._pty.fd)
            loop.remove_writer(self._pty.fd)
            self._pty.close()
            self._pty = None

    # Bytes.

    def _read(self, pty: AgentPty) -> None:
        try:
            data = pty.read(_READ)
        except EOFError:
            asyncio.get_running_loop().remove_reader(pty.fd)
            self.on_stir()
            return
        if data is None:
            return
        if self._recorder is not None:
            self._recorder.output(data)
        self._screen.feed(data)
        self.on_stir()
        if not self._screen.synchronized:
            self._show()
        elif self._frame_due is None:
            self._frame_due = asyncio.get_running_loop().call_later(_HOLD_FRAME_S, self._show)

    def _show(self) -> None:
        if self._frame_due is not None:
            self._frame_due.cancel()
            self._frame_due = None
        self._on_screen()

    def write(self, data: bytes) -> None:
        """Type bytes. What the agent does not take now waits; too much of that becomes `trouble`."""
        if self._pty is None:
            return
        try:
            self._pty.write(data)
        except PtyError as error:
            self.trouble = str(error)
            self.on_stir()
        if self._pty.unsent:
            asyncio.get_running_loop().add_writer(self._pty.fd, self._flush, self._pty)

    def press(self, data: bytes) -> None:
        """Type bytes of the supervisor's own; unlike a person's keys they may be recorded."""
        if self._recorder is not None:
            self._recorder.typed(data)
        self.write(data)

    @staticmethod
    def _flush(pty: AgentPty) -> None:
        pty.flush()
        if not pty.unsent:
            asyncio.get_running_loop().remove_writer(pty.fd)

    def prompted(self) -> None:
        """A turn begins: what the agent starts from now on counts as its work."""
        self._prompted_at = time.time()

    async def submit(self, text: str, paste_delay_s: float, echo_s: float) -> None:
        """Type a text and, once it was drawn (or was not for `echo_s`), Enter."""
        data = clean(text).strip().encode()
        version = self._screen.version
        if self._screen.bracketed_paste:
            self.press(_PASTE[0] + data + _PASTE[1])
        else:  # without the mode a newline is an Enter
            self.press(b" ".join(data.split()))
        # The delay counts from the echo: an agent too busy to draw it would read both at once, and take Enter for text.
        deadline = time.monotonic() + echo_s
        while self._screen.version == version and time.monotonic() < deadline:
            await asyncio.sleep(_ECHO_S)
        await asyncio.sleep(paste_delay_s)
        self.prompted()
        self.press(b"\r")

    # The picture.

    def frame_since(self, version: int | None) -> tuple[Frame, int]:
        """The rows that changed since a version, with the input modes of now."""
        frame, now = self._screen.frame_since(version)
        return replace(frame, modes=self._screen.input_modes().decode("ascii")), now

    def resize(self, cols: int, rows: int) -> bool:
        """Fit the terminal to a viewer, within what agents bear; whether that changed anything."""
        if self._pty is None:
            return False
        size = self._pty.resize(cols, rows)
        if size == self.size:
            return False
        self.size = size
        self._screen.resize(*size)
        if self._recorder is not None:
            self._recorder.resized(*size)
        self._on_screen()
        return True

    def view(self, now: float, signal: Signal | None, local_time: datetime, *, tree: bool) -> View:
        """What the detector judges.

        Args:
            now: on the monotonic clock.
            signal: what the agent reported last.
            local_time: the wall clock, with its zone.
            tree: whether processes below the agent say something about it.
        """
        version = self._screen.version
        if version != self._seen_version:
            self._seen_version = version
            self.changed_at = now
        return View(
            rows=self._screen.text(),
            title=self._screen.title,
            osc7501=self._screen.osc7501,
            bracketed_paste=self._screen.bracketed_paste,
            alternate_screen=self._screen.alternate_screen,
            changed_at=self.changed_at,
            exit_status=self._exit_status(),
            busy_children=tree and self._busy_children(now),
            signal=signal,
            local_time=local_time,
        )

    def _exit_status(self) -> int | None:
        status = None if self._pty is None else self._pty.exit_status()
        if status is not None and not self._ended:
            self._ended = True
            if self._recorder is not None:
                self._recorder.ended(status)
        return status

    def _busy_children(self, now: float) -> bool:
        looked_at, busy = self._busy
        still = now - self.changed_at
        if self._pty is None or still < _TREE_S or now - looked_at < (_TREE_S if still < _STILL_S else _TREE_AT_REST_S):
            return busy
        if still >= _STILL_S and looked_at > self.changed_at + _STILL_S and not busy:
            return busy
        self._busy = (now, self._pty.busy_children(self._prompted_at))
        return self._busy[1]
