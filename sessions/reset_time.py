"""When a usage limit ends, from the words that an agent prints. Pure: it reads no clock.

Durations, ISO times and epoch seconds are read here. Dates and clock times in words are left to `dateparser`, which
is given them without zone and filler; the first such words cost it 0.2 s.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LONGEST: Final = 200  # characters; nobody needs more to say when
_JUST_PASSED: Final = timedelta(minutes=2)  # "resets 3pm" is still on the screen at one minute past
_FURTHEST: Final = timedelta(days=8)  # weekly limits are the longest; what lies beyond was misread

_MARGIN_S: Final = 60.0  # a time given to the minute may mean its end
_EXACT_MARGIN_S: Final = 2.0

_FILLER: Final = re.compile(
    r"(?:(?:try|again|resets?|at|in|on|after|until|around|about|by|for|the)\b[\s:,]*)+", re.IGNORECASE
)
_ASIDE: Final = re.compile(r"\((?![A-Z][\w/+-]*\))[^()]*\)")  # in brackets, and no zone

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_UNITS: Final = "ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?"
_AMOUNT: Final = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,12}})?)\s?({_UNITS})(?![a-z])\.?", re.ASCII)
_DURATION: Final = re.compile(rf"(?:{_AMOUNT.pattern},?\s?(?:and\s)?)+", re.ASCII)

_EPOCH: Final = re.compile(r"\d{10}(?:\.\d{1,9})?", re.ASCII)
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?P<exact>:\d\d(?:\.\d{1,9})?)?\s?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII
)

# Words without a time or a day in them are not understood, though "may" and "12" could be dates.
_TIME: Final = re.compile(
    r"\b\d{1,2}(?::\d\d(?P<exact>:\d\d)?\s?|\s?(?=[ap]\.?m\b))(?:[ap]\.?m\b)?|\b(?:noon|midnight)\b",
    re.ASCII | re.IGNORECASE,
)
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_TODAY: Final = re.compile(r"\b(?:today|tonight|tomorrow)\b", re.IGNORECASE)
_WEEKDAY: Final = re.compile(r"\b(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\b", re.IGNORECASE)
_DAY: Final = re.compile(
    rf"\b{_MONTH}\s\d|\d\s{_MONTH}|\b\d{{4}}-\d|\b\d{{1,2}}/\d|{_TODAY.pattern}|{_WEEKDAY.pattern}",
    re.ASCII | re.IGNORECASE,
)

_ZONE: Final = re.compile(r"(?:(?<=\()|\b)(?:[A-Z][A-Za-z]+(?:/[A-Za-z0-9_+-]+){1,2}|[CEMP]T)(?![\w/+-])")
_AMERICAN: Final = {
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
}


@dataclass(frozen=True)
class Reset:
    """When a limit ends: seconds since the epoch, and how long to wait beyond it."""

    at: float
    margin_s: float


def parse_reset(phrase: str, now: datetime) -> Reset | None:
    """The next moment that the words name; None where they are not understood, or it is more than 8 days ahead.

    A moment that passed less than two minutes ago still counts as the next.

    Args:
        phrase: what an agent prints: "3pm (Europe/Berlin)", "in 5 hours 32 minutes", "2026-11-25T04:00:00Z".
        now: with its zone, in which a time is understood that names none.
    """
    if len(phrase) > _LONGEST:
        return None
    words = " ".join(_ASIDE.sub(" ", phrase).split()).strip(" .,;:!")  # and the narrow blanks that stand before "PM"
    if filler := _FILLER.match(words):
        words = words[filler.end() :]
    try:
        return _duration(words, now) or _absolute(words, now) or _in_words(words, now)
    except (OverflowError, ValueError):  # beyond the last year, or the 31st of a shorter month
        return None


def _reset(at: datetime, now: datetime, *, exact: bool) -> Reset | None:
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    if not now - _JUST_PASSED < at <= now + _FURTHEST:
        return None
    return Reset(at.timestamp(), _EXACT_MARGIN_S if exact else _MARGIN_S)


def _duration(words: str, now: datetime) -> Reset | None:
    words = re.sub(r"^an?\s", "1 ", words.lower())
    if not _DURATION.fullmatch(words):
        return None
    amounts = [(float(n), "ms" if unit.startswith(("ms", "mil")) else unit[0]) for n, unit in _AMOUNT.findall(words)]
    seconds = sum(n * _SECONDS[unit] for n, unit in amounts)
    exact = any(unit in {"ms", "s"} for _n, unit in amounts)
    return _reset(now.astimezone(UTC) + timedelta(seconds=seconds), now, exact=exact)


def _absolute(words: str, now: datetime) -> Reset | None:
    if _EPOCH.fullmatch(words):
        return _reset(datetime.fromtimestamp(float(words), UTC), now, exact=True)
    if (iso := _ISO.fullmatch(words)) is None:
        return None
    at = datetime.fromisoformat(words.replace(" ", "T", 1).replace(" ", ""))
    return _reset(at if at.tzinfo is not None else at.replace(tzinfo=now.tzinfo), now, exact=bool(iso["exact"]))


def _in_words(words: str, now: datetime) -> Reset | None:
    zone = now.tzinfo
    if named := _ZONE.search(words):
        zone = _zone(named[0])
        words = words[: named.start()] + words[named.end() :]
    words = " ".join(words.replace("(", " ").replace(")", " ").split()).strip(" ,")
    time = _TIME.search(words)
    if zone is None or (time is None and _DAY.search(words) is None):
        return None
    try:
        wall, zone = _wall(words, now, zone)
    except Exception:  # noqa: BLE001  # whatever odd words do to the library, they cost no more than themselves
        return None
    if wall is None:
        return None
    exact = time is not None and time["exact"] is not None
    # What was taken for tomorrow's or next week's may still come today: the second of two such times, or a weekday's.
    period = 7 if _WEEKDAY.search(words) else 1 if _DAY.search(words) is None else 0
    nearby = (_reset(at, now, exact=exact) for at in _moments(wall, zone, period))
    return next((reset for reset in nearby if reset is not None), None)


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(_AMERICAN.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the last: a folder of the database
        return None


def _wall(words: str, now: datetime, zone: tzinfo) -> tuple[datetime | None, tzinfo]:
    """What a clock shows then, and in which zone: the words may name another ("PST", "GMT+2")."""
    from dateparser import parse  # slow to import
    from dateparser.timezone_parser import pop_tz_offset_from_string

    words, named = pop_tz_offset_from_string(words)
    zone = named or zone
    # "today" is meant at this moment; everything else may just have passed.
    base = now.astimezone(UTC) - (timedelta() if _TODAY.search(words) else _JUST_PASSED)
    base = base.astimezone(zone).replace(tzinfo=None)
    settings = {"RELATIVE_BASE": base, "PREFER_DATES_FROM": "future", "TIMEZONE": "UTC"}
    found: datetime | None = parse(words, languages=["en"], settings=settings)
    if found is None or _DAY.search(words):
        return found, zone
    # Version 1.5.0 goes back to the first of the month for a time of day that has passed on its last.
    return found.replace(year=base.year, month=base.month, day=base.day), zone


def _moments(wall: datetime, zone: tzinfo, period: int) -> Iterator[datetime]:
    """The moments at which a clock in the zone shows this, and so many days before and after, in order.

    On a day on which the clock is set back there may be two.
    """
    for days in sorted({-period, 0, period}):
        for fold in (0, 1):
            yield (wall + timedelta(days=days)).replace(tzinfo=zone, fold=fold)
