"""One log of an agent's: whether it is ours, and what its new entries say. It sums up nothing."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from harness.result import Record
from sessions.log_database import LogDatabase
from sessions.log_entry import Entry, entries_of, entry_of, tell_tales
from sessions.log_format import LogFormat
from sessions.session_log import LogFile, Place
from sessions.tally import Counted

# A log that has not said within so many entries whose it is, is not ours; and what session it is, it won't say.
_SAYS_WITHIN: Final = 200


@dataclass(frozen=True)
class Ours:
    """What makes a log ours: the directory that its agent works in.

    Attributes:
        paths: of the worktree.
        sums: the SHA-256 of each.
        parameters: of a database's query.
    """

    paths: Collection[str]
    sums: Collection[str]
    parameters: Mapping[str, str | float]


@dataclass(frozen=True)
class _Kept(Record):
    place: dict[str, Any]
    counted: dict[str, Any]
    session: str
    model: str


class KnownLog:
    """A log that may be ours.

    Attributes:
        counted: what it has been counted for.
        session: the agent's own session id; empty while unknown, and in a log beside the main one.
        is_ours: None until it has said where its agent works.
        read: bytes that the last look read.
    """

    def __init__(self, read: LogFormat, path: Path, kept: Any = None) -> None:
        """Go on from what `to_dict` gave.

        Raises:
            RecordError: it is no such thing.
        """
        before = _Kept({}, {}, "", "") if kept is None else _Kept.from_dict(kept)
        self.counted = Counted(before.counted)
        self.session = before.session
        self.is_ours = True if kept is not None or not (read.cwd or read.cwd_sha256) else None
        self.read = 0
        self._format = read
        self._model = before.model
        self._heard = 0
        self._tell_tales = {naming: tell_tales(read, naming=naming) for naming in (False, True)}
        self._file: LogFile | LogDatabase
        if read.kind == "sqlite":
            self._file = LogDatabase(path, read.query)
        else:
            self._file = LogFile(path, Place.from_dict(before.place))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        place = asdict(self._file.place) if isinstance(self._file, LogFile) else {}
        # The rows of a database are all read again, and a sum so far means nothing without the one before.
        everything = self._format.cumulative or isinstance(self._file, LogDatabase)
        return asdict(_Kept(place, self.counted.to_dict(everything=everything), self.session, self._model))

    def look(self, ours: Ours) -> Iterator[Entry]:
        """What has come since the last look, if it is ours."""
        if isinstance(self._file, LogDatabase):
            self.read = 0
            for row in self._file.rows(ours.parameters):
                entry = entry_of(self._format, row)
                self._hear(entry, ours)
                yield entry
            return
        lines = self._file.lines()
        self.read = self._file.read
        for line in lines:
            # Nearly all of a log is what was said and read; parsing that is spared.
            naming = self.is_ours is None or (not self.session and self._heard < _SAYS_WITHIN)
            if self._format.kind == "jsonl" and not any(one in line for one in self._tell_tales[naming]):
                continue
            for data in entries_of(self._format, line):
                entry = entry_of(self._format, data)
                self._hear(entry, ours)
                if self.is_ours:
                    yield replace(entry, model=entry.model or self._model)

    def _hear(self, entry: Entry, ours: Ours) -> None:
        self._heard += 1
        if self.is_ours is None and (entry.cwd or entry.cwd_sha256):
            self.is_ours = entry.cwd in ours.paths or entry.cwd_sha256 in ours.sums
        elif self.is_ours is None and self._heard >= _SAYS_WITHIN:
            self.is_ours = False
        # A file is about one session, the one that it says first; of a database's the last is the newest.
        if entry.session and entry.is_main and (not self.session or isinstance(self._file, LogDatabase)):
            self.session = entry.session
        self._model = entry.model or self._model
