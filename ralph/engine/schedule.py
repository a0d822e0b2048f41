"""What time it is, said to the daemon: APScheduler wrapped so that its jobs only post a word and return.

Loops are supervised processes, never scheduler jobs. The heartbeat is a plain timer of the event loop, because a
wall clock that is set back would silence an interval job, and the service's watchdog with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ralph.config import Night
from ralph.core import window
from ralph.errors import ConfigError

if TYPE_CHECKING:
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = logging.getLogger(__name__)

TICK_SECONDS = 15.0
"""A quarter of the service's WatchdogSec."""
JUMP_SECONDS = 30.0
"""Wall time and monotonic time drift apart by this: the machine slept, or its clock was set."""
MISFIRE_SECONDS = 3600
"""APScheduler's own default of 1 second would lose the night of a laptop that wakes a little late."""


class Chime(StrEnum):
    """What the clockwork posts. All of them may come late or after each other; none says more than 'look again'."""

    WINDOW_OPENS = "window_opens"
    DRAIN = "drain"
    """The window has closed: nothing new is picked."""
    REPORT = "report"
    """The grace after the window is over."""
    PRUNE = "prune"
    """Once a day, at noon: git maintenance."""
    TICK = "tick"
    """Every 15 seconds while the event loop is alive."""
    CLOCK_JUMPED = "clock_jumped"
    """The machine slept or its clock or zone was changed: connections and windows need a second look."""


def zone(name: str) -> tzinfo:
    """The IANA zone of ``[night] timezone``; empty: the machine's, read anew. Raises ConfigError."""
    from zoneinfo import ZoneInfo

    import tzlocal

    try:
        return ZoneInfo(name) if name else tzlocal.reload_localzone()
    except (OSError, ValueError, LookupError):
        what = f"[night] timezone = {name!r} is no zone this machine knows" if name else "the machine has no time zone"
        hint = "set [night] timezone to one like `Europe/Berlin`; where it is right, install the tzdata package"
        raise ConfigError(what, hint) from None


class Clockwork:
    """Posts chimes from the running event loop, until stopped.

    A window that is already open at the start is not posted: the daemon asks ``core.window`` first.
    """

    def __init__(
        self,
        post: Callable[[Chime], None],
        night: Night,
        *,
        tick_seconds: float = TICK_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._post = post
        self._night = night
        self._tick_seconds = tick_seconds
        self._clock = clock
        self._zone = zone(night.timezone)
        self._scheduler: AsyncIOScheduler | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drift = 0.0

    def start(self) -> None:
        """Begin; must be called with an event loop running."""
        from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # our listener says the same with a name
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": MISFIRE_SECONDS}
        self._scheduler = AsyncIOScheduler(job_defaults=defaults, timezone=self._zone)
        self._scheduler.add_listener(_tell, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        self._add_jobs()
        self._scheduler.start()
        self._drift = self._clock() - time.monotonic()
        self._beat()

    def stop(self) -> None:
        """End; nothing is posted afterwards."""
        if self._timer is not None:
            self._timer.cancel()
        if self._scheduler is not None:
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown(wait=False)
        self._timer = self._scheduler = None

    def due(self) -> dict[str, datetime]:
        """When each scheduled chime comes next."""
        jobs = self._scheduler.get_jobs() if self._scheduler is not None else []
        return {job.id: job.next_run_time for job in jobs}

    def _add_jobs(self) -> None:
        from apscheduler.triggers.cron import CronTrigger

        assert self._scheduler is not None
        grace = timedelta(minutes=self._night.grace_minutes)
        triggers = {
            Chime.WINDOW_OPENS: _edge(lambda after: self._next_opening(after)),
            Chime.DRAIN: _edge(lambda after: self._next_closing(after)),
            Chime.REPORT: _edge(lambda after: self._next_closing(after - grace) + grace),
            Chime.PRUNE: CronTrigger(hour=12, timezone=self._zone),
        }
        for chime, trigger in triggers.items():
            self._scheduler.add_job(self._ring, trigger, args=[chime], id=str(chime), replace_existing=True)

    def _next_opening(self, after: datetime) -> datetime:
        return window.next_after(after, self._night.start, self._night.stop, self._zone).opens

    def _next_closing(self, after: datetime) -> datetime:
        return window.current_or_next(after, self._night.start, self._night.stop, self._zone).closes

    async def _ring(self, chime: Chime) -> None:
        """A coroutine, so that it runs in the event loop and not in a thread of its own."""
        self._post(chime)

    def _beat(self) -> None:
        if self._scheduler is None:
            return
        self._timer = asyncio.get_running_loop().call_later(self._tick_seconds, self._beat)
        self._look_at_the_clock()
        self._post(Chime.TICK)

    def _look_at_the_clock(self) -> None:
        drift = self._clock() - time.monotonic()
        gap, here = drift - self._drift, self._zone_now()
        moved = str(here) != str(self._zone)
        if abs(gap) <= JUMP_SECONDS and not moved:
            return
        log.warning("the clock moved by %+.0f s, the zone is %s", gap, here)
        self._drift, self._zone = drift, here
        assert self._scheduler is not None
        if moved or gap < 0:
            self._add_jobs()
        self._scheduler.wakeup()
        self._post(Chime.CLOCK_JUMPED)

    def _zone_now(self) -> tzinfo:
        """The zone in force; the last good one while the machine's can't be read."""
        try:
            return self._zone if self._night.timezone else zone("")
        except ConfigError:
            return self._zone


def _edge(following: Callable[[datetime], datetime]) -> Any:
    """A trigger that fires at the first edge of a window after the last one; exact over clock changes."""
    from apscheduler.triggers.base import BaseTrigger

    class Edge(BaseTrigger):  # type: ignore[misc] # APScheduler 3 carries no types
        def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
            return following((previous or now).astimezone(UTC))

    return Edge()


def _tell(event: Any) -> None:
    error = getattr(event, "exception", None)
    if error is not None:
        log.error("clock event %s failed", event.job_id, exc_info=error)
    else:
        log.warning("clock event %s was missed; the next tick looks again", event.job_id)
