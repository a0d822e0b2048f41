"""The window in which a night may run: concrete clock changes, then laws that hold for any of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ralph.core import window

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 28), 8),
        ("Europe/Berlin", date(2026, 6, 1), 9),
        ("Europe/Berlin", date(2026, 10, 24), 10),
        ("America/New_York", date(2026, 3, 7), 8),
        ("America/New_York", date(2026, 6, 1), 9),
        ("America/New_York", date(2026, 10, 31), 10),
        ("Australia/Lord_Howe", date(2026, 4, 4), 9.5),
        ("Asia/Kolkata", date(2026, 3, 28), 9),
        ("UTC", date(2026, 10, 24), 9),
    ],
)
def test_the_night_of_a_clock_change_is_as_long_as_it_really_is(zone: str, day: date, hours: float) -> None:
    assert window.occurrence(day, "22:00", "07:00", ZoneInfo(zone)).seconds == hours * 3600


def test_a_start_that_does_not_exist_moves_on_by_the_gap() -> None:
    found = window.occurrence(date(2026, 3, 29), "02:30", "07:00", BERLIN)
    assert found.opens == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert found.opens.astimezone(BERLIN).isoformat() == "2026-03-29T03:30:00+02:00"
    assert window.moved(found, "02:30", "07:00", BERLIN) == [
        "start 02:30 does not exist on 2026-03-29: it becomes 03:30"
    ]


def test_a_start_that_exists_twice_is_its_first_occurrence() -> None:
    found = window.occurrence(date(2026, 10, 25), "02:30", "07:00", BERLIN)
    assert found.opens == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert window.moved(found, "02:30", "07:00", BERLIN) == [
        "start 02:30 exists twice on 2026-10-25: the first one counts"
    ]


def test_an_occurrence_that_the_gap_swallows_is_left_out() -> None:
    before = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert window.current_or_next(before, "02:30", "03:15", BERLIN).key == date(2026, 3, 30)


def test_an_ordinary_night_has_nothing_to_say() -> None:
    assert window.moved(window.occurrence(date(2026, 6, 1), "22:00", "07:00", BERLIN), "22:00", "07:00", BERLIN) == []


@pytest.mark.parametrize(
    ("now", "inside", "key"),
    [
        ("2026-06-01T21:59:59", False, date(2026, 6, 1)),
        ("2026-06-01T22:00:00", True, date(2026, 6, 1)),
        ("2026-06-02T00:00:00", True, date(2026, 6, 1)),
        ("2026-06-02T06:59:59", True, date(2026, 6, 1)),
        ("2026-06-02T07:00:00", False, date(2026, 6, 2)),
    ],
)
def test_the_edges_of_a_window_over_midnight(now: str, inside: bool, key: date) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    assert window.is_open(moment, "22:00", "07:00", BERLIN) is inside
    assert window.current_or_next(moment, "22:00", "07:00", BERLIN).key == key


def test_a_window_within_one_day() -> None:
    found = window.occurrence(date(2026, 6, 1), "09:00", "17:00", BERLIN)
    assert found.seconds == 8 * 3600
    assert found.key == date(2026, 6, 1)


def test_equal_ends_are_a_whole_day() -> None:
    assert window.occurrence(date(2026, 6, 1), "22:00", "22:00", BERLIN).seconds == 24 * 3600
    assert window.is_open(datetime(2026, 6, 1, 12, tzinfo=UTC), "22:00", "22:00", BERLIN)


def test_a_date_that_a_zone_left_out_does_not_run_twice() -> None:
    apia = ZoneInfo("Pacific/Apia")
    first = window.current_or_next(datetime(2011, 12, 30, 9, 30, tzinfo=UTC), "22:00", "07:00", apia)
    assert window.next_after(first.opens, "22:00", "07:00", apia).opens >= first.closes


clocks = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from(
    [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "UTC",
    ]
).map(ZoneInfo)
moments = st.datetimes(datetime(2005, 1, 1), datetime(2036, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))
"""Up to 2037, as far as the zone files of every system spell their transitions out."""


@given(moments, clocks, clocks, zones)
def test_the_window_found_is_current_or_lies_ahead(now: datetime, start: str, stop: str, tz: ZoneInfo) -> None:
    found = window.current_or_next(now, start, stop, tz)
    assert found.opens < found.closes
    assert now < found.closes
    assert found.opens - now <= timedelta(hours=50)
    assert (now in found) == window.is_open(now, start, stop, tz)


@given(moments, clocks, clocks, zones)
def test_occurrences_follow_each_other_and_never_overlap(now: datetime, start: str, stop: str, tz: ZoneInfo) -> None:
    first = window.current_or_next(now, start, stop, tz)
    second = window.next_after(first.opens, start, stop, tz)
    assert second.opens >= first.closes
    assert second.key > first.key


@given(moments, clocks, clocks, zones)
def test_every_moment_of_a_window_knows_the_same_key(now: datetime, start: str, stop: str, tz: ZoneInfo) -> None:
    found = window.current_or_next(now, start, stop, tz)
    for share in (0.0, 0.5, 0.999):
        inside = found.opens + (found.closes - found.opens) * share
        assert window.current_or_next(inside, start, stop, tz) == found


@given(moments, clocks, clocks, zones)
def test_an_unmoved_window_starts_and_stops_on_its_wall_times(
    now: datetime, start: str, stop: str, tz: ZoneInfo
) -> None:
    found = window.current_or_next(now, start, stop, tz)
    assume(not window.moved(found, start, stop, tz))
    assert f"{found.opens.astimezone(tz):%H:%M}" == start
    assert f"{found.closes.astimezone(tz):%H:%M}" == stop
    assert found.opens.astimezone(tz).date() == found.key
