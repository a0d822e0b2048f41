"""Moments in limit messages: "resets 3am (UTC)", "try again at Oct 9th, 2026 3:14 PM", "in 2h15m", an epoch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

JUST_NOW = 600
"""A stated hour that passed less than this many seconds ago means now, not tomorrow."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ABBREVIATIONS = {
    "utc": "UTC", "gmt": "UTC", "z": "UTC",
    "est": "America/New_York", "edt": "America/New_York", "et": "America/New_York",
    "cst": "America/Chicago", "cdt": "America/Chicago", "ct": "America/Chicago",
    "mst": "America/Denver", "mdt": "America/Denver", "mt": "America/Denver",
    "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles", "pt": "America/Los_Angeles",
    "bst": "Europe/London", "cet": "Europe/Berlin", "cest": "Europe/Berlin", "jst": "Asia/Tokyo",
    "ist": "Asia/Kolkata", "aest": "Australia/Sydney", "aedt": "Australia/Sydney",
}  # fmt: skip

_CUE = re.compile(
    r"(?:\breset(?:s|ting)?\b|\b(?:try|retry|come back|back|available|access)(?: again)?\b|\bretry[- ]after\b)"
    r"\s*[:=·∙•|,-]?\s*(?:will\s+)?(?:on|at|in|after)?\s*[:=]?\s*",
    re.I,
)
_EPOCH = re.compile(r"(\d{10}|\d{13})\b(?!\s*[smhd])")
_UNIT = r"(?:d(?:ays?)?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)"
_SPAN = re.compile(
    rf"(?:(?:in|after)\s+)?(?:about\s+)?((?:\d+(?:\.\d+)?\s*{_UNIT}\b[\s,]*(?:and\s+)?|\d+(?:\.\d+)?\s*{_UNIT}(?=\d))+)",
    re.I,
)
_PART = re.compile(rf"(\d+(?:\.\d+)?)\s*({_UNIT})", re.I)
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:(?:T|,?\s+(?:at\s+)?)(\d\d?):(\d\d)(?::\d\d(?:\.\d+)?)?)?", re.I)
_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"""
    (?:(?P<weekday>mon|tue|wed|thu|fri|sat|sun)[a-z]*\b,?\s*)?
    (?:
        (?:
            (?P<month>{_MONTH})[a-z]*\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b
            |(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month2>{_MONTH})[a-z]*\.?
        )
        (?:,?\s+(?P<year>\d{{4}})\b)?
    )?
    (?P<tomorrow>\btomorrow\b)?
    \s*,?\s*(?:at\s+)?
    """,
    re.I | re.X,
)
_CLOCK = re.compile(
    r"(\d{1,2})(?:[:.](\d\d))?(?::\d\d)?\s*([ap])\.?m\b\.?|(\d{1,2}):(\d\d)(?::\d\d)?\b|\b(noon|midnight)\b", re.I
)
_ZONE = re.compile(
    r"\s*(?:\(([^()]{1,40})\)|([A-Z][A-Za-z_]+(?:/[A-Za-z_+-]+)+|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d\d)?\b|Z\b|[A-Z]{2,4}\b))"
)
_UNIT_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time that a message states."""

    at: float
    """Epoch seconds."""
    dated: bool
    """It names a day, so it may be days away."""


def stated_moment(text: str, now: datetime, zone: tzinfo | None = None) -> Moment | None:
    """The first moment after a cue such as "resets" or "try again"; None where there is none.

    A time without a zone is meant in ``zone`` (None: this machine's). An hour without a day is its next
    occurrence on the clocks there, also where they are put forward or back in between. ``now`` is aware.
    """
    for cue in _CUE.finditer(text):
        found = _moment(text[cue.end() : cue.end() + 120], now, zone)
        if found:
            return found
    return None


def _moment(text: str, now: datetime, zone: tzinfo | None) -> Moment | None:
    if epoch := _EPOCH.match(text):
        digits = epoch[1]
        return Moment(int(digits) / (1000 if len(digits) == 13 else 1), dated=True)
    if span := _SPAN.match(text):
        seconds = sum(float(count) * _UNIT_SECONDS[unit[0].lower()] for count, unit in _PART.findall(span[1]))
        return Moment(now.timestamp() + seconds, dated=seconds > 86_400)
    if seconds_only := re.match(r"(\d{1,7})(?:\.\d+)?\s*$", text):
        return Moment(now.timestamp() + int(seconds_only[1]), dated=False)
    if iso := _ISO.match(text):
        zone = _zone_at(text, iso.end(), zone)
        hour, minute = int(iso[4] or 0), int(iso[5] or 0)
        return _on_day(int(iso[1]), int(iso[2]), int(iso[3]), hour, minute, zone)
    return _wall_time(text, now, zone)


def _wall_time(text: str, now: datetime, zone: tzinfo | None) -> Moment | None:
    day = _DATE.match(text)
    start = day.end() if day else 0
    clock = _CLOCK.match(text, start)
    named = day and (day["month"] or day["month2"] or day["weekday"] or day["tomorrow"])
    if clock is None and not named:
        return None
    hour, minute = _clock(clock) if clock else (0, 0)
    if hour > 23 or minute > 59:
        return None
    zone = _zone_at(text, clock.end() if clock else start, zone)
    today = _wall(now, zone).date()
    if not day or not named:
        return _next_occurrence(hour, minute, now, zone)
    if month := day["month"] or day["month2"]:
        month_number, number = _MONTHS.index(month.lower()) + 1, int(day["day"] or day["day2"])
        year = int(day["year"]) if day["year"] else today.year
        if not day["year"] and month_number * 31 + number < today.month * 31 + today.day - 1:
            year += 1
        return _on_day(year, month_number, number, hour, minute, zone)
    ahead = 1 if day["tomorrow"] else (_DAYS.index(day["weekday"].lower()) - today.weekday()) % 7
    then = today + timedelta(days=ahead)
    found = _on_day(then.year, then.month, then.day, hour, minute, zone)
    if found and ahead == 0 and found.at < now.timestamp() - JUST_NOW:
        then += timedelta(days=7)
        found = _on_day(then.year, then.month, then.day, hour, minute, zone)
    return found


def _clock(match: re.Match[str]) -> tuple[int, int]:
    if match[6]:
        return (12, 0) if match[6].lower() == "noon" else (0, 0)
    if match[4]:
        return int(match[4]), int(match[5])
    hour = int(match[1])
    if not 1 <= hour <= 12:
        return 99, 0
    return hour % 12 + (12 if match[3].lower() == "p" else 0), int(match[2] or 0)


def _next_occurrence(hour: int, minute: int, now: datetime, zone: tzinfo | None) -> Moment:
    today = _wall(now, zone).date()
    for ahead in (0, 1):
        day = today + timedelta(days=ahead)
        for fold in (0, 1):
            at = _epoch(day, hour, minute, zone, fold)
            if at > now.timestamp() - JUST_NOW:
                return Moment(at, dated=False)
    return Moment(now.timestamp() + 86_400, dated=False)


def _on_day(year: int, month: int, day: int, hour: int, minute: int, zone: tzinfo | None) -> Moment | None:
    try:
        return Moment(_epoch(date(year, month, day), hour, minute, zone), dated=True)
    except (ValueError, OverflowError):
        return None  # 31 February, or hour 27: not a moment


def _epoch(day: date, hour: int, minute: int, zone: tzinfo | None, fold: int = 0) -> float:
    # A naive value (zone None) goes through the machine's own rules, which know its summer time.
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold).timestamp()


def _wall(now: datetime, zone: tzinfo | None) -> datetime:
    return now.astimezone(zone)


def _zone_at(text: str, start: int, default: tzinfo | None) -> tzinfo | None:
    match = _ZONE.match(text, start)
    return _zone((match[1] or match[2]).strip(), default) if match else default


def _zone(name: str, default: tzinfo | None) -> tzinfo | None:
    if offset := re.fullmatch(r"(?:utc|gmt)?([+-])(\d{1,2})(?::?(\d\d))?", name, re.I):
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes)) if minutes < 1440 else default
    try:
        return ZoneInfo(_ABBREVIATIONS.get(name.lower(), name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return default  # an unknown name: this machine's clock is the better guess
