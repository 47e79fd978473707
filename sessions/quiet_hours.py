"""Quiet hours: times of the day at which a session leaves everything alone. Pure: it reads no clock."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from harness.errors import ClearError
from harness.text import one_line

_DAY: Final = 86400
_SPAN: Final = re.compile(r"\s*(\d\d?)(?::(\d\d))?\s*[-–]\s*(\d\d?)(?::(\d\d))?\s*", re.ASCII)


class QuietHoursError(ClearError):
    """Quiet hours that cannot be read, or that never end."""


@dataclass(frozen=True)
class QuietHours:
    """Times of the day.

    Attributes:
        spans: beginning and end of each, in seconds of the day, below 86400; one that ends earlier than it begins goes
            on past midnight.
    """

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "23:00-07:00", or several with commas between them; empty: there are none.

        Raises:
            QuietHoursError: this is not the form, or no time of the day is left that is not quiet.
        """
        hours = cls(tuple(_span(one) for one in text.split(",")) if text.strip() else ())
        if any(hours._left(begin) >= _DAY for begin, _end in hours.spans):
            raise QuietHoursError(f"quiet hours {one_line(text, 60)!r} never end; leave some of the day for work")
        return hours

    def remaining_s(self, local: datetime) -> float | None:
        """Seconds until they end, where several that touch are one; None: these are none.

        Args:
            local: now, with the person's zone. A zone that knows its rules makes it right on the day on which the
                clock is changed, too.
        """
        time = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
        left = self._left(time)
        if not left:
            return None
        end = local + timedelta(seconds=left)  # on the clock that hangs there
        first, second = (end.replace(fold=fold).timestamp() - local.timestamp() for fold in (0, 1))
        return first if first > 0 else second

    def _left(self, time: float) -> float:
        """Seconds of the day from a time until no span holds it; 0 where none does, a day or more where all do."""
        left = 0.0
        while left < _DAY and (step := max((_left(span, time + left) for span in self.spans), default=0.0)):
            left += step
        return left


def _left(span: tuple[int, int], time: float) -> float:
    """Seconds until a span ends; 0 outside of it."""
    begin, end = span
    return (end - time) % _DAY if (time - begin) % _DAY < (end - begin) % _DAY else 0.0


def _span(text: str) -> tuple[int, int]:
    form = 'quiet hours look like "23:00-07:00", several with commas between them'
    found = _SPAN.fullmatch(text)
    if found is None:
        raise QuietHoursError(f"{form}; {one_line(text, 40)!r} does not")
    hours = (int(found[1]), int(found[3]))
    minutes = (int(found[2] or 0), int(found[4] or 0))
    times = [hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True)]
    if max(minutes) > 59 or max(times) > 24 * 60:
        raise QuietHoursError(f"{form}; {one_line(text, 40)!r} names a time that no day has")
    begin, end = (time * 60 % _DAY for time in times)
    if begin == end:
        raise QuietHoursError(
            f"quiet hours {one_line(text, 40)!r} end where they begin; leave some of the day for work"
        )
    return begin, end
