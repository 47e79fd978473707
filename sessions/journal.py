"""A session's journal: every event and decision, one JSON object a line. It judges none."""

import json
import time
from pathlib import Path
from typing import Any

from harness.ledger import append_line


class Journal:
    """The session's journal. What cannot be written now (a full disk) is kept and written first next time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[str] = []

    @property
    def pending(self) -> int:
        """Entries that the disk has not taken yet."""
        return len(self._pending)

    def add(self, kind: str, **facts: Any) -> None:
        """Append `{"at": seconds since the epoch, "kind": kind, **facts}`."""
        entry = {"at": round(time.time(), 3), "kind": kind, **facts}
        self._pending.append(json.dumps(entry, ensure_ascii=False))
        self.flush()

    def flush(self) -> bool:
        """Try to write what is pending; whether nothing is left."""
        while self._pending:
            try:
                append_line(self._path, self._pending[0])
            except OSError:
                return False
            del self._pending[0]
        return True
