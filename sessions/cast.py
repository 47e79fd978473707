"""asciinema casts: read version 2 and 3 line by line, and format the lines of a new one (version 2).

A cast is a text file: a header, then one JSON array a line, `[seconds, kind, data]`. Version 2 counts the seconds from
the beginning, version 3 from the event before. It knows no terminal and judges nothing; memory is bounded by one line.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NoReturn

from harness.errors import ClearError
from harness.text import one_line

Kind = Literal["o", "i", "r", "m", "x"]
"""Output; what was typed; a new size ("COLSxROWS"); a marker; the end of the program (its exit status)."""

_KINDS: Final = frozenset({"o", "i", "r", "m", "x"})
_LINE_BYTES: Final = 8 << 20  # the longest line that was ever seen had 64 kB
_COLS_ROWS: Final = 1000  # more is no terminal, and a screen that large would take the memory
_LONGEST_S: Final = 366 * 86400.0
_LATEST: Final = 1 << 36  # the year 4147; dates end in 9999


class CastError(ClearError):
    """A file that is no cast; the text is one line that names the file and the line."""


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        at: seconds since the recording's beginning; never less than the event's before.
        kind: see `Kind`.
        data: as recorded; may hold any character.
    """

    at: float
    kind: str
    data: str


@dataclass(frozen=True)
class Cast:
    """A recording on disk whose header was read.

    Attributes:
        path: the file.
        version: 2 or 3.
        size: columns and rows at the beginning.
        began_at: in seconds since the epoch; None where it is not said.
    """

    path: Path
    version: int
    size: tuple[int, int]
    began_at: int | None = None

    def events(self) -> Iterator[Event]:
        """All events, in order, read as they are asked for. Kinds that we do not know are passed over.

        A last line without a newline that is no event was cut off while it was written, and is left out.

        Raises:
            CastError: a line is no event.
            OSError: the file cannot be read any more.
        """
        at = 0.0
        with self.path.open("rb") as stream:
            _line(stream, self.path, 1)
            number = 1
            while line := _line(stream, self.path, number := number + 1):
                if not line.strip() or line.startswith(b"#"):
                    continue
                try:
                    seconds, kind, data = _fields(line)
                except ValueError as problem:
                    if not line.endswith(b"\n"):
                        return
                    _fail(self.path, number, f"no event: {problem}")
                at = max(at, seconds) if self.version == 2 else at + max(0.0, seconds)
                if at > _LONGEST_S:
                    _fail(self.path, number, "a time more than a year after the beginning")
                if kind in _KINDS:
                    yield Event(at, kind, data)


def read_cast(path: Path) -> Cast:
    """Open a cast by its header.

    Raises:
        CastError: it cannot be read, or is no cast of version 2 or 3.
    """
    try:
        with path.open("rb") as stream:
            line = _line(stream, path, 1)
    except OSError as error:
        raise CastError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        version, size, began_at = _header(json.loads(line))
    except (ValueError, TypeError, KeyError, RecursionError):
        _fail(path, 1, "no header of an asciinema cast, version 2 or 3")
    if not all(1 <= one <= _COLS_ROWS for one in size):
        _fail(path, 1, f"a terminal of {size[0]}x{size[1]} cannot be")
    return Cast(path, version, size, began_at)


def parse_size(text: str) -> tuple[int, int]:
    """Columns and rows from "COLSxROWS".

    Raises:
        ValueError: it is no such text, or no terminal has that size.
    """
    cols, _, rows = text.partition("x")
    if not (cols.isascii() and cols.isdigit() and rows.isascii() and rows.isdigit() and len(text) < 12):
        raise ValueError(f"not COLSxROWS: {one_line(text, 40)!r}")
    size = int(cols), int(rows)
    if not all(1 <= one <= _COLS_ROWS for one in size):
        raise ValueError(f"no terminal has {size[0]}x{size[1]} cells")
    return size


def header_line(size: tuple[int, int], started_at: int) -> str:
    """The first line of a cast of version 2, with its newline; `started_at` in seconds since the epoch."""
    return json.dumps({"version": 2, "width": size[0], "height": size[1], "timestamp": started_at}) + "\n"


def event_line(event: Event) -> str:
    """One event as a line of a cast of version 2, with its newline. ASCII only: any editor or disk bears it."""
    return json.dumps([round(event.at, 4), event.kind, event.data]) + "\n"


def _header(header: Any) -> tuple[int, tuple[int, int], int | None]:
    version = header["version"]
    terminal = header["term"] if version == 3 else header
    size = (terminal["cols"], terminal["rows"]) if version == 3 else (terminal["width"], terminal["height"])
    if version not in {2, 3} or any(type(one) is not int for one in size):
        raise ValueError
    began_at = header.get("timestamp")
    return int(version), size, began_at if type(began_at) is int and 0 <= began_at < _LATEST else None


def _fields(line: bytes) -> tuple[float, str, str]:
    try:
        event = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    match event:
        case [int() | float() as seconds, str() as kind, str() as data] if not isinstance(seconds, bool):
            pass
        case _:
            raise ValueError("not [seconds, kind, data]")
    # An integer of thousands of digits is more than a float can hold.
    if seconds > _LONGEST_S or not math.isfinite(seconds):
        raise ValueError("a time that cannot be")
    if kind == "r":
        parse_size(data)
    return float(seconds), kind, data


def _line(stream: BinaryIO, path: Path, number: int) -> bytes:
    line = stream.readline(_LINE_BYTES)
    if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
        _fail(path, number, f"longer than {_LINE_BYTES >> 20} MiB")
    return line


def _fail(path: Path, number: int, problem: str) -> NoReturn:
    raise CastError(f"{path}, line {number}: {problem}")
