"""The daemon process: one for each repository, from its lock to its last report."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ralph import agents
from ralph.config import Config, load
from ralph.core import window
from ralph.engine.control import ControlServer, Request
from ralph.engine.executor import Executor, ForkedExecutor
from ralph.engine.finish import report_missing
from ralph.engine.lock import crashes, lock_repository, note_start, note_stop, write_pid
from ralph.engine.night import Night
from ralph.engine.recovery import recover
from ralph.engine.staging import take_secrets
from ralph.engine.status import night_status
from ralph.errors import DONE, NEEDS_PERSON, RalphError
from ralph.host import footprint, service
from ralph.host.alive import hide_environment
from ralph.host.awake import keep_awake
from ralph.host.files import own_directory
from ralph.host.paths import Layout, layout
from ralph.memory.ledger import Ledger

log = logging.getLogger("ralph")

STOP_SECONDS = 25
"""Time that running agents get to end after `stop --now` or SIGTERM, before their workers are killed."""
SAFE_MODE_CRASHES = 5
LOOK_SECONDS = 2
"""Between looks at ralph.toml and tasks.json while nothing runs."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the daemon was started."""

    repo: Path
    mode: str
    """window, now or once."""


class NightCancelled(RalphError):
    """A person stopped the night before it began."""

    exit_code = DONE


class Daemon:
    """Holds the lock, the ledger and the control socket; runs one night after another."""

    def __init__(self, options: Options, ready: int = -1) -> None:
        self.options = options
        self.layout: Layout = layout(options.repo)
        self.starter = ready
        self.night: Night | None = None
        self.executor: Executor | None = None
        self.state = "starting"
        self.leaving = ""
        """Why the daemon goes away after the present night; empty: it stays."""
        self.safe_mode = False
        self._taken: dict[str, str] = {}
        """The environment it was started with."""
        self._turn = asyncio.Event()
        self._terms = 0
        self._preparing: asyncio.Task[Night] | None = None
        self.told = ""
        """What was last said about a file that can't be read, and about a night that can't start."""

    async def run(self) -> int:
        """Live until the work is done or somebody says stop; returns the exit code."""
        self.read_policy()
        hide_environment()
        with ExitStack() as held:
            held.enter_context(lock_repository(self.layout))
            own_directory(self.layout.root)
            footprint.exclude(self.layout)
            footprint.link(self.layout)
            self.safe_mode = crashes(self.layout) >= SAFE_MODE_CRASHES
            note_start(self.layout)
            self.ledger = Ledger(self.layout.ledger)
            for line in recover(self.layout, self.ledger):
                log.warning("recovered %s", line)
            self._report_missing()
            control = ControlServer(self.layout.socket, self.handle)
            await control.start()
            self._signals()
            try:
                write_pid(self.layout)
                self._say_ready()
                code = await self._live()
            except RalphError:
                note_stop(self.layout)  # a refusal is no crash
                raise
            finally:
                await control.close()
                if self.executor:
                    await self.executor.close()
                self.ledger.close()
            note_stop(self.layout)
            return code

    def read_policy(self) -> None:
        """Read ralph.toml and take the keys that it names. Raises RalphError, and leaves both as they were."""
        self.config: Config = load(self.layout.repo / "ralph.toml")
        self.secrets = take_secrets(self.config, self._taken)

    def _report_missing(self) -> None:
        """Write the reports a crash kept back; a folder that can't be written must not keep a night from starting."""
        try:
            report_missing(self.layout, self.ledger)
        except (RalphError, OSError) as error:
            log.warning("a report could not be written: %s", error)

    def _signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._term)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)

    def _term(self) -> None:
        """The first signal stops in order, a second one at once: lifelines end, so everything dies with us."""
        self._terms += 1
        if self._terms > 1:
            os._exit(130)
        self.stop("signal", now=True)

    def _say_ready(self) -> None:
        service.notify("READY=1")
        if self.starter >= 0:
            os.write(self.starter, b"ready\n")
            os.close(self.starter)
            self.starter = -1

    async def _live(self) -> int:
        if self.safe_mode:
            return await self._safe_mode()
        if self.options.mode in ("now", "once"):
            return await self._one_night(self.options.mode)
        from ralph.engine.windows import Windows

        return await Windows(self).run()

    async def _safe_mode(self) -> int:
        self.state = "safe mode"
        text = f"safe mode: {SAFE_MODE_CRASHES} crashes in ten minutes; no agent is started"
        log.error(text)
        self.ledger.append("warning", {"text": text}, night=self.ledger.last_night() or "")
        from ralph.engine.finish import report_of

        if last := self.ledger.last_night():
            report_of(self.layout, self.ledger, last)
        if self.options.mode != "once":
            while not self.leaving:
                await self.wait(60)
        return NEEDS_PERSON

    async def _one_night(self, mode: str) -> int:
        await self.prepare(mode, None)
        return await self.work(None)

    async def prepare(self, mode: str, here: window.Window | None) -> None:
        """Set the night up. Raises RalphError where it can't start, NightCancelled where a person stopped it."""
        from ralph.engine.staging import stage

        self.executor = self.executor or ForkedExecutor(agents.preload(self.config.agents.values()))
        self.state = "preparing the night"
        staging = asyncio.create_task(
            stage(self.layout, self.config, self.ledger, self.executor, self.secrets, mode, here)
        )
        self._preparing = staging
        try:
            self.night = await staging
        except asyncio.CancelledError:
            raise NightCancelled(f"stopped while the night was prepared: {self.leaving}") from None
        finally:
            self._preparing = None
        self.state, self.told = "running", ""
        self._sync_leaving()

    async def work(self, here: window.Window | None) -> int:
        """Run the night that was set up to its report; returns its exit code."""
        from ralph.engine.finish import finish
        from ralph.engine.forecast import Forecast
        from ralph.engine.gate_strength import Prober
        from ralph.engine.train.remote import Conductor

        assert self.night
        self.night.train, self.night.forecast = Conductor(self.night), Forecast(self.night)
        self.night.prober = Prober(self.night)
        with keep_awake("ralph works on tasks"):
            closing = asyncio.create_task(self._close_window(here)) if here else None
            if here:
                self.night.train.early(here.closes)
            self.night.prober.start()
            try:
                await self._run_loops(self.night)
            finally:
                if closing:
                    closing.cancel()
                await self.night.prober.finish()
            self.state = "running the train"
            await self.night.train.run(self.leaving)
            self.state = "reporting"
            code = await finish(self.night, resumable=bool(here and self.leaving), say=self._say)
        self.night, self.state = None, "idle"
        return code

    def _say(self, what: str) -> None:
        """What takes long at the end of a night, for `ralph status` and whoever watches the log."""
        if what != self.state:
            log.info("%s", what)
        self.state = what

    def _sync_leaving(self) -> None:
        """A stop that came while the night was being prepared applies to it as well."""
        if self.leaving and self.night:
            self.night.draining = self.night.draining or self.leaving
            self.night.stopping = self.night.stopping or (self.leaving if self._stop_now else "")

    _stop_now = False

    async def _run_loops(self, night: Night) -> None:
        from ralph.engine.baseline import watch as watch_base
        from ralph.engine.idle import watch as use_idle_time
        from ralph.engine.loop import run_loop, watch_tasks

        watching = [asyncio.create_task(watch(night)) for watch in (watch_tasks, watch_base, use_idle_time)]
        tasks = [asyncio.create_task(run_loop(night, loop)) for loop in night.loops.values()]
        try:
            await asyncio.gather(*tasks)
        finally:
            watching += [night.looking] if night.looking else []
            for task in (*watching, *tasks):
                task.cancel()
            await asyncio.gather(*watching, *tasks, return_exceptions=True)

    async def _close_window(self, here: window.Window) -> None:
        """Nothing new after the window has closed; what runs gets the grace, then is stopped."""
        assert self.night
        await _until(here.closes)
        self.night.draining = self.night.draining or f"the window closed at {self.config.night.stop}"
        await self.night.wake()
        await asyncio.sleep(self.config.night.grace_minutes * 60)
        await self._stop_agents("the grace after the window is over")

    async def _stop_agents(self, why: str) -> None:
        from ralph.domain import Cause
        from ralph.engine.messages import Tell

        night = self.night
        if night is None:
            return
        night.draining = night.draining or why
        night.stopping = why
        for link in night.running():
            link.tell(Tell(why, stop=True, cause=Cause.STOPPED))
        await night.wake()
        end = time.monotonic() + STOP_SECONDS
        while time.monotonic() < end and night.running():
            await asyncio.sleep(0.05)
        for link in night.running():
            link.kill()

    def stop(self, why: str, now: bool) -> None:
        """Drain (finish what runs, pick nothing new), or end running agents as well; then leave."""
        self.leaving, self._stop_now = why, self._stop_now or now
        service.notify("STOPPING=1")
        if self._preparing and now:
            self._preparing.cancel()
        if self.night:
            self.night.draining = self.night.draining or why
            if now:
                self._stopping = asyncio.create_task(self._stop_agents(why))
            else:
                self._stopping = asyncio.create_task(self.night.wake())
        self._turn.set()

    def look_again(self) -> None:
        """Wake whoever waits."""
        self._turn.set()

    async def wait(self, seconds: float) -> None:
        """Sleep, at most a minute because machines do too, until there is word or a file of the person has changed."""
        self._turn.clear()
        seen, end = self._stamps(), time.monotonic() + min(seconds, 60)
        while self._stamps() == seen and (left := end - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._turn.wait(), min(left, LOOK_SECONDS))
                return
            except TimeoutError:
                pass

    def _stamps(self) -> list[tuple[int, int]]:
        files = [self.layout.repo / name for name in ("ralph.toml", "tasks.json")]
        return [(info.st_mtime_ns, info.st_ino) for path in files if path.exists() for info in [path.stat()]]

    async def handle(self, request: Request) -> dict[str, Any]:
        """Answer one control request."""
        match request.command:
            case "status":
                return self.status()
            case "stop":
                self.stop("ralph stop", now=request.now)
                return {"ok": True, "state": self.state}
            case "pause" | "resume":
                return await self._pause_or_resume(request)

    async def _pause_or_resume(self, request: Request) -> dict[str, Any]:
        night = self.night
        if night is None:
            hint = "wait until `ralph status` shows loops, or end the daemon with `ralph stop`"
            return {"error": f"no night is running: {self.state}", "hint": hint}
        if request.loop and request.loop not in night.loops:
            return {"error": f"no loop is called {request.loop!r}", "hint": f"loops: {', '.join(night.loops)}"}
        if request.command == "resume":
            resumed = night.resume(request.loop)
            await night.wake()
            return {"ok": True, "resumed": resumed}
        wanted = [loop for loop in night.loops.values() if request.loop in ("", loop.name)]
        for loop in wanted:
            night.pause(loop, "paused by a person", by="person")
        return {"ok": True, "paused": [loop.name for loop in wanted]}

    def status(self) -> dict[str, Any]:
        """Everything `ralph status` shows."""
        own = {"state": self.state, "pid": os.getpid(), "mode": self.options.mode, "leaving": self.leaving}
        if self.night is None:
            return {**own, "night": None, "window": [self.config.night.start, self.config.night.stop]}
        return {**own, **night_status(self.night)}


async def _until(moment: datetime) -> None:
    """Sleep until a wall-clock moment; looks again each minute, because machines sleep and clocks are set."""
    while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
        await asyncio.sleep(min(left, 60))
