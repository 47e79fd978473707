"""What is true of each recording (`turns.toml`), and how far a replay of it is from that."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sessions.bounds import Limits
from sessions.cast import Event, read_cast
from sessions.profile import Profile
from sessions.profiles import load_profile
from sessions.replay import Step, replay

HERE: Final = Path(__file__).parent
SIZES: Final = ((80, 24), (100, 30), (200, 50))

PATIENCE_S: Final = 3.0
"""A stop that is not nudged within this time is missed."""

_TEXT: Final = frozenset({"brief", "nudge"})
_TYPED: Final = _TEXT | {"answer", "refresh", "interrupt"}
_NOBODY: Final = Path("/nonexistent")


@dataclass(frozen=True)
class Recording:
    """One recording and its truth; `turns.toml` says what the fields mean."""

    name: str
    agent: str
    ready: float | None = None
    work: tuple[tuple[float, float], ...] = ()
    asking: tuple[tuple[float, float], ...] = ()
    stops: tuple[float, ...] = ()
    cut: tuple[float, ...] = ()
    generic: bool = True
    anywhere: bool = False
    fragile: bool = False

    @property
    def path(self) -> Path:
        """Its cast."""
        return HERE / f"{self.name}.cast"

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows that it was drawn for."""
        return read_cast(self.path).size

    def events(self) -> list[Event]:
        """Everything in it."""
        return list(read_cast(self.path).events())

    def is_whole_at(self, size: tuple[int, int]) -> bool:
        """Whether a screen of that size has room for what was drawn."""
        cols, rows = self.size
        return size[0] >= cols and size[1] >= rows

    def is_legible_at(self, size: tuple[int, int]) -> bool:
        """Whether a screen of that size shows what is needed to find its stops, signals and all."""
        return self.anywhere or self.is_whole_at(size)

    def sizes(self) -> list[tuple[int, int]]:
        """Where it is tried: at its own size, and as if drawn for others."""
        others = [size for size in SIZES if not self.fragile or self.is_whole_at(size)]
        return list(dict.fromkeys([self.size, *others]))


@dataclass
class Verdict:
    """How a replay compares with the truth.

    Attributes:
        false: what was typed into work, and text into a question.
        missed: the stops at which no text was typed in time.
        late_s: for each stop that was found, how long that took, in seconds.
    """

    false: list[Step] = field(default_factory=list)
    missed: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)


def recordings() -> list[Recording]:
    """All of them, by name."""
    data: dict[str, dict[str, Any]] = tomllib.loads((HERE / "turns.toml").read_text(encoding="utf-8"))
    return [
        Recording(
            name=name,
            agent=one["agent"],
            ready=one.get("ready"),
            work=tuple(map(tuple, one.get("work", ()))),
            asking=tuple(map(tuple, one.get("asking", ()))),
            stops=tuple(one.get("stops", ())),
            cut=tuple(one.get("cut", ())),
            generic=one.get("generic", True),
            anywhere=one.get("anywhere", False),
            fragile=one.get("fragile", False),
        )
        for name, one in sorted(data.items())
    ]


def profiles_of(recording: Recording) -> list[str]:
    """The profiles that must read it right: its agent's own, and the generic one where silence says enough."""
    return [recording.agent, "generic"] if recording.generic else [recording.agent]


def profile(name: str) -> Profile:
    """One of the packaged profiles."""
    return load_profile(name, _NOBODY)


def steps_of(
    recording: Recording,
    how: Profile,
    size: tuple[int, int],
    hidden: frozenset[str] = frozenset(),
    events: Iterable[Event] | None = None,
) -> list[Step]:
    """The replay's steps, with approvals answered; `events`: the same in other pieces."""
    cast = read_cast(recording.path)
    began = None if cast.began_at is None else datetime.fromtimestamp(cast.began_at, UTC)
    limits = Limits(answer_approvals=True)
    return list(replay(cast.events() if events is None else events, how, limits, size, began=began, hidden=hidden))


def compare(recording: Recording, steps: list[Step], patience_s: float = PATIENCE_S) -> Verdict:
    """Hold a replay against the truth."""
    verdict = Verdict()
    for step in steps:
        working = any(start <= step.t <= end for start, end in recording.work)
        asking = any(start <= step.t < end for start, end in recording.asking)
        if (step.action in _TYPED and working) or (step.action in _TEXT and asking):
            verdict.false.append(step)
    typed = [step.t for step in steps if step.action in _TEXT]
    for stop, timed in _due(recording):
        next_turn = min((start for start, _ in recording.work if start > stop), default=float("inf"))
        if next_turn < stop + patience_s / 2:
            continue  # the host was quicker than anybody need be
        found = [t for t in typed if stop <= t <= min(next_turn, stop + patience_s)]
        if not found:
            verdict.missed.append(stop)
        elif timed:
            verdict.late_s.append(found[0] - stop)
    return verdict


def _due(recording: Recording) -> Iterator[tuple[float, bool]]:
    """When text is due, and whether the time that it takes counts."""
    if recording.ready is not None:
        yield recording.ready, False
    yield from ((stop, False) for stop in recording.cut)
    yield from ((stop, True) for stop in recording.stops)
