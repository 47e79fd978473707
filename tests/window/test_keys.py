"""Keys: what they ask of a session, and what they leave alone. A feed that notes what it is asked."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch_tui import app as app_module
from autoresearch_tui.app import WindowApp
from autoresearch_tui.changes import Change, FrameArrived, Link, LinkChanged, SessionsFound, StatusArrived, Ticked
from autoresearch_tui.feed import Emit
from autoresearch_tui.lines import plain
from autoresearch_tui.screens.dashboard import Dashboard
from autoresearch_tui.screens.session import SessionScreen
from autoresearch_tui.screens.why import Explained
from autoresearch_tui.widgets.answer import Answer
from autoresearch_tui.widgets.terminal import AgentTerminal, _scrolled
from sessions.client import RefusedError
from sessions.protocol import Frame, Status
from sessions.store import SessionDir


class NotingFeed:
    """Emits what it is given and notes what it is asked."""

    def __init__(self, emit: Emit, changes: list[Change]) -> None:
        self.emit, self.changes = emit, changes
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.opened: list[tuple[str | None, tuple[int, int] | None]] = []
        self.refusal = ""
        self.hangs = False
        self.failure: Exception | None = None

    async def run(self) -> None:
        for change in self.changes:
            self.emit(change)
        if self.failure is not None:
            raise self.failure

    def open(self, session: str | None, size: tuple[int, int] | None) -> None:
        self.opened.append((session, size))

    async def request(self, session: str, verb: str, **arguments: Any) -> Any:
        self.asked.append((session, verb, arguments))
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if self.refusal:
            raise RefusedError(self.refusal)
        return {"nudge": {"when": "now"}, "explain": WHY}.get(verb)

    async def resume(self, session: str) -> None:
        self.asked.append((session, "resume", {}))


WHY = {"state": "waiting", "for_s": 41.0, "rule": "free composer", "evidence": "›", "holding": "a person has the wheel"}
RUN = {"number": 5, "message": "m", "phase": "training", "started_at": 0.0}
AFTER, NOW = {"now": False}, {"now": True}


def status(name: str, phase: str = "running", **facts: Any) -> Status:
    return Status(name, "demo", "/lab", phase, "working", 0.0, **facts)


def live(*names: str, phase: str = "running", link: Link = Link.LIVE, **facts: Any) -> list[Change]:
    changes: list[Change] = [SessionsFound(tuple((name, None, "") for name in names))]
    for name in names:
        changes += [StatusArrived(name, status(name, phase, **facts)), LinkChanged(name, link)]
    return changes


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock ticks when a test says so."""
    monkeypatch.setattr(WindowApp, "set_interval", lambda *_arguments, **_named: None)


def window(changes: list[Change], session: str | None = None) -> tuple[WindowApp, NotingFeed]:
    made: list[NotingFeed] = []

    def make(emit: Emit) -> NotingFeed:
        made.append(NotingFeed(emit, changes))
        return made[0]

    return WindowApp(make, session, clock=lambda: 1000.0), made[0]


async def pressed(
    app: WindowApp, *keys: str, size: tuple[int, int] = (80, 24), then: Callable[[], Awaitable[None]] | None = None
) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        await app.workers.wait_for_complete([one for one in app.workers if one.group == "requests"])
        if then is not None:
            await then()


@pytest.mark.parametrize(
    ("changes", "keys", "wanted"),
    [
        (live("a"), ("p",), [("a", "pause", AFTER)]),
        (live("a", running=RUN), ("p",), []),
        (live("a", running=RUN), ("p", "enter"), [("a", "pause", AFTER)]),
        (live("a", running=RUN), ("p", "p"), [("a", "pause", AFTER)]),
        (live("a", running=RUN), ("p", "n"), [("a", "pause", NOW)]),
        (live("a", running=RUN), ("p", "escape"), []),
        (live("a", phase="paused"), ("r",), [("a", "resume", {})]),
        (live("a", phase="parked"), ("r",), [("a", "resume", {})]),
        (live("a", link=Link.DEAD), ("r",), [("a", "resume", {})]),
        (live("a"), ("r",), []),
        (live("a", phase="paused"), ("p",), []),
        (live("a", link=Link.DEAD), ("p", "s", "N"), []),
        (live("a"), ("N", "g", "o", "enter"), [("a", "nudge", {"text": "go"} | AFTER)]),
        (live("a"), ("n", "q", "p", "enter"), [("a", "nudge", {"text": "qp"} | AFTER)]),
        (live("a"), ("N", "g", "o", "ctrl+o"), [("a", "nudge", {"text": "go"} | NOW)]),
        (live("a"), ("N", "enter"), []),
        (live("a"), ("N", "ctrl+o"), []),
        (live("a"), ("N", "g", "escape"), []),
        (live("a"), ("s", "y"), [("a", "stop", {})]),
        (live("a"), ("s", "n"), []),
        (live("a"), ("s", "enter"), []),
        ([*live("a", "b", link=Link.DEAD), LinkChanged("a", Link.LIVE)], ("p",), [("a", "pause", AFTER)]),
        (live("a", "b"), ("j", "p"), [("a", "pause", AFTER)]),
        (live("a", "b"), ("down", "up", "p"), [("b", "pause", AFTER)]),
        (live("a", "b"), ("j", "enter", "p"), [("a", "pause", AFTER)]),
        (live("a", "b"), ("j", "e"), [("a", "explain", {})]),
        (live("a", "b"), ("j", "e", "p"), [("a", "explain", {}), ("a", "pause", AFTER)]),
        (live("a"), ("enter", "e", "e", "e"), [("a", "explain", {})] * 2),
        (live("a", link=Link.DEAD), ("e",), []),
        ([SessionsFound(())], ("p", "r", "N", "s", "enter"), []),
    ],
)
async def test_what_keys_ask(changes: list[Change], keys: tuple[str, ...], wanted: list[Any]) -> None:
    """A key asks the session under the cursor, or the open one, for what it can be asked, and nothing else."""
    app, feed = window(changes)
    await pressed(app, *keys)
    assert feed.asked == wanted


async def test_refusal_is_one_line_on_the_screen() -> None:
    """What a supervisor refuses is shown as it said it, brackets and all."""
    app, feed = window(live("a"))
    feed.refusal = "the session is [b]finished[/b]"

    async def look() -> None:
        assert [one.message for one in app._notifications] == ["the session is [b]finished[/b]"]

    await pressed(app, "p", then=look)


async def test_a_nudge_says_what_becomes_of_it() -> None:
    """The supervisor's answer to a nudge, queued or not, is shown as it said it."""
    app, _feed = window(live("a"))

    async def look() -> None:
        assert [one.message for one in app._notifications] == ["a: now"]

    await pressed(app, "N", "x", "ctrl+o", then=look)


async def test_an_explanation_is_asked_for_again_every_second_while_it_is_open() -> None:
    """Each tick asks once, the last answer shows, and a closed explanation asks and keeps nothing."""
    app, feed = window(live("a"), "a")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("e")
        await app.workers.wait_for_complete([one for one in app.workers if one.group == "why"])
        await pilot.pause()
        assert "waiting for 41 s" in plain(app.screen.query_one(Explained)._lines[0])
        feed.refusal = "this supervisor does not know 'explain'"
        asked = len(feed.asked)
        app._tick()
        await app.workers.wait_for_complete([one for one in app.workers if one.group == "why"])
        await pilot.pause()
        assert feed.asked[asked:] == [("a", "explain", {})]
        assert plain(app.screen.query_one(Explained)._lines[0]) == "! this supervisor does not know 'explain'"
        await pilot.press("escape")
        app._tick()
        await pilot.pause()
        assert isinstance(app.screen, SessionScreen)
        assert len(feed.asked) == asked + 1
        assert app.state.why is None


async def test_a_supervisor_that_hangs_is_asked_to_explain_once() -> None:
    """Ticks do not pile up requests that nobody answers."""
    app, feed = window(live("a"), "a")
    feed.hangs = True
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        for _ in range(3):
            app._tick()
        await pilot.pause()
        assert feed.asked == [("a", "explain", {})]


async def test_a_countdown_is_painted_when_it_changes() -> None:
    """Minutes to go: a tick that changes no minute paints nothing; seconds to go: each paints the line that says it."""
    app, feed = window(live("a"), "a")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        feed.emit(StatusArrived("a", Status("a", "demo", "/lab", "running", "limited", 0.0, resets_at=1130.5)))
        await pilot.pause()
        answer = app.screen.query_one("#answer", Answer)
        painted: list[str] = []
        paint = answer.render_line

        def noting(y: int) -> Any:
            painted.append(paint(y).text)
            return paint(y)

        answer.render_line = noting  # type: ignore[method-assign]  # to count what is painted
        for now in (1001.0, 1002.0, 1119.0, 1120.0):
            feed.emit(Ticked(now))
            await pilot.pause()
        said = [" ".join(one.split())[:29] for one in painted]
        assert said == ["a ◔ limited, resets in 12 s n", "a ◔ limited, resets in 11 s n"]


async def test_detaching_asks_nothing_of_anyone() -> None:
    """Q ends the window with 0 and leaves every session as it was."""
    app, feed = window(live("a", "b"), "a")
    await pressed(app, "q")
    assert (app.return_code, feed.asked) == (0, [])


async def test_opening_and_leaving() -> None:
    """Enter opens the session and tells the feed the panel's size; escape closes it and ends the stream."""
    app, feed = window(live("a"))

    async def look() -> None:
        assert isinstance(app.screen, Dashboard)

    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, SessionScreen)
        panel = app.screen.query_one(AgentTerminal)
        assert feed.opened[-1] == ("a", (panel.size.width, panel.size.height))
        assert panel.size.width == 80
        await pilot.press("escape")
        await pilot.pause()
        await look()
        assert feed.opened[-1] == (None, None)


async def test_taking_the_wheel_stops_the_stream_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter on the agent hands the terminal over, reads no frames meanwhile, and says why it ended."""
    taken: list[str] = []

    def take(session: SessionDir) -> str:
        taken.append(session.id)
        assert feed.opened[-1] == ("a", None)
        return "the supervisor went away"

    monkeypatch.setattr(app_module, "take_the_wheel", take)
    monkeypatch.setattr(WindowApp, "suspend", lambda _app: contextlib.nullcontext())
    app, feed = window(live("a"), "a")

    async def look() -> None:
        assert taken == ["a"]
        assert feed.opened[-1] == ("a", (80, 24))
        assert [one.message for one in app._notifications] == ["the supervisor went away"]

    await pressed(app, "1", "enter", size=(120, 40), then=look)


@pytest.mark.parametrize("size", [(1, 1), (39, 9), (79, 23), (100, 30), (300, 90)])
async def test_any_size_works(size: tuple[int, int]) -> None:
    """No terminal is too small or too large for the window to stay up, on either screen, zoomed or not."""
    app, _feed = window(live("a"))
    await pressed(app, "enter", "1", "2", "z", "3", "4", "5", "tab", "question_mark", "escape", "escape", size=size)
    assert app.failure is None
    assert app.return_code == 0 or app.return_code is None


async def test_only_changed_rows_are_painted() -> None:
    """A frame that changes one row costs the painting of that row and the cursor's."""
    app, feed = window(live("a"), "a")
    rows = {y: ((f"row {y}", None, None, 0),) for y in range(24)}
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        feed.emit(FrameArrived("a", Frame(True, 80, 24, (0, 3, True), "", rows)))
        await pilot.pause()
        panel = app.screen.query_one(AgentTerminal)
        painted: list[int] = []
        paint = panel.render_line

        def noting(y: int) -> Any:
            painted.append(y)
            return paint(y)

        panel.render_line = noting  # type: ignore[method-assign]  # to count what is painted
        changed = {7: (("changed", None, None, 0),)}
        feed.emit(FrameArrived("a", Frame(False, 80, 24, (0, 3, True), "", changed)))
        await pilot.pause()
        assert painted == [7]
        assert panel.render_line(7).text.startswith("changed")


async def test_crash_of_the_feed_is_handed_on() -> None:
    """An error in the feed ends the window and is kept for the command line, which knows how to say it."""
    app, feed = window(live("a"))
    feed.failure = RuntimeError("a bug")
    with pytest.raises(Exception, match="a bug"):
        await pressed(app)
    assert "a bug" in str(app.failure)


@given(offset=st.integers(0, 300), cursor=st.integers(0, 249), size=st.integers(1, 250), room=st.integers(1, 250))
def test_cropped_view_holds_the_cursor(offset: int, cursor: int, size: int, room: int) -> None:
    """Whatever was shown before, the cursor is in view and no space past the screen's end is."""
    cursor = min(cursor, size - 1)
    start = _scrolled(offset, cursor, size, room)
    assert start <= cursor < start + room
    assert 0 <= start <= max(0, size - room)


def test_zero_sizes_scroll_nowhere() -> None:
    """A panel without cells, as in a hidden tab, shows from the beginning."""
    assert _scrolled(5, 3, 24, 0) == 0
