"""What one entry of an agent's session log says, as its format has it. Pure.

A log is data from outside: numbers and names are taken from where the format says they are, and nothing else.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.text import one_line
from sessions.log_format import NUMBERS, LogFormat
from sessions.profile import fits, looked_up
from sessions.signals import SESSION_ID
from sessions.usage import Usage

_MOST: Final = 1e15  # of anything; beyond it a number is nonsense
_NUMBER: Final = re.compile(r"\$?([0-9][0-9,]*(?:\.[0-9]+)?)([kKmM]?)")
_TIMES: Final = {"": 1, "k": 1_000, "m": 1_000_000}
_NAME_WIDTH: Final = 120


@dataclass(frozen=True)
class Entry:
    """What an entry says; empty where it does not say it.

    Attributes:
        session: the agent's own session id.
        cwd, cwd_sha256: the directory that it works in.
        is_main: whether the entry fits the format's `main`.
        model: one line, cleaned.
        id: entries with the same one are one.
        usage: None: the entry does not count.
    """

    session: str = ""
    cwd: str = ""
    cwd_sha256: str = ""
    is_main: bool = True
    model: str = ""
    id: str = ""
    usage: Usage | None = None


def entries_of(read: LogFormat, line: bytes) -> Iterator[Any]:
    """The entries of one line; none where it is broken, or can say nothing that is asked for."""
    if read.line is not None:
        text = line.decode("utf-8", "replace")
        yield from (_numbers(found) for found in read.line.finditer(text))
        return
    try:
        yield json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return


def tell_tales(read: LogFormat, *, naming: bool) -> list[bytes]:
    """What a line of JSON contains, one of it at least, if it has something to say.

    Args:
        read: the format.
        naming: whether the log has yet to say whose it is.
    """
    paths = [*read.numbers["input"], *read.numbers["output"], read.model]
    if naming:
        paths += [read.session, read.cwd, read.cwd_sha256]
    return list({json.dumps(path.rpartition(".")[2]).encode() for path in paths if path})


def entry_of(read: LogFormat, data: Any) -> Entry:
    """Read an entry."""
    session = _text(data, read.session)
    return Entry(
        session=session if SESSION_ID.fullmatch(session) else "",
        cwd=_text(data, read.cwd),
        cwd_sha256=_text(data, read.cwd_sha256),
        is_main=fits(read.main, data),
        model=one_line(_text(data, read.model), _NAME_WIDTH),
        id=_text(data, read.id)[:_NAME_WIDTH],
        usage=_usage(read, data) if fits(read.where, data) else None,
    )


def _usage(read: LogFormat, data: Any) -> Usage | None:
    numbers = {kind: [_number(looked_up(data, path)) for path in read.numbers[kind]] for kind in NUMBERS}
    if all(one is None for one in (*numbers["input"], *numbers["output"])):
        return None
    sums = {kind: sum(one for one in found if one is not None) for kind, found in numbers.items()}
    tokens, cost = int(sums["input"]) + int(sums["output"]), float(sums["cost"])
    return Usage(
        input=int(sums["input"]),
        cached=int(sums["cached"]),
        written=int(sums["written"]),
        output=int(sums["output"]),
        unpriced=0 if cost else tokens,  # agents say 0 for a model whose price they do not know
        cost=cost,
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= _MOST else None  # neither inf nor nan is


def _text(data: Any, path: str) -> str:
    value = looked_up(data, path) if path else None
    return value if isinstance(value, str) else ""


def _numbers(found: re.Match[str]) -> dict[str, Any]:
    """The groups of a text's line, those that are numbers as such: "2.3k" is 2300."""
    groups: dict[str, Any] = {}
    for name, text in found.groupdict().items():
        number = _NUMBER.fullmatch(text) if text is not None and name != "model" else None
        if number is None:
            groups[name] = text
        else:
            groups[name] = float(number[1].replace(",", "")) * _TIMES[number[2].lower()]
    return groups
