"""When a limit ends: the words that agents print, the clocks that are set back, and whatever else may stand there."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.reset_time import parse_reset

_NEW_YORK = ZoneInfo("America/New_York")
_NOW = datetime(2026, 11, 24, 22, 30, tzinfo=_NEW_YORK)  # a Tuesday; 03:30 of the 25th in UTC


def _at(phrase: str, now: datetime = _NOW) -> str | None:
    """When, on the clock of `now`."""
    reset = parse_reset(phrase, now)
    return None if reset is None else datetime.fromtimestamp(reset.at, now.tzinfo).isoformat(" ", "seconds")[5:-6]


@pytest.mark.parametrize(
    ("phrase", "at", "margin_s"),
    [
        ("3:45 PM", "11-25 15:45:00", 60),
        ("at 3:45\u202fPM.", "11-25 15:45:00", 60),
        ("11pm", "11-24 23:00:00", 60),
        ("3pm (Europe/Berlin)", "11-25 09:00:00", 60),
        ("3pm, Europe/Berlin", "11-25 09:00:00", 60),
        ("22:00 (Etc/GMT+5)", "11-25 22:00:00", 60),
        ("15:30 UTC", "11-25 10:30:00", 60),
        ("8pm (PST)", "11-24 23:00:00", 60),
        ("8pm PT", "11-24 23:00:00", 60),
        ("Nov 25, 4am (America/Los_Angeles)", "11-25 07:00:00", 60),
        ("Nov 25th, 2026 4:05 AM", "11-25 04:05:00", 60),
        ("4am, Nov 25", "11-25 04:00:00", 60),
        ("Nov 27 at 12am (Asia/Tokyo)", "11-26 10:00:00", 60),
        ("Thu Nov 26 2026 04:00:00 GMT+0100", "11-25 22:00:00", 2),
        ("tomorrow at 9:00", "11-25 09:00:00", 60),
        ("tonight at 11pm", "11-24 23:00:00", 60),
        ("Tuesday 11pm", "11-24 23:00:00", 60),
        ("Mon at 8am", "11-30 08:00:00", 60),
        ("noon", "11-25 12:00:00", 60),
        ("in 5 hours 32 minutes", "11-25 04:02:00", 60),
        ("5 hours (3:45 AM)", "11-25 03:30:00", 60),
        ("2 days, 1 hr and 30 min", "11-27 00:00:00", 60),
        ("an hour", "11-24 23:30:00", 60),
        ("1h 3m", "11-24 23:33:00", 60),
        ("5 seconds", "11-24 22:30:05", 2),
        ("2h14m5s.", "11-25 00:44:05", 2),
        ("37.9s", "11-24 22:30:37", 2),
        ("6m0s", "11-24 22:36:00", 2),
        ("120ms", "11-24 22:30:00", 2),
        ("2026-11-25T04:00:00Z", "11-24 23:00:00", 2),
        ("2026-11-25T04:00+01:00", "11-24 22:00:00", None),  # half an hour ago
        ("2026-11-25 04:00", "11-25 04:00:00", 60),
        ("1795600000", "11-25 04:46:40", 2),
    ],
)
def test_what_agents_print(phrase: str, at: str, margin_s: float | None) -> None:
    """Each way of saying when means the moment that a reader would take it for, as exact as it was given."""
    reset = parse_reset(phrase, _NOW)
    if margin_s is None:
        assert reset is None
    else:
        assert reset is not None
        assert (_at(phrase), reset.margin_s) == (at, margin_s)


@pytest.mark.parametrize(
    "phrase",
    [
        *("", "soon", "may", "Nov", "12", "1", "a", "march 3", "9 days", "Dec 24 9am", "5 minutes ago", "25:00"),
        *(
            "Feb 30 4am",
            "3pm (Mars/Phobos)",
            "3pm (Europe)",
            "3pm (America/Argentina)",
            "3pm Europe/../Berlin",
            f"5{200 * ' '}s",
        ),
        *(
            "99999999999999999 days",
            "999999999 weeks",
            "9999999999",
            "9999-12-31T23:59:59Z",
            "0001-01-01T00:00:00+23:59",
        ),
    ],
)
def test_what_says_nothing_of_use(phrase: str) -> None:
    """Words that are no time, or one that no limit lasts until, are not understood."""
    assert parse_reset(phrase, _NOW) is None


def test_a_time_that_has_just_passed_is_now() -> None:
    """Two minutes back still counts as this time of day; beyond that it is tomorrow's."""
    assert _at("10:29 PM") == _at("Tuesday 10:29 PM") == _at("Nov 24 at 10:29 PM") == "11-24 22:29:00"
    assert _at("10:28 PM") == "11-25 22:28:00"
    assert _at("10:28:30 PM") == "11-24 22:28:30"
    just_after_midnight = datetime(2026, 11, 25, 0, 1, tzinfo=_NEW_YORK)
    assert _at("12am", just_after_midnight) == "11-25 00:00:00"
    assert _at("11:59:30 PM", just_after_midnight) == "11-24 23:59:30"
    assert _at("tomorrow at 9:00", just_after_midnight) == "11-26 09:00:00"


@pytest.mark.parametrize("phrase", ["4am", "Jan 1, 4am", "tomorrow at 4am", "Fri 4am", "4am tomorrow", "4am (EST)"])
def test_a_year_ends(phrase: str) -> None:
    """On the last day of a month and a year, what comes next is the first of the next."""
    assert _at(phrase, datetime(2026, 12, 31, 22, 0, tzinfo=_NEW_YORK)) == "01-01 04:00:00"


def test_the_next_such_time_is_counted_where_it_is_said() -> None:
    """Whether 8 pm has passed depends on the clock of the zone that was named."""
    assert _at("9pm (America/Los_Angeles)") == "11-25 00:00:00"
    assert _at("9am (Asia/Tokyo)") == "11-25 19:00:00"
    assert _at("tomorrow 9am PST", _NOW + timedelta(hours=2)) == "11-25 12:00:00"  # where Tuesday goes on
    assert _at("tomorrow 9am PST", _NOW + timedelta(hours=9)) == "11-26 12:00:00"  # where it is 4:30 on Wednesday


def test_a_clock_that_is_set_back_shows_a_time_twice() -> None:
    """At 1:45 the first time, 1:30 comes again in 45 minutes; at half past midnight it is the first 1:30."""
    before = datetime(2026, 11, 1, 0, 30, tzinfo=_NEW_YORK)
    between = datetime(2026, 11, 1, 1, 45, tzinfo=_NEW_YORK)
    for now, minutes in ((before, 60), (between, 45)):
        reset = parse_reset("1:30 AM", now)
        assert reset is not None
        assert reset.at - now.timestamp() == minutes * 60


def test_a_clock_that_is_set_forward() -> None:
    """A duration is a duration, a time is what the clock will show, and one that is left out comes after the gap."""
    now = datetime(2027, 3, 14, 0, 30, tzinfo=_NEW_YORK)
    for phrase, minutes in (("in 5 hours", 300), ("4am", 150), ("2:30 AM", 120)):
        reset = parse_reset(phrase, now)
        assert reset is not None
        assert reset.at - now.timestamp() == minutes * 60


_WORDS = [
    "3",
    "11:59",
    "pm",
    "AM",
    "Nov",
    "25",
    "2026",
    "Tue",
    "tomorrow",
    "in",
    "5",
    "hours",
    "m",
    "s",
    "(",
    ")",
    ",",
    "-",
]
_WORDS += [
    "Europe/Berlin",
    "UTC",
    "PST",
    "T",
    "Z",
    "+",
    ":",
    "1795600000",
    "noon",
    "99999999",
    "\u202f",
    "\x1b[31m",
    "ago",
    "/",
]
_soup = st.lists(st.sampled_from(_WORDS), max_size=12).flatmap(
    lambda words: st.sampled_from(["", " "]).map(lambda between: between.join(words))
)
_zones = st.sampled_from([_NEW_YORK, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Lord_Howe"), UTC])


@settings(deadline=None)  # the first date loads a library
@given(
    st.text(max_size=300) | _soup,
    st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001  # the zone follows
    _zones | st.integers(-12, 12).map(lambda hours: timezone(timedelta(hours=hours))),
)
def test_whatever_the_words_the_moment_is_near(phrase: str, wall: datetime, zone: ZoneInfo | timezone) -> None:
    """Any text at any time: not understood, or a moment within two minutes back and eight days ahead."""
    now = wall.replace(tzinfo=zone)
    reset = parse_reset(phrase, now)
    if reset is not None:
        assert -120 < reset.at - now.timestamp() <= 8 * 86400
        assert reset.margin_s in {2.0, 60.0}


@settings(deadline=None)  # the first date loads a library
@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 366 * 24 * 60), _zones)
def test_a_bare_time_is_the_first_that_the_clock_shows(hour: int, minute: int, minutes: int, zone: ZoneInfo) -> None:
    """A time of day is at most 25 hours ahead, and the clock shows it then unless it is left out that day."""
    now = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)).astimezone(zone)
    reset = parse_reset(f"{hour}:{minute:02}", now)
    assert reset is not None
    assert -120 < reset.at - now.timestamp() <= 25 * 3600
    shown = datetime.fromtimestamp(reset.at, zone)
    if (shown.hour, shown.minute) != (hour, minute):
        assert shown.utcoffset() != (shown - timedelta(hours=3)).utcoffset()


@pytest.mark.parametrize("phrase", ["1 " * 1_000_000, "(" * 200, "11:59 " * 33, "1h" * 100, "Nov " * 50, "9" * 200])
def test_hostile_words_are_dropped(phrase: str) -> None:
    """Endless or repeated words are not understood; the answer comes, whatever they are."""
    reset = parse_reset(phrase, _NOW)
    assert reset is None or reset.at > _NOW.timestamp()


def test_dates_are_not_read_before_there_are_any() -> None:
    """The library for dates, slow to import, is loaded by words that need it, and by durations never."""
    code = (
        "import sys, datetime; from sessions.reset_time import parse_reset; now = datetime.datetime.now(datetime.UTC)\n"
        "parse_reset('in 5 hours', now); assert 'dateparser' not in sys.modules\n"
        "parse_reset('3pm', now); assert 'dateparser' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
