"""One session as the window follows it: its socket while a supervisor lives, its ledgers always.

Facts become changes for the reducer; nothing is judged or shown here.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from autoresearch_tui.changes import (
    Change,
    EntriesRead,
    Entry,
    ExperimentsRead,
    FrameArrived,
    Link,
    LinkChanged,
    StatusArrived,
)
from autoresearch_tui.ledger_tail import LedgerTail
from harness.errors import ClearError
from harness.result import Experiment, RecordError
from harness.verdict import Verdict
from sessions import launch
from sessions.client import Connection, UnreachableError, connect
from sessions.last_status import read_status
from sessions.protocol import Frame, ProtocolError, Status
from sessions.spec import SessionSpec
from sessions.states import Phase
from sessions.store import SessionDir, is_supervised

RECONNECT_S: Final = 2.0
# A supervisor that hangs up is gone, or has its lock and its last status settled, within this time.
_AFTER_BYE_S: Final = 0.2
# About the last thousand entries; nobody scrolls further back in a panel, and the file has everything.
_JOURNAL_BYTES: Final = 256 << 10


class SessionLink:
    """Follows one session until its task is cancelled."""

    def __init__(self, session: SessionDir, spec: SessionSpec | None, emit: Callable[[Change], None]) -> None:
        self.session: Final = session
        self.spec: Final = spec
        self.incumbent = spec.base if spec is not None else ""
        self._emit = emit
        self._experiments = LedgerTail(session.experiments)
        self._journal = LedgerTail(session.journal, _JOURNAL_BYTES)
        self._connection: Connection | None = None
        self._screen: tuple[int, int] | None = None
        self._wake = asyncio.Event()

    async def follow(self) -> None:
        """Connect, follow, and connect again, for ever."""
        while True:
            pause_s = RECONNECT_S
            self._wake.clear()
            await self._read_ledgers()
            try:
                connection = await connect(self.session)
            except UnreachableError:
                self._report_absence("")
            except ProtocolError as error:
                self._report_absence(str(error))
            else:
                await self._listen(connection)
                pause_s = _AFTER_BYE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def _listen(self, connection: Connection) -> None:
        self._connection = connection
        try:
            self._emit(LinkChanged(self.session.id, Link.LIVE))
            self._watch()
            async for event in connection.events():
                await self._on_event(event)
        except (ProtocolError, OSError) as error:
            self._emit(LinkChanged(self.session.id, Link.CONNECTING, str(error)))
        finally:
            self._connection = None
            await connection.close()

    async def _on_event(self, event: dict[str, Any]) -> None:
        try:
            match event:
                case {"type": "status", "status": status}:
                    self._emit(StatusArrived(self.session.id, Status.from_dict(status)))
                    await self._read_ledgers()
                case {"type": "changed"}:
                    await self._read_ledgers()
                case {"type": "frame", "frame": frame} if self._screen is not None:
                    self._emit(FrameArrived(self.session.id, Frame.from_wire(frame)))
        except (RecordError, ProtocolError):
            return  # from another version, or broken: the next event may be whole

    def _report_absence(self, problem: str) -> None:
        """Nobody answers: say what the disk knows."""
        status = read_status(self.session)
        if status is not None:
            self._emit(StatusArrived(self.session.id, status))
        if status is not None and status.phase == Phase.STOPPED:
            link = Link.STOPPED
        elif not problem and is_supervised(self.session):
            link = Link.CONNECTING  # it is about to listen
        elif status is not None and status.phase == Phase.FINISHED:
            link = Link.STOPPED
        else:
            link = Link.DEAD
        self._emit(LinkChanged(self.session.id, link, problem))

    async def _read_ledgers(self) -> None:
        """Pass on what the ledgers have gained; a look at their size is enough where they have not."""
        if self._experiments.has_changed():
            with contextlib.suppress(OSError):  # a disk that hiccups is asked again at the next event
                lines, afresh = await asyncio.to_thread(self._experiments.read)
                self._pass_on_experiments(lines, afresh=afresh)
        if self._journal.has_changed():
            with contextlib.suppress(OSError):
                lines, afresh = await asyncio.to_thread(self._journal.read)
                entries = tuple(entry for entry in map(_entry, lines) if entry is not None)
                self._emit(EntriesRead(self.session.id, entries, afresh))

    def _pass_on_experiments(self, lines: list[bytes], *, afresh: bool) -> None:
        records: list[Experiment] = []
        for line in lines:
            with contextlib.suppress(RecordError):
                records.append(Experiment.from_json(line))
        for one in records:
            if one.verdict == Verdict.KEEP:
                self.incumbent = one.commit
        self._emit(ExperimentsRead(self.session.id, tuple(records), len(lines) - len(records), afresh))

    def watch_screen(self, size: tuple[int, int] | None) -> None:
        """Have the agent's screen sent, for a panel of so many columns and rows; None: no more."""
        before, self._screen = self._screen, size
        if self._connection is None or before == size:
            return
        if before is not None and size is not None:
            self._connection.send("resize", cols=size[0], rows=size[1])
        else:
            self._watch()

    def _watch(self) -> None:
        if self._connection is None:
            return
        if self._screen is None:
            self._connection.send("watch", screen=False)
        else:
            self._connection.send("watch", screen=True, cols=self._screen[0], rows=self._screen[1])

    async def request(self, verb: str, **arguments: Any) -> Any:
        """Ask the supervisor for something.

        Raises:
            RefusedError: it said no.
            UnreachableError: there is none, or it went away.
        """
        if self._connection is None:
            raise UnreachableError(f"{self.session.id} has no supervisor; press r to resume it")
        return await self._connection.request(verb, **arguments)

    async def resume(self) -> None:
        """Go on: tell a living supervisor, or start one.

        Raises:
            RefusedError, UnreachableError: see `request`.
            ClearError: it could not be started.
        """
        if self._connection is not None:
            await self.request("resume")
            return
        if is_supervised(self.session):
            raise ClearError(f"{self.session.id}: its supervisor lives and does not answer yet; try again in a moment")
        await asyncio.to_thread(launch.start, self.session)
        self._wake.set()


def _entry(line: bytes) -> Entry | None:
    """A line of the journal; None where it is none."""
    try:
        facts = json.loads(line)
        at = float(facts.pop("at"))
        datetime.fromtimestamp(at, UTC)  # raises where the moment is none
        return Entry(at, str(facts.pop("kind")), facts)
    except (OverflowError, OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
