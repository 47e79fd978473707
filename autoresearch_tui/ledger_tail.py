"""Reads what a growing file of lines has gained since the last look. It parses nothing."""

from pathlib import Path

from harness.ledger import complete_lines


class LedgerTail:
    """A file of one record a line that others append to, and now and then replace."""

    def __init__(self, path: Path, first_bytes: int | None = None) -> None:
        """Follow `path`; the first look begins `first_bytes` before its end (None: at its beginning)."""
        self._path = path
        self._first_bytes = first_bytes
        self._offset = 0
        self._identity: tuple[int, int] | None = None
        self._size = -1

    def has_changed(self) -> bool:
        """Whether the file is another, or of another size, than at the last look."""
        identity, size = self._stat()
        return (identity, size) != (self._identity, self._size)

    def read(self) -> tuple[list[bytes], bool]:
        """The new complete lines, and whether they begin afresh (the first look, or a file that was replaced or cut).

        Raises:
            OSError: the file is there and cannot be read.
        """
        identity, size = self._stat()
        afresh = identity != self._identity or size < self._offset
        if afresh:
            self._offset = 0 if self._first_bytes is None else max(0, size - self._first_bytes)
        skip_torn = afresh and self._offset > 0
        lines = list(complete_lines(self._path, self._offset)) if size > self._offset else []
        self._offset += sum(len(line) + 1 for line in lines)
        self._identity, self._size = identity, size
        return lines[1:] if skip_torn else lines, afresh

    def _stat(self) -> tuple[tuple[int, int] | None, int]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None, 0
        return (found.st_dev, found.st_ino), found.st_size
