"""The feed against a real socket server and real ledgers, with a supervisor that only pretends."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch_tui import feed as feed_module
from autoresearch_tui.changes import Change, Link, MachineLost, MachineSampled
from autoresearch_tui.feed import LiveFeed
from autoresearch_tui.ledger_tail import LedgerTail
from autoresearch_tui.machine_feed import watch_machine
from autoresearch_tui.state import SessionView, WindowState, reduce
from harness.ledger import append_line
from harness.result import Experiment
from sessions.client import RefusedError, UnreachableError
from sessions.journal import Journal
from sessions.protocol import Frame, Status
from sessions.server import Peer, RefuseError, Server
from sessions.spec import SessionSpec
from sessions.store import SessionDir, create_session, locked, replace_file

PATIENCE_S = 20.0


class Seen:
    """The state as the window would have it, and a way to wait for it to become something."""

    def __init__(self) -> None:
        self.state = WindowState()
        self._changed = asyncio.Event()

    def take(self, change: Change) -> None:
        self.state = reduce(self.state, change)
        self._changed.set()

    async def until(self, wanted: Callable[[SessionView], bool]) -> SessionView:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self._changed.clear()
                view = self.state.session("s")
                if view is not None and wanted(view):
                    return view
                await self._changed.wait()


class Supervisor:
    """Answers as a supervisor would: holds the lock and the socket, sends what the test says."""

    def __init__(self, session: SessionDir) -> None:
        self.session = session
        self.status = Status("s", "demo", "/lab", "running", "working", 0.0)
        self.asked: list[dict[str, Any]] = []
        self.server = Server(session.socket, session.id, self._handle)

    async def _handle(self, peer: Peer, message: dict[str, Any]) -> Any:
        self.asked.append(message)
        if message["verb"] == "nudge":
            raise RefuseError("the session is finished")
        if message["verb"] == "watch":
            peer.watching = True
            peer.watch_screen(self if message["screen"] else None)
            peer.status_changed(asdict(self.status))
        return None

    def frame_since(self, version: int | None) -> tuple[Frame, int]:
        return Frame(True, 80, 24, (0, 0, True), "demo", {0: (("hello", None, None, 0),)}), 1

    def tell(self, what: str) -> None:
        for peer in self.server.viewers:
            peer.ledger_changed(what)

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator["Supervisor"]:
        with locked(self.session):
            await self.server.start()
            try:
                yield self
            finally:
                await self.server.close("the session was stopped")


def experiment(number: int, verdict: str = "discard") -> Experiment:
    return Experiment(number, f"{number:040x}", "", f"idea {number}", verdict, "", 1.0, None, None, 0.0, 0.0, 0.0)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SessionDir:
    monkeypatch.setenv("AUTORESEARCH_TUI_HOME", str(tmp_path))
    spec = SessionSpec("s", "demo", ["demo"], "/lab", "autoresearch/s", "b" * 40, "/corpus", "embedded", 20.0)
    return create_session(spec)


@pytest.fixture
async def seen(session: SessionDir, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Seen, LiveFeed]]:
    async def no_machine(emit: Callable[[Change], None]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(feed_module, "watch_machine", no_machine)
    watcher = Seen()
    feed = LiveFeed(watcher.take)
    task = asyncio.create_task(feed.run())
    yield watcher, feed
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_night_without_supervisor_can_be_read(session: SessionDir, seen: tuple[Seen, LiveFeed]) -> None:
    """Ledgers are read where no supervisor lives, and the window says that there is none."""
    append_line(session.experiments, experiment(0, "keep").to_json())
    append_line(session.experiments, "not a record")
    Journal(session.journal).add("started", pid=1)
    view = await seen[0].until(lambda one: bool(one.entries and one.broken) and one.link is Link.DEAD)
    assert [one.number for one in view.experiments] == [0]
    assert view.entries[0].kind == "started"


async def test_stopped_is_told_from_dead(session: SessionDir, seen: tuple[Seen, LiveFeed]) -> None:
    """A session whose last status says stopped ended on purpose."""
    status = Status("s", "demo", "/lab", "stopped", "exited", 0.0, kept=3, total=9)
    replace_file(session.status_file, status.to_json() + "\n")
    view = await seen[0].until(lambda one: one.link is Link.STOPPED)
    assert view.status == status


async def test_live_session(session: SessionDir, seen: tuple[Seen, LiveFeed]) -> None:
    """Status, new experiments and, once opened, the screen arrive; refusals reach whoever asked; a bye is noticed."""
    watcher, feed = seen
    async with Supervisor(session).alive() as supervisor:
        await watcher.until(lambda one: one.link is Link.LIVE and one.status == supervisor.status)
        append_line(session.experiments, experiment(0).to_json())
        supervisor.tell("experiments")
        await watcher.until(lambda one: len(one.experiments) == 1)
        feed.open("s", (132, 40))
        view = await watcher.until(lambda one: one.screen is not None)
        assert view.screen is not None
        assert view.screen.rows[0][0][0] == "hello"
        watches = [one for one in supervisor.asked if one["verb"] == "watch"]
        assert (watches[-1]["cols"], watches[-1]["rows"]) == (132, 40)
        feed.open("s", (100, 30))
        with pytest.raises(RefusedError, match="finished"):
            await feed.request("s", "nudge", text="go on")
        assert {"verb": "resize", "cols": 100, "rows": 30}.items() <= supervisor.asked[-2].items()
    await watcher.until(lambda one: one.link is Link.DEAD)
    with pytest.raises(UnreachableError, match="press r"):
        await feed.request("s", "pause")


async def test_reconnects_when_a_supervisor_comes_back(session: SessionDir, seen: tuple[Seen, LiveFeed]) -> None:
    """A supervisor that is started again is found, and missed experiments are caught up with."""
    watcher, _feed = seen
    await watcher.until(lambda one: one.link is Link.DEAD)
    async with Supervisor(session).alive():
        await watcher.until(lambda one: one.link is Link.LIVE)
    await watcher.until(lambda one: one.link is Link.DEAD)
    append_line(session.experiments, experiment(0).to_json())
    async with Supervisor(session).alive():
        await watcher.until(lambda one: one.link is Link.LIVE and len(one.experiments) == 1)


@pytest.fixture
def broken(session: SessionDir) -> None:
    session.spec_file.write_text("{")


@pytest.mark.usefixtures("broken")
async def test_broken_session_record_is_shown_as_a_problem(seen: tuple[Seen, LiveFeed]) -> None:
    """A session.json that cannot be read costs its session a line, not the window."""
    view = await seen[0].until(lambda one: bool(one.problem) and one.link is Link.DEAD)
    assert "session.json cannot be read" in view.problem


async def test_sampler_that_dies_is_started_again() -> None:
    """Samples arrive, garbage is passed over, and an end is told and mended."""
    sample = json.dumps({"at": 1.0, "cpu_percent": 5.0})
    script = f"print('garbage'); print({sample!r}, flush=True); import os; os.kill(os.getpid(), 9)"
    changes: list[Change] = []
    twice = asyncio.Event()

    def take(change: Change) -> None:
        changes.append(change)
        if sum(isinstance(one, MachineSampled) for one in changes) == 2:
            twice.set()

    task = asyncio.create_task(watch_machine(take, (sys.executable, "-I", "-S", "-c", script), again_s=0.0))
    async with asyncio.timeout(PATIENCE_S):
        await twice.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    lost = [one.problem for one in changes if isinstance(one, MachineLost)]
    assert "signal 9" in lost[0]


@given(chunks=st.lists(st.text("ab\n", max_size=6).map(str.encode), max_size=12))
def test_tail_gives_every_whole_line_once(tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]) -> None:
    """However a file grows, and wherever a look falls, each complete line comes out once and in order."""
    path = tmp_path_factory.mktemp("tail") / "ledger"
    path.touch()
    tail = LedgerTail(path)
    lines: list[bytes] = []
    for chunk in chunks:
        with path.open("ab") as stream:
            stream.write(chunk)
        lines += tail.read()[0]
        assert not tail.has_changed()
    assert lines == b"".join(chunks).split(b"\n")[:-1]


def test_tail_begins_afresh_when_the_file_is_replaced(tmp_path: Path) -> None:
    """Another file under the name, or a shorter one, is read from its beginning."""
    path = tmp_path / "ledger"
    tail = LedgerTail(path)
    assert tail.read() == ([], False)
    path.write_bytes(b"one\ntwo\n")
    assert tail.read() == ([b"one", b"two"], True)
    replace_file(path, "three\nfour\n")
    assert tail.read() == ([b"three", b"four"], True)
    path.write_bytes(b"5\n")
    assert tail.read() == ([b"5"], True)


def test_first_look_near_the_end_passes_over_a_torn_line(tmp_path: Path) -> None:
    """Reading the last bytes of a long journal begins with a whole line."""
    path = tmp_path / "journal"
    path.write_bytes(b"first\nsecond\nthird\n")
    assert LedgerTail(path, 9).read() == ([b"third"], True)
