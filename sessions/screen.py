"""The agent's terminal as it would look: bytes in, styled rows out, answers to the agent's queries.

The only module that imports pyghostty. It neither reads the PTY nor judges what the screen shows. One thread only:
two threads on one terminal crash the process.
"""

import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

from pyghostty import Terminal
from pyghostty._ffi import check, ffi, lib  # the public layer has neither rows nor bells; hence the pinned version
from pyghostty.core import init_sized

from harness.text import one_line
from sessions.cells import Style, runs, style_of
from sessions.picture import Picture
from sessions.protocol import Frame, Row

# Told to an agent that asks (OSC 10, OSC 11), so that it picks colours for a dark terminal.
_FOREGROUND: Final = (0xD0, 0xD0, 0xD0)
_BACKGROUND: Final = (0x10, 0x10, 0x10)
_CELL_PIXELS: Final = (8, 16)
_CELL_BYTES: Final = 8

_SCROLLBACK_ROWS: Final = 2000
_SCROLLBACK_BYTES: Final = 2 << 20  # the library's default, 10,000 bytes, would hold fewer rows than asked for

_NOTIFICATIONS_KEPT: Final = 50
_STYLES_KEPT: Final = 4096
_STATE_OSC: Final = b"7501;"

# Cursor keys, mouse tracking and its formats, focus reports, bracketed paste.
_INPUT_MODES: Final = (1, 9, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004)


class Screen:
    """A terminal of `cols` by `rows` cells.

    Attributes:
        osc7501: the payload of the last OSC 7501, cleaned; "" when there was none.
        bells: how often the bell rang.
        notifications: texts of OSC 9 and OSC 777, cleaned, the newest last; at most 50 are kept.
    """

    def __init__(self, cols: int, rows: int, on_reply: Callable[[bytes], object]) -> None:
        """Make a blank screen. `on_reply` takes what must be written to the agent at once."""
        self.osc7501 = ""
        self.bells = 0
        self.notifications: list[str] = []
        self._on_reply = on_reply
        self._replies: list[bytes] = []
        self._terminal: Final = Terminal(cols, rows, scrollback=_SCROLLBACK_ROWS, fg=_FOREGROUND, bg=_BACKGROUND)
        self._callbacks: Final = self._connect()
        self._grid: Final = _Grid(self._terminal)
        self._stale = True
        self._picture: Final = Picture()
        self._raw_title = b""
        self._title = ""

    def feed(self, data: bytes) -> None:
        """Take what the agent wrote, in any pieces. What `on_reply` raises passes through; the data is taken then."""
        self._terminal.feed(data)
        self._stale = True
        self._answer()

    def resize(self, cols: int, rows: int) -> None:
        """Become `cols` by `rows` cells; the main screen's text is wrapped anew."""
        self._terminal.resize(cols, rows, *_CELL_PIXELS)
        self._stale = True
        self._answer()

    def reset(self) -> None:
        """Become blank, for another agent: modes, title, signals and a sequence cut short go too; versions go on."""
        self._terminal.feed(b"\x18\x1bc\x1b]2;\x07")  # CAN ends any sequence; RIS keeps the title
        self._replies.clear()
        self.osc7501, self.bells, self.notifications = "", 0, []
        self._stale = True

    def close(self) -> None:
        """Free the terminal now; nothing may be asked of the screen afterwards."""
        self._grid.close()
        self._terminal.close()

    @property
    def cols(self) -> int:
        """Width in cells."""
        return int(self._terminal.get("cols"))

    @property
    def rows(self) -> int:
        """Height in cells."""
        return int(self._terminal.get("rows"))

    @property
    def title(self) -> str:
        """The window's title, one line, cleaned."""
        return self._shown().title

    @property
    def bracketed_paste(self) -> bool:
        """Whether the application has switched mode 2004 on."""
        return bool(self._terminal.mode(2004))

    @property
    def alternate_screen(self) -> bool:
        """Whether it draws on the alternate screen."""
        active = self._terminal.get("active_screen", "GhosttyTerminalScreen")
        return bool(active == lib.GHOSTTY_TERMINAL_SCREEN_ALTERNATE)

    @property
    def synchronized(self) -> bool:
        """Whether it is in the middle of a drawing that should not be shown yet (mode 2026)."""
        return bool(self._terminal.mode(2026))

    @property
    def version(self) -> int:
        """A number that grows whenever rows, cursor, title or size have changed since it was last looked at."""
        return self._shown().version

    def text(self) -> tuple[str, ...]:
        """Every row's text as displayed, without blanks at its end."""
        return tuple("".join([run[0] for run in row]).rstrip() for row in self._shown().rows)

    def frame_since(self, version: int | None) -> tuple[Frame, int]:
        """The rows that changed after `version`, and the version that the viewer then has.

        All rows where `version` is None, or older than the last change of size, or not one of this screen's.
        A viewer that skipped some versions simply names the last one that it got.
        """
        picture = self._shown()
        return picture.frame_since(version), picture.version

    def input_modes(self) -> bytes:
        """Sequences that put a freshly attached real terminal into the input modes that the agent has asked for.

        Kitty keyboard flags are pushed, so that a pop (CSI < u) takes them back.
        """
        flags = int(self._terminal.get("kitty_keyboard_flags", "uint8_t"))
        modes = b"".join(b"\x1b[?%dh" % mode for mode in _INPUT_MODES if self._terminal.mode(mode))
        return modes + (b"\x1b[>%du" % flags if flags else b"")

    def repaint(self) -> bytes | None:
        """What makes a blank terminal of this size look, and report, like this one: rows, cursor, modes, signals.

        Of the two screens only the active one; no scrollback. None while the agent is in the middle of an escape
        sequence: what it writes next would not be understood.
        """
        if self._terminal.feed_until_ground(b"") is None:
            return None
        signals = b"".join(
            b"\x1b]%s;%s\x1b\\" % (number, text.encode())
            for number, text in ((b"2", self.title), (b"7501", self.osc7501))
            if text
        )
        return _exported(self._terminal) + signals

    def _connect(self) -> list[Any]:
        """Set the terminal's options and callbacks; what it returns must outlive the terminal's last `feed`."""
        on_reply: Callable[[bytes], None] = self._replies.append  # append returns None; anything else makes feed raise
        self._terminal.on_reply(on_reply)
        self._terminal.on_unknown_sequence(self._unknown)
        callbacks = [
            ffi.callback("GhosttyTerminalBellFn", self._bell),
            ffi.callback("GhosttyTerminalDesktopNotificationFn", self._notification),
            ffi.callback("GhosttyTerminalSizeFn", self._report_size),
            ffi.callback("GhosttyTerminalColorSchemeFn", self._report_scheme),
        ]
        options = (
            (lib.GHOSTTY_TERMINAL_OPT_BELL, callbacks[0]),
            (lib.GHOSTTY_TERMINAL_OPT_DESKTOP_NOTIFICATION, callbacks[1]),
            (lib.GHOSTTY_TERMINAL_OPT_SIZE, callbacks[2]),
            (lib.GHOSTTY_TERMINAL_OPT_COLOR_SCHEME, callbacks[3]),
            (lib.GHOSTTY_TERMINAL_OPT_SCROLLBACK_MAX_BYTES, ffi.new("size_t*", _SCROLLBACK_BYTES)),
            # No viewer shows images: none are kept, and an agent that asks for them gets no yes.
            (lib.GHOSTTY_TERMINAL_OPT_KITTY_IMAGE_STORAGE_LIMIT, ffi.new("uint64_t*", 0)),
        )
        for option, value in options:
            check(lib.ghostty_terminal_set(self._terminal._t[0], option, value), f"set {option}")  # noqa: SLF001 - no public way
        return callbacks

    def _unknown(self, sequence: Any) -> None:
        if sequence.kind == "osc" and sequence.content.startswith(_STATE_OSC):
            self.osc7501 = one_line(sequence.content[len(_STATE_OSC) :].decode("utf-8", "replace"))

    def _bell(self, _terminal: Any, _data: Any) -> None:
        self.bells += 1

    def _notification(self, _terminal: Any, _data: Any, notification: Any) -> None:
        parts = [_bytes(notification.title), _bytes(notification.body)]
        text = one_line(": ".join(part.decode("utf-8", "replace") for part in parts if part))
        self.notifications = [*self.notifications[1 - _NOTIFICATIONS_KEPT :], text]

    def _report_size(self, _terminal: Any, _data: Any, answer: Any) -> bool:
        answer.columns, answer.rows = self.cols, self.rows
        answer.cell_width, answer.cell_height = _CELL_PIXELS
        return True

    def _report_scheme(self, _terminal: Any, _data: Any, answer: Any) -> bool:
        answer[0] = lib.GHOSTTY_COLOR_SCHEME_DARK
        return True

    def _answer(self) -> None:
        # After the emulator is done, not from inside its callback: `on_reply` may raise.
        if self._replies:
            answer = b"".join(self._replies)
            self._replies.clear()
            self._on_reply(answer)

    def _shown(self) -> Picture:
        if self._stale:
            self._stale = False
            raw_title = _bytes(self._terminal.get("title", "GhosttyString"))
            if raw_title != self._raw_title:
                self._raw_title = raw_title
                self._title = one_line(raw_title.decode("utf-8", "replace"))
            size, cursor = self._grid.update()
            self._picture.show(size, cursor, self._title, self._grid.dirty_rows())
        return self._picture


class _Grid:
    """The terminal's cells as styled rows, through the library's render state."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal._t[0]  # noqa: SLF001 - the public layer has no rows
        self._state = _made(lib.ghostty_render_state_new, "GhosttyRenderState")
        self._iterator = _made(lib.ghostty_render_state_row_iterator_new, "GhosttyRenderStateRowIterator")
        self._cells = _made(lib.ghostty_render_state_row_cells_new, "GhosttyRenderStateRowCells")
        self._free = [
            weakref.finalize(self, lib.ghostty_render_state_row_cells_free, self._cells[0]),
            weakref.finalize(self, lib.ghostty_render_state_row_iterator_free, self._iterator[0]),
            weakref.finalize(self, lib.ghostty_render_state_free, self._state[0]),
        ]
        self._cursor = init_sized("GhosttyRenderStateCursor")
        self._style = init_sized("GhosttyStyle")
        self._number = ffi.new("uint16_t*")
        self._view = ffi.new("GhosttyCellsView*")
        self._length = ffi.new("size_t*")
        self._styles: dict[bytes, Style] = {}

    def close(self) -> None:
        """Free the native parts; before the terminal's."""
        for free in self._free:
            free()

    def update(self) -> tuple[tuple[int, int], tuple[int, int, bool]]:
        """Take over the terminal's state of now; its size, and its cursor."""
        check(lib.ghostty_render_state_update(self._state[0], self._terminal), "render_state_update")
        cursor = self._get(lib.GHOSTTY_RENDER_STATE_DATA_CURSOR, self._cursor)
        cols = self._get(lib.GHOSTTY_RENDER_STATE_DATA_COLS, self._number)
        rows = self._get(lib.GHOSTTY_RENDER_STATE_DATA_ROWS, self._number)
        return (cols, rows), (cursor.viewport_x, cursor.viewport_y, cursor.visible and cursor.viewport_has_value)

    def dirty_rows(self) -> Iterator[tuple[int, Row]]:
        """Number and runs of each row that the emulator calls changed since the last time; more than have changed."""
        self._get(lib.GHOSTTY_RENDER_STATE_DATA_ROW_ITERATOR, self._iterator)
        iterator = self._iterator[0]
        while lib.ghostty_render_state_row_iterator_next_dirty(iterator, self._number):
            y = self._number[0]
            for what, out in (
                (lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS_RAW, self._view),
                (lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS, self._cells),
            ):
                check(lib.ghostty_render_state_row_get(iterator, what, out), "row_get")
            packed = ffi.buffer(self._view.ptr, self._view.len * _CELL_BYTES)[:].rstrip(b"\0")  # most rows end blank
            packed += bytes(-len(packed) % _CELL_BYTES)
            yield y, runs(memoryview(packed).cast("Q").tolist(), self._style_at, self._cluster_at)
        check(lib.ghostty_render_state_clean(self._state[0]), "render_state_clean")

    def _get(self, what: int, out: Any) -> Any:
        check(lib.ghostty_render_state_get(self._state[0], what, out), "render_state_get")
        return out[0]

    def _cell(self, x: int, what: int, out: Any) -> None:
        check(lib.ghostty_render_state_row_cells_select(self._cells[0], x), "row_cells_select")
        check(lib.ghostty_render_state_row_cells_get(self._cells[0], what, out), "row_cells_get")

    def _cluster_at(self, x: int) -> str:
        self._cell(x, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_LEN, self._length)
        points = ffi.new("uint32_t[]", max(1, self._length[0]))
        self._cell(x, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_BUF, points)
        return "".join(map(chr, points))

    def _style_at(self, x: int) -> Style:
        style = self._style
        self._cell(x, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_STYLE, style)
        packed = ffi.buffer(style)[:]
        known = self._styles.get(packed)
        if known is None:
            if len(self._styles) > _STYLES_KEPT:
                self._styles.clear()
            known = self._styles[packed] = style_of(style)
        return known


def _exported(terminal: Terminal) -> bytes:
    """The visible cells, cursor and modes as VT sequences; the public layer exports plain text alone."""
    cols, rows = terminal.size
    visible = init_sized("GhosttySelection")  # without one the export begins in the scrollback
    visible.start, visible.end = terminal.ref(0, 0)[0], terminal.ref(cols - 1, rows - 1)[0]
    options = init_sized("GhosttyFormatterTerminalOptions")
    options.emit, options.selection = lib.GHOSTTY_FORMATTER_FORMAT_VT, visible
    extra, cells = options.extra, options.extra.screen
    extra.modes = extra.scrolling_region = extra.keyboard = True
    cells.cursor = cells.style = cells.hyperlink = cells.protection = cells.kitty_keyboard = cells.charsets = True
    formatter = ffi.new("GhosttyFormatter*")
    check(lib.ghostty_formatter_terminal_new(ffi.NULL, formatter, terminal._t[0], options[0]), "formatter")  # noqa: SLF001 - no public way
    try:
        length = ffi.new("size_t*")
        lib.ghostty_formatter_format_buf(formatter[0], ffi.NULL, 0, length)  # says how much room it needs
        room = ffi.new("uint8_t[]", max(1, length[0]))
        check(lib.ghostty_formatter_format_buf(formatter[0], room, len(room), length), "format")
        return bytes(ffi.buffer(room, length[0])[:])
    finally:
        lib.ghostty_formatter_free(formatter[0])


def _made(make: Any, kind: str) -> Any:
    pointer = ffi.new(kind + "*")
    check(make(ffi.NULL, pointer), kind)
    return pointer


def _bytes(text: Any) -> bytes:
    return bytes(ffi.buffer(text.ptr, text.len)[:]) if text.len else b""
