"""Numbers as text, one way everywhere in the window. Pure: no clock, no I/O.

A missing value is an en dash, never a zero. Differences carry their sign (a true minus); memory is in GiB,
because that is what drivers and kernels count in.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

MISSING: Final = "–"
_MINUS: Final = "−"
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_GIB: Final = 1 << 30


def bpb(value: float | None, digits: int = 4) -> str:
    """Bits per byte: "0.9731"."""
    return MISSING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def delta(value: float | None, digits: int = 4) -> str:
    """A difference with its sign: "−0.0012", "+0.0004", "±0.0000"."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return f"±{text}"
    return f"{_MINUS if value < 0 else '+'}{text}"


def progress(spent_s: float, budget_s: float) -> str:
    """Where a run is in its budget: "3.2/20 s", "3:12/5:00"."""
    if budget_s <= 0:
        return f"{spent_s:.1f} s"
    if budget_s < 100:
        return f"{spent_s:.1f}/{budget_s:g} s"
    return f"{_minutes(spent_s)}/{_minutes(budget_s)}"


def _minutes(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def duration(seconds: float) -> str:
    """A length of time in its two largest useful parts: "12 s", "41 min", "8 h 02", "3 d 4 h"."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 2 * 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def countdown(seconds: float) -> str:
    """How long something still takes; the last second is a whole one: "41 min", "1 s"."""
    return duration(math.ceil(seconds))


def ago(seconds: float) -> str:
    """How long ago: "just now", "12 s ago", "41 min ago". Below a minute in steps of 5 s, so that it stands still."""
    if seconds < 5:
        return "just now"
    return f"{duration(seconds - seconds % 5 if seconds < 60 else seconds)} ago"


def time_of_day(at: float, *, seconds: bool = False) -> str:
    """Seconds since the epoch as the local time of day: "23:14", "23:14:05"."""
    moment = datetime.fromtimestamp(at, tz=UTC).astimezone()
    return f"{moment:%H:%M:%S}" if seconds else f"{moment:%H:%M}"


def gibibytes(count: float | None) -> str:
    """Bytes as GiB, with one decimal below ten: "3.1", "61"."""
    if count is None:
        return MISSING
    value = count / _GIB
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def used_of(used: float | None, total: float | None) -> str:
    """Memory in use of what there is: "61/80 GiB"."""
    return f"{gibibytes(used)}/{gibibytes(total)} GiB"


def percent(value: float | None) -> str:
    """A share that is already a percentage: "98 %"."""
    return f"{MISSING} %" if value is None else f"{value:.0f} %"


def rate(per_hour: float | None) -> str:
    """Experiments an hour: "12.1/h", "140/h"."""
    if per_hour is None:
        return f"{MISSING}/h"
    return f"{per_hour:.1f}/h" if per_hour < 99.95 else f"{per_hour:.0f}/h"


def count_of(number: int, one: str, many: str | None = None) -> str:
    """A number and its noun: "1 nudge", "31 nudges"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def tokens(count: int) -> str:
    """How many an agent used: "812 tok", "12 ktok", "1.2 Mtok"."""
    value, unit = float(count), ""
    for bigger in ("k", "M", "G"):
        if value < 999.5:
            break
        value, unit = value / 1000, bigger
    return f"{value:.1f} {unit}tok" if unit and value < 9.95 else f"{value:.0f} {unit}tok"


def dollars(cost: float | None) -> str:
    """What they cost: "$3.40", "$128"; below a cent that is said."""
    if cost is None or not math.isfinite(cost):
        return MISSING
    if 0 < cost < 0.005:
        return "<$0.01"
    return f"${cost:.2f}" if cost < 99.995 else f"${cost:.0f}"


def bar(share: float | None, width: int) -> str:
    """A share (0 to 1) as a bar of `width` cells: "██████░░░░"."""
    if width <= 0:
        return ""
    filled = round(max(0.0, min(1.0, share or 0.0)) * width)
    return "█" * filled + "░" * (width - filled)


def sparkline(values: Sequence[float], width: int, low: float | None = None, high: float | None = None) -> str:
    """Values as at most `width` blocks. Several values that share a block show the last of them.

    `low` and `high` set the scale; without them it is what the values span.
    """
    if not values or width <= 0:
        return ""
    if len(values) > width:
        values = [values[(i + 1) * len(values) // width - 1] for i in range(width)]
    bottom = min(values) if low is None else low
    span = (max(values) if high is None else high) - bottom
    if span <= 0:
        return _BLOCKS[0] * len(values)
    top = len(_BLOCKS) - 1
    return "".join(_BLOCKS[max(0, min(top, round((value - bottom) / span * top)))] for value in values)
