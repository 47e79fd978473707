"""Everything that reaches the window from outside: sessions, ledgers, the machine, the working change.

It turns them into changes for the reducer and passes requests on. It shows nothing and decides nothing.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from autoresearch_tui.changes import Change, DiffRead, SessionsFound
from autoresearch_tui.machine_feed import watch_machine
from autoresearch_tui.session_link import SessionLink
from harness.errors import ClearError
from sessions.client import UnreachableError
from sessions.spec import SessionSpec
from sessions.store import SessionDir, StoreError, session_dirs

Emit = Callable[[Change], None]

_SCAN_S: Final = 2.0
_DIFF_S: Final = 2.0
# While the genome's files stand still, other files are looked at only every so many rounds.
_DIFF_ROUNDS: Final = 5


class Feed(Protocol):
    """What the app needs of its feed; tests have one that stands still."""

    async def run(self) -> None:
        """Pass changes on until cancelled."""

    def open(self, session: str | None, size: tuple[int, int] | None) -> None:
        """The session whose screen and working change are wanted, and the terminal panel's columns and rows."""

    async def request(self, session: str, verb: str, **arguments: Any) -> Any:
        """Ask a session's supervisor."""

    async def resume(self, session: str) -> None:
        """Have a session go on."""


class LiveFeed:
    """The feed of this machine's sessions."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._links: dict[str, SessionLink] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._opened: str | None = None
        self._size: tuple[int, int] | None = None
        self._reopened = asyncio.Event()

    async def run(self) -> None:
        """Pass changes on until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(watch_machine(self._emit))
                tasks.create_task(self._watch_diff())
                while True:
                    self._scan(tasks)
                    await asyncio.sleep(_SCAN_S)
        finally:
            self._links.clear()

    def _scan(self, tasks: asyncio.TaskGroup) -> None:
        """Follow the sessions that are there, and no others."""
        found: list[tuple[str, SessionSpec | None, str]] = []
        directories = {one.id: one for one in session_dirs()}
        for name, directory in directories.items():
            spec, problem = _spec(directory)
            found.append((name, spec, problem))
            if name not in self._links:
                self._links[name] = SessionLink(directory, spec, self._emit)
                self._links[name].watch_screen(self._size if name == self._opened else None)
        self._emit(SessionsFound(tuple(found)))
        for name in directories.keys() - self._tasks.keys():
            self._tasks[name] = tasks.create_task(self._links[name].follow())
        for name in self._tasks.keys() - directories.keys():
            self._tasks.pop(name).cancel()
            del self._links[name]

    def open(self, session: str | None, size: tuple[int, int] | None) -> None:
        """The session whose screen and working change are wanted, and the terminal panel's columns and rows."""
        self._size = size
        for name, link in self._links.items():
            link.watch_screen(size if name == session else None)
        if session != self._opened:
            self._opened = session
            self._reopened.set()

    async def request(self, session: str, verb: str, **arguments: Any) -> Any:
        """Ask a session's supervisor; see `SessionLink.request`."""
        return await self._link(session).request(verb, **arguments)

    async def resume(self, session: str) -> None:
        """Have a session go on; see `SessionLink.resume`."""
        await self._link(session).resume()

    def _link(self, session: str) -> SessionLink:
        if session not in self._links:
            raise UnreachableError(f"session {session} is gone")
        return self._links[session]

    async def _watch_diff(self) -> None:
        """Read the open session's working change, now and whenever its files have changed."""
        last: tuple[object, ...] = ()
        rounds = 0
        while True:
            self._reopened.clear()
            link = self._links.get(self._opened or "")
            if link is not None and link.incumbent:
                now = (link.session.id, link.incumbent, *_fingerprint(link))
                rounds += 1
                if now != last or rounds >= _DIFF_ROUNDS:
                    last, rounds = now, 0
                    self._emit(DiffRead(link.session.id, await asyncio.to_thread(_diff, link)))
            else:
                last = ()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DIFF_S):
                    await self._reopened.wait()


def _spec(directory: SessionDir) -> tuple[SessionSpec | None, str]:
    try:
        return directory.spec(), ""
    except StoreError as error:
        return None, str(error)


def _fingerprint(link: SessionLink) -> list[tuple[int, int] | None]:
    """Time and size of the genome's files: cheap to look at, where a diff is a handful of git processes."""
    prints: list[tuple[int, int] | None] = []
    for path in link.spec.genome if link.spec is not None else []:
        try:
            found = Path(link.session.worktree, path).stat()
        except OSError:
            prints.append(None)
        else:
            prints.append((found.st_mtime_ns, found.st_size))
    return prints


def _diff(link: SessionLink) -> str:
    from sessions.lab import diff  # brings GitPython: not before a session is open

    try:
        return diff(link.session.worktree, link.incumbent)
    except (ClearError, OSError) as error:
        return f"the working change cannot be read: {error}"
