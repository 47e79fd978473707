"""The dashboard's table: one row a session, the newest first."""

from pathlib import PurePath
from typing import ClassVar, Final

from textual.message import Message

from autoresearch_tui.activity import activity, attention, is_told_by_state
from autoresearch_tui.changes import Link
from autoresearch_tui.format import MISSING, bpb, delta, sparkline
from autoresearch_tui.lines import Align, Line, Tone, line, row, width
from autoresearch_tui.score import best_so_far, score
from autoresearch_tui.state import SessionView, WindowState
from autoresearch_tui.widgets.line_view import LineView
from harness.text import one_line

_HEADINGS: Final = {
    "session": "session",
    "agent": "agent",
    "lab": "lab",
    "now": "now",
    "best": "val_bpb",
    "gain": "vs base",
    "kept": "kept",
    "nudges": "nudges",
    "chart": "best so far",
}
# From the most to the least wanted where there is little room; the order on screen is that of _HEADINGS.
_WANTED: Final = ("session", "now", "best", "gain", "kept", "agent", "nudges", "chart", "lab")
_SIZES: Final = {"agent": 9, "lab": 12, "best": 7, "gain": 8, "kept": 7, "nudges": 6, "chart": 12}
_RIGHT: Final = frozenset({"best", "gain", "kept", "nudges"})
_NOW: Final = (28, 60)


class SessionsTable(LineView):
    """The sessions, with a cursor."""

    has_cursor: ClassVar[bool] = True

    class Moved(Message):
        """The cursor is on another session."""

        def __init__(self, session: str) -> None:
            super().__init__()
            self.session: Final = session

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._views: tuple[SessionView, ...] = ()
        self._selected: str | None = None
        self._now = 0.0

    def show(self, state: WindowState) -> None:
        """Show the sessions; the cursor stays on the selected one wherever that moves."""
        self._views, self._now, self._selected = state.sessions[::-1], state.now, state.selected
        self.remake()

    def remake(self) -> None:
        """Make the rows again and put the cursor on the selected session."""
        super().remake()
        names = [view.id for view in self._views]
        if self._selected in names:
            self.put_cursor(names.index(self._selected))

    def make(self, cells: int, height: int) -> tuple[Line | None, list[Line]]:
        """The heading and the rows."""
        columns = columns_for(cells - 2, max((len(view.id) for view in self._views), default=0))
        rows = [session_row(view, self._now, columns) for view in self._views]
        return heading(columns), rows

    def cursor_moved(self) -> None:
        """Tell the app which session keys now act on."""
        if self.cursor < len(self._views):
            self.post_message(self.Moved(self._views[self.cursor].id))


def columns_for(cells: int, longest_name: int) -> list[tuple[str, int, Align]]:
    """The columns that fit into `cells`: name, width, side. What is over goes to `now`."""
    sizes = _SIZES | {"session": max(7, min(24, longest_name)), "now": _NOW[0]}
    chosen: list[str] = []
    used = 0
    for name in _WANTED:
        if used + sizes[name] + 2 <= cells + 2:
            chosen.append(name)
            used += sizes[name] + 2
    sizes["now"] = min(_NOW[1], sizes["now"] + max(0, cells + 2 - used))
    return [(name, sizes[name], "right" if name in _RIGHT else "left") for name in _HEADINGS if name in chosen]


def heading(columns: list[tuple[str, int, Align]]) -> Line:
    """The table's heading."""
    return line(" ", *row([(line((_HEADINGS[name], "quiet")), size, side) for name, size, side in columns]))


def session_row(view: SessionView, now: float, columns: list[tuple[str, int, Align]]) -> Line:
    """A session as a row."""
    points = score(view)
    gain: Tone = "good" if points.gain is not None and points.gain < 0 else "quiet"
    best = best_so_far(view)
    room = {name: size for name, size, _side in columns}
    contents: dict[str, Line] = {
        "session": line((view.id, "strong")),
        "agent": line(one_line(view.spec.agent, 16) if view.spec else MISSING),
        "lab": line((one_line(PurePath(view.spec.lab).name, 24) if view.spec else MISSING, "quiet")),
        "now": _now(view, now, room.get("now", 0)),
        "best": line(bpb(points.best)),
        "gain": line((delta(points.gain), gain)),
        "kept": line(f"{points.kept}/{points.total}"),
        "nudges": line(str(view.status.nudges) if view.status else MISSING),
        "chart": line((sparkline(best, room.get("chart", 0)), "accent")),
    }
    return line(" ", *row([(contents[name], size, side) for name, size, side in columns]))


def _now(view: SessionView, now: float, cells: int) -> Line:
    alert = attention(view)
    if alert and view.link is Link.LIVE and not is_told_by_state(view):
        return line((f"! {alert}", "warn"))
    doing = activity(view, now)
    whole = doing.as_line()
    return whole if width(whole) <= cells else doing.as_line(detail=doing.tone in {"warn", "bad"})
