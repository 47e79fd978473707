"""Quiet hours: across midnight, overlapping, on days on which the clock is changed, and mistaken ones."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sessions.quiet_hours import QuietHours, QuietHoursError

_NEW_YORK = ZoneInfo("America/New_York")


def _left(text: str, hour: int, minute: int = 0) -> float | None:
    """Hours that are left of them at a time of day."""
    left = QuietHours.parse(text).remaining_s(datetime(2026, 11, 24, hour, minute, tzinfo=UTC))
    return None if left is None else left / 3600


def test_they_begin_and_end() -> None:
    """The first moment is quiet, the last is not; outside there is nothing to wait for."""
    assert _left("12:00-13:30", 11, 59) is None
    assert _left("12:00-13:30", 12) == 1.5
    assert _left("12:00-13:30", 13, 29) == pytest.approx(1 / 60)
    assert _left("12:00-13:30", 13, 30) is None


def test_they_cross_midnight() -> None:
    """Before and after midnight they end in the same morning."""
    assert _left("23:00-07:00", 23) == 8
    assert _left("23:00-07:00", 1) == 6
    assert _left("23:00-07:00", 7) is None
    assert _left("18:00-24:00", 23) == 1
    assert _left("18:00-24:00", 0) is None
    assert _left("24:00-6", 0) == 6


def test_several_that_touch_are_one() -> None:
    """Spans that overlap or follow each other end with the last; others stand for themselves."""
    assert _left("22:00-02:00, 01:00-05:00,05:00 – 06:00, 12:00-13:00", 23) == 7
    assert _left("22:00-02:00, 01:00-05:00,05:00 – 06:00, 12:00-13:00", 12) == 1
    assert _left("22:00-02:00, 12:00-13:00", 3) is None


def test_none_are_none() -> None:
    """Nothing asked for is never quiet."""
    assert _left("", 3) is _left("  ", 3) is None


def test_seconds_count() -> None:
    """Half a second before the end there is half a second left."""
    now = datetime(2026, 11, 24, 6, 59, 59, 500_000, tzinfo=UTC)
    assert QuietHours.parse("23:00-07:00").remaining_s(now) == pytest.approx(0.5)


def test_a_night_on_which_the_clock_changes() -> None:
    """The end is what the clock will show: an hour later in real time in autumn, an hour earlier in spring."""
    hours = QuietHours.parse("23:00-07:00")
    assert hours.remaining_s(datetime(2026, 10, 31, 23, tzinfo=_NEW_YORK)) == 9 * 3600
    assert hours.remaining_s(datetime(2027, 3, 13, 23, tzinfo=_NEW_YORK)) == 7 * 3600
    second_time = datetime(2026, 11, 1, 1, 45, tzinfo=_NEW_YORK, fold=1)
    assert QuietHours.parse("23:00-01:50").remaining_s(second_time) == 300


@pytest.mark.parametrize(
    "text",
    [
        *("night", "23:00", "23:00-", "-07:00", "23:00-07:00-08:00", "23:00-07:00,", ",", "23.00-07.00", "11pm-7am"),
        *("25:00-07:00", "23:60-07:00", "24:01-07:00", "23:0-07:00", "-1:00-07:00", "٢٣:00-07:00", "9" * 5000),
        *("08:00-08:00", "00:00-24:00", "00:00-12:00,12:00-24:00", "22:00-10:00, 09:00-23:00", "\x1b[31m23:00-07:00"),
    ],
)
def test_mistakes_are_said_in_one_line(text: str) -> None:
    """What cannot be read, and what would never end, is refused in one clean, short line."""
    with pytest.raises(QuietHoursError) as caught:
        QuietHours.parse(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


_times = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda time: f"{time[0]:02}:{time[1]:02}")
_spans = st.lists(st.tuples(_times, _times).map("-".join), min_size=1, max_size=4).map(",".join)


@given(_spans, st.integers(0, 2 * 365 * 86400))
def test_what_is_left_is_quiet_and_what_follows_is_not(text: str, seconds: int) -> None:
    """Whenever it is quiet, it is so until what is left has passed, and no longer."""
    try:
        hours = QuietHours.parse(text)
    except QuietHoursError:
        assume(False)  # hypothesis takes it by place
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    left = hours.remaining_s(now)
    if left is not None:
        assert 0 < left < 86400
        assert hours.remaining_s(now + timedelta(seconds=left)) is None
        assert hours.remaining_s(now + timedelta(seconds=left - 1)) == 1
        assert hours.remaining_s(now + timedelta(seconds=left / 2)) is not None
