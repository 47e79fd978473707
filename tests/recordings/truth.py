"""What is true of each recording (`turns.toml`), and how far a replay of it is from that."""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
    garbled: tuple[tuple[int, int], ...] = ()

    @property
    def path(self) -> Path:
        """Its cast."""
        return HERE / f"{self.name}.cast"

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows that it was drawn for."""
        return read_cast(self.path).size

    def events(self) -> list[Event]:
        """Everything in it but changes of size: those are for the screen that it was drawn for."""
        return list(read_cast(self.path).events())


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
            garbled=tuple(map(tuple, one.get("garbled", ()))),
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
    events: Iterable[Event], how: Profile, size: tuple[int, int], hidden: frozenset[str] = frozenset()
) -> list[Step]:
    """The replay's steps, with approvals answered."""
    return list(replay(events, how, Limits(answer_approvals=True), size, hidden=hidden))


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
