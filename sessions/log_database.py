"""Asks an agent's SQLite database, where its session log is one. Nothing is written.

The one module that imports sqlite3. The database is another's, in use, and perhaps broken: whatever goes wrong, there
are no rows this time.
"""

import contextlib
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_MOST_ROWS: Final = 1000
_WITHIN_S: Final = 0.02
_LOOK_EVERY: Final = 2000  # of SQLite's steps


class LogDatabase:
    """A database that is asked again whenever it has changed."""

    def __init__(self, path: Path, query: str) -> None:
        """`query` is one SELECT."""
        self.path = path
        self._query = query
        self._seen: tuple[Any, ...] = ()

    def rows(self, parameters: Mapping[str, str | float]) -> list[dict[str, Any]]:
        """What the query finds, at most 1000 rows, column by column; nothing if the database is as it was."""
        seen = (_state(self.path), _state(Path(f"{self.path}-wal")))
        if seen == self._seen or seen[0] is None:
            return []
        try:
            rows = self._ask(parameters)
        except (sqlite3.Error, OSError, ValueError, OverflowError):
            return []
        self._seen = seen
        return rows

    def _ask(self, parameters: Mapping[str, str | float]) -> list[dict[str, Any]]:
        # Opening a database in WAL mode that nobody has open would leave files beside it, even if only to read.
        mode = "mode=ro" if Path(f"{self.path}-shm").exists() else "immutable=1"
        deadline = time.monotonic() + _WITHIN_S
        with contextlib.closing(sqlite3.connect(f"{self.path.as_uri()}?{mode}", uri=True, timeout=0)) as database:
            database.text_factory = lambda data: data.decode("utf-8", "replace")
            database.set_progress_handler(lambda: time.monotonic() > deadline, _LOOK_EVERY)
            found = database.execute(self._query, dict(parameters))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchmany(_MOST_ROWS)]


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)
