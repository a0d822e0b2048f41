"""The daemon that stays: waits for each night's window, runs it, and waits again."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from ralph import notify
from ralph.core import window
from ralph.engine import occurrence
from ralph.engine.daemon import Daemon, NightCancelled
from ralph.engine.finish import prune, report_missing
from ralph.engine.schedule import Chime, Clockwork, zone
from ralph.errors import DONE, RalphError
from ralph.host import service

log = logging.getLogger("ralph")

RETRY_SECONDS = 60
"""Until a night that could not start is tried again; a change of ralph.toml or tasks.json comes first."""


class Windows:
    """One window after another, on one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._trouble = ""

    async def run(self) -> int:
        """Stay over nights: wait for the window, run the night, wait again."""
        clock = Clockwork(self._chime, self.daemon.config.night)
        clock.start()
        try:
            while not self.daemon.leaving:
                self._reload()
                now, night = datetime.now(UTC), self.daemon.config.night
                here = window.current_or_next(now, night.start, night.stop, zone(night.timezone))
                if here.opens > now:
                    self.daemon.state = f"waiting until {night.start}"
                    await self.daemon.wait((here.opens - now).total_seconds())
                elif occurrence.is_over(self.daemon.ledger, str(here.key)):
                    self.daemon.state = f"waiting until {night.start}"
                    await self.daemon.wait((here.closes - now).total_seconds())
                else:
                    await self._night_of(here)
        finally:
            clock.stop()
        return DONE

    def _reload(self) -> None:
        """Policy may change between nights; a broken file keeps the old one in force."""
        try:
            self.daemon.read_policy()
            self._trouble = ""
        except RalphError as error:
            if error.message != self._trouble:
                log.error("%s", error.message)
            self._trouble = error.message

    async def _night_of(self, here: window.Window) -> None:
        """The night of an open window. One that can't start is told, and tried again while the window is open."""
        try:
            await self.daemon.prepare("window", here)
        except NightCancelled as stopped:
            log.info("%s", stopped.message)
        except RalphError as error:
            await self._not_started(here, error)
        else:
            await self.daemon.work(here)

    async def _not_started(self, here: window.Window, error: RalphError) -> None:
        self.daemon.state = f"no night yet: {error.message}"
        if self.daemon.state == self.daemon.told:
            log.info("%s", self.daemon.state)
        else:
            log.error("%s (%s)", error.message, error.hint)
            report_missing(self.daemon.layout, self.daemon.ledger)
            notifier = notify.make(self.daemon.config.notify, self.daemon.layout.repo, self.daemon.secrets)
            notice = notify.Notice("needs_human", f"ralph can't start the night: {error.message}", error.hint)
            await asyncio.to_thread(notifier.send, notice)
        self.daemon.told = self.daemon.state
        if not occurrence.is_over(self.daemon.ledger, str(here.key)):
            await self.daemon.wait(RETRY_SECONDS)

    def _chime(self, chime: Chime) -> None:
        if chime is Chime.TICK:
            service.notify("WATCHDOG=1")
            return
        if chime is Chime.PRUNE:
            prune(self.daemon.layout, self.daemon.config, self.daemon.ledger)
        self.daemon.look_again()
