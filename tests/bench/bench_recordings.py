"""Detector and policy on every recording: what they get wrong, and how soon a nudge follows a stop.

At their own timing, on a simulated clock. The time from a stop to the nudge ends with Enter: what the profile waits
between the text and Enter is in it. What a supervisor adds to that is measured by `bench_nudge`.
"""

import statistics
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sessions.cast import Event
from tests.recordings.truth import Recording, compare, profile, profiles_of, recordings, steps_of

_SIGNALS = frozenset({"title", "osc7501"})
_PIECES = (None, 1000, 40)
_STRUCTURED_S = 0.5
_SCREEN_S = 1.5


def figures() -> list[dict[str, Any]]:
    """Errors over recordings, profiles, sizes and pieces; times by structured signal, by title and by the screen."""
    everything = recordings()
    errors = [_errors(recording) for recording in everything]
    false, missed, stops = (sum(one[n] for one in errors) for n in range(3))
    osc = [one for one in everything if any("\x1b]7501;" in event.data for event in one.events())]
    rest = [one for one in everything if one not in osc]
    return [
        _count("recordings: false nudges", false, stops),
        _count("recordings: missed stops", missed, stops),
        *_times("OSC 7501", _late(osc, generic=False, hidden=frozenset()), _STRUCTURED_S),
        *_times("title and screen", _late(rest, generic=False, hidden=frozenset()), _SCREEN_S),
        *_times("screen alone", _late(everything, generic=True, hidden=_SIGNALS), _SCREEN_S),
    ]


def _errors(recording: Recording) -> tuple[int, int, int]:
    """False nudges, missed stops, and how many stops there were to find, in every way that it can be played."""
    false = missed = stops = 0
    for name in profiles_of(recording):
        for size in recording.sizes():
            for hidden, pieces in [*((frozenset(), pieces) for pieces in _PIECES), (_SIGNALS, None)]:
                events = list(_cut(recording, pieces))
                verdict = compare(recording, steps_of(recording, profile(name), size, hidden, events))
                false += len(verdict.false)
                by_signal = not hidden and name == recording.agent
                if recording.is_legible_at(size) if by_signal else recording.is_whole_at(size):
                    missed += len(verdict.missed)
                    stops += len(verdict.missed) + len(verdict.late_s)
    return false, missed, stops


def _cut(recording: Recording, pieces: int | None) -> Iterator[Event]:
    """The events, output in pieces of so many characters."""
    for event in recording.events():
        if event.kind != "o" or pieces is None:
            yield event
        else:
            for start in range(0, len(event.data), pieces):
                yield replace(event, data=event.data[start : start + pieces])


def _late(which: list[Recording], *, generic: bool, hidden: frozenset[str]) -> list[float]:
    """Seconds from each stop to Enter."""
    late: list[float] = []
    for recording in which:
        for name in profiles_of(recording) if generic else [recording.agent]:
            how = profile(name)
            verdict = compare(recording, steps_of(recording, how, recording.size, hidden))
            late += [seconds + how.paste_delay_s for seconds in verdict.late_s]
    return late


def _count(name: str, found: int, of: int) -> dict[str, Any]:
    return {
        "name": name, "value": found, "unit": f"of {of}", "reference": 0, "ratio": float(found),
        "goal": "value <= 0", "met": found == 0,
    }  # fmt: skip


def _times(by: str, late: list[float], goal_s: float) -> list[dict[str, Any]]:
    p95 = statistics.quantiles(late, n=20, method="inclusive")[-1]
    return [
        _time(f"stop to nudge by {by}, median of {len(late)}", statistics.median(late), goal_s),
        _time(f"stop to nudge by {by}, 95th percentile", p95, 2 * goal_s),
    ]


def _time(name: str, seconds: float, goal_s: float) -> dict[str, Any]:
    return {
        "name": name, "value": round(seconds, 3), "unit": "s", "reference": goal_s, "ratio": round(seconds / goal_s, 2),
        "goal": "<= 1", "met": seconds <= goal_s,
    }  # fmt: skip
