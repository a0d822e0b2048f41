"""When a night may run: a daily window in local wall time, exact over changes of the clock.

Both ends are converted to UTC before anything is subtracted: in one and the same zone Python subtracts wall times,
and then the night of 8 hours and the night of 10 hours both seem to last 9. A wall time that does not exist (spring)
is moved on by the length of the gap, one that exists twice (autumn) is its first occurrence: PEP 495's ``fold=0``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """One occurrence: from ``opens`` to just before ``closes``, both aware UTC."""

    opens: datetime
    closes: datetime
    key: date
    """Local date of the start: a window starts once per key, whatever the clock does."""

    def __contains__(self, moment: datetime) -> bool:
        return self.opens <= moment < self.closes

    @property
    def seconds(self) -> float:
        return (self.closes - self.opens).total_seconds()


def occurrence(day: date, start: str, stop: str, tz: tzinfo) -> Window:
    """The window whose start lies on the local date ``day``; ``HH:MM`` as in ralph.toml.

    A stop that is not after the start lies on the next day. ``closes <= opens`` (possible where the start
    falls into the gap of a clock change) is an empty window.
    """
    begin, end = time.fromisoformat(start), time.fromisoformat(stop)
    last = day if end > begin else day + _DAY
    return Window(_instant(day, begin, tz), _instant(last, end, tz), day)


def current_or_next(now: datetime, start: str, stop: str, tz: tzinfo) -> Window:
    """The window that is open at ``now`` (aware), or else the next one that opens."""
    today = _local_date(now, tz)
    days = (today + _DAY * offset for offset in range(-2, 5))
    windows = (occurrence(day, start, stop, tz) for day in days)
    return next(window for window in windows if window.opens < window.closes and now < window.closes)


def next_after(moment: datetime, start: str, stop: str, tz: tzinfo) -> Window:
    """The first window that opens strictly after ``moment``."""
    window = current_or_next(moment, start, stop, tz)
    while window.opens <= moment:
        window = current_or_next(window.closes, start, stop, tz)
    return window


def is_open(now: datetime, start: str, stop: str, tz: tzinfo) -> bool:
    """Whether something new may be picked at ``now`` (aware)."""
    return now in current_or_next(now, start, stop, tz)


def moved(window: Window, start: str, stop: str, tz: tzinfo) -> list[str]:
    """What a change of the clock does to this occurrence, in words; empty on an ordinary night."""
    said = []
    for name, wall, moment in (("start", start, window.opens), ("stop", stop, window.closes)):
        local = moment.astimezone(tz)
        if f"{local:%H:%M}" != wall:
            said.append(f"{name} {wall} does not exist on {local:%Y-%m-%d}: it becomes {local:%H:%M}")
        elif local.replace(fold=1).utcoffset() != local.utcoffset():
            said.append(f"{name} {wall} exists twice on {local:%Y-%m-%d}: the first one counts")
    return said


def _instant(day: date, wall: time, tz: tzinfo) -> datetime:
    return datetime.combine(day, wall, tzinfo=tz).astimezone(UTC)


def _local_date(moment: datetime, tz: tzinfo) -> date:
    return moment.astimezone(tz).date()
