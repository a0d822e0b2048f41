"""The clockwork: what it posts, and that clocks which jump, posts that raise and late wake-ups do not stop it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ralph.config import Night
from ralph.engine import schedule
from ralph.engine.schedule import Chime, Clockwork
from ralph.errors import ConfigError

BERLIN = Night(timezone="Europe/Berlin")


class Listener:
    """Collects chimes and lets a test wait for the n-th of a kind."""

    def __init__(self) -> None:
        self.heard: list[Chime] = []
        self.news = asyncio.Event()

    def __call__(self, chime: Chime) -> None:
        self.heard.append(chime)
        self.news.set()

    async def wait_for(self, chime: Chime, count: int = 1) -> None:
        while self.heard.count(chime) < count:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 10)


def run(
    body: Callable[[Clockwork, Listener], object],
    night: Night = BERLIN,
    clock: Callable[[], float] = time.time,
    post: Callable[[Listener], Callable[[Chime], None]] = lambda listener: listener,
) -> Listener:
    async def whole() -> Listener:
        listener = Listener()
        clockwork = Clockwork(post(listener), night, tick_seconds=0.02, clock=clock)
        clockwork.start()
        try:
            await body(clockwork, listener)  # type: ignore[misc]
        finally:
            clockwork.stop()
        return listener

    return asyncio.run(whole())


def make_due(clockwork: Clockwork, chime: Chime, ago: timedelta) -> None:
    assert clockwork._scheduler is not None
    clockwork._scheduler.modify_job(str(chime), next_run_time=datetime.now(UTC) - ago)


def test_the_heartbeat_goes_on_while_the_loop_lives() -> None:
    async def body(_: Clockwork, listener: Listener) -> None:
        await listener.wait_for(Chime.TICK, 3)

    run(body)


def test_nothing_is_posted_after_stop() -> None:
    async def body(clockwork: Clockwork, listener: Listener) -> None:
        await listener.wait_for(Chime.TICK)
        clockwork.stop()
        listener.heard.clear()
        await asyncio.sleep(0.1)
        assert listener.heard == []

    run(body)


def test_every_edge_is_scheduled_where_the_window_says() -> None:
    async def body(clockwork: Clockwork, _: Listener) -> None:
        due = clockwork.due()
        zone = ZoneInfo("Europe/Berlin")
        assert f"{due[Chime.WINDOW_OPENS].astimezone(zone):%H:%M}" == "22:00"
        assert f"{due[Chime.DRAIN].astimezone(zone):%H:%M}" == "07:00"
        assert f"{due[Chime.REPORT].astimezone(zone):%H:%M}" == "07:15"
        assert f"{due[Chime.PRUNE].astimezone(zone):%H:%M}" == "12:00"
        assert all(moment > datetime.now(UTC) for moment in due.values())

    run(body)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (datetime(2026, 3, 28, 21, 0, tzinfo=UTC), datetime(2026, 3, 29, 20, 0, tzinfo=UTC)),
        (datetime(2026, 10, 24, 20, 0, tzinfo=UTC), datetime(2026, 10, 25, 21, 0, tzinfo=UTC)),
        (datetime(2026, 10, 24, 19, 59, tzinfo=UTC), datetime(2026, 10, 24, 20, 0, tzinfo=UTC)),
    ],
)
def test_one_opening_a_night_over_clock_changes(after: datetime, expected: datetime) -> None:
    clockwork = Clockwork(lambda chime: None, BERLIN)
    trigger = schedule._edge(clockwork._next_opening)
    assert trigger.get_next_fire_time(after, after) == expected


def test_an_opening_missed_by_half_an_hour_still_comes_once() -> None:
    async def body(clockwork: Clockwork, listener: Listener) -> None:
        make_due(clockwork, Chime.WINDOW_OPENS, timedelta(minutes=30))
        await listener.wait_for(Chime.WINDOW_OPENS)

    assert run(body).heard.count(Chime.WINDOW_OPENS) == 1


def test_an_opening_missed_by_hours_is_logged_by_name(caplog: pytest.LogCaptureFixture) -> None:
    async def body(clockwork: Clockwork, listener: Listener) -> None:
        make_due(clockwork, Chime.WINDOW_OPENS, timedelta(hours=3))
        while "window_opens was missed" not in caplog.text:
            listener.news.clear()
            await asyncio.wait_for(listener.news.wait(), 10)

    with caplog.at_level(logging.WARNING):
        heard = run(body).heard
    assert Chime.WINDOW_OPENS not in heard


def test_a_post_that_raises_is_logged_and_the_schedule_stays(caplog: pytest.LogCaptureFixture) -> None:
    def angry(listener: Listener) -> Callable[[Chime], None]:
        def post(chime: Chime) -> None:
            listener(chime)
            if chime is Chime.PRUNE:
                raise ValueError("queue full")

        return post

    async def body(clockwork: Clockwork, listener: Listener) -> None:
        make_due(clockwork, Chime.PRUNE, timedelta(minutes=1))
        await listener.wait_for(Chime.PRUNE)
        await listener.wait_for(Chime.TICK, 5)
        assert clockwork.due()[Chime.PRUNE] > datetime.now(UTC)

    run(body, post=angry)
    assert "clock event prune failed" in caplog.text
    assert "queue full" in caplog.text


@pytest.mark.parametrize("jump", [7200.0, -7200.0])
def test_a_jump_of_the_clock_is_told_once(jump: float) -> None:
    added = [0.0]

    async def body(clockwork: Clockwork, listener: Listener) -> None:
        await listener.wait_for(Chime.TICK, 2)
        assert Chime.CLOCK_JUMPED not in listener.heard
        added[0] = jump
        await listener.wait_for(Chime.CLOCK_JUMPED)
        await listener.wait_for(Chime.TICK, len(listener.heard) + 3)

    assert run(body, clock=lambda: time.time() + added[0]).heard.count(Chime.CLOCK_JUMPED) == 1


def test_a_changed_zone_of_the_machine_moves_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")

    async def body(clockwork: Clockwork, listener: Listener) -> None:
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        await listener.wait_for(Chime.CLOCK_JUMPED)
        opens = clockwork.due()[Chime.WINDOW_OPENS]
        assert f"{opens.astimezone(ZoneInfo('Asia/Tokyo')):%H:%M}" == "22:00"

    run(body, night=Night())


def test_an_unknown_zone_is_named_with_a_way_out() -> None:
    with pytest.raises(ConfigError) as caught:
        schedule.zone("Europe/Atlantis")
    assert "Europe/Atlantis" in caught.value.message
    assert "tzdata" in caught.value.hint
