"""What a person asked to have typed and is not typed yet: `nudges.json`, so that no crash loses it."""

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.result import Record, RecordError
from harness.text import clean
from sessions.store import replace_file


@dataclass(frozen=True)
class PersonNudge(Record):
    """One text; `urgent`: it is to reach the agent at once, also in its work."""

    text: str
    urgent: bool = False


class NudgeQueue:
    """The texts, the urgent ones first, each kind in the order that they came."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier supervisor had not typed yet."""
        self._path = path
        self._nudges = _kept(path)

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, the next one first."""
        return tuple(one.text for one in self._nudges)

    @property
    def urgent(self) -> bool:
        """Whether the next one is to reach the agent at once."""
        return bool(self._nudges) and self._nudges[0].urgent

    def add(self, text: str, *, urgent: bool) -> None:
        """Take one more."""
        self._nudges.append(PersonNudge(clean(text), urgent))
        self._nudges.sort(key=lambda one: not one.urgent)
        self._write()

    def pop(self) -> str:
        """Take out the next one."""
        text = self._nudges.pop(0).text
        self._write()
        return text

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # a full disk costs what only a crash would need
            replace_file(self._path, json.dumps([asdict(one) for one in self._nudges]) + "\n")


def _kept(path: Path) -> list[PersonNudge]:
    try:
        kept = [PersonNudge.from_dict(one) for one in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError, RecordError):
        return []
    return [PersonNudge(clean(one.text), one.urgent) for one in kept]
