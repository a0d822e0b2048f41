"""One loop of the night: takes tasks one after another until there is nothing left for it."""

from __future__ import annotations

import asyncio
import time

from ralph.core.pick import Idle, Pick
from ralph.engine import baseline
from ralph.engine.iteration import iterate
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.engine.opening import spare_worker
from ralph.engine.settle import Ended, night_hit
from ralph.errors import RalphError
from ralph.host.files import free_bytes

DISK_RETRY = 60
"""Seconds between looks at a disk that is too full."""
TASKS_LOOK = 2
"""Seconds between looks at tasks.json, while a loop is idle and while agents work."""


async def run_loop(night: Night, loop: LoopState) -> None:
    """Run iterations on ``loop`` until nothing is left for it, the night drains, or it is paused for good."""
    while True:
        if not await may_go_on(night, loop):
            break
        night.look_at_tasks()
        night_hit(night)
        choice = night.pick(loop)
        if isinstance(choice, Idle):
            if not await idle(night, loop, choice):
                break
            continue
        agent = night.agent_for(choice.task, loop)
        if agent is None:
            continue
        if not await account_ready(night, loop, agent):
            continue
        await one(night, loop, choice, agent)
    await leave(night, loop)


async def watch_tasks(night: Night) -> None:
    """Take a person's edits in while agents work: a cancelled task ends, an added one finds an idle loop."""
    while True:
        await asyncio.sleep(TASKS_LOOK)
        before = night.rows
        try:
            night.look_at_tasks()
        except (RalphError, OSError) as error:
            night.problem = str(error)
        if night.rows is not before:
            await night.wake()


async def one(night: Night, loop: LoopState, choice: Pick, agent: str) -> Ended | None:
    """One iteration and what follows from it."""
    loop.task = choice.task.id
    try:
        ended = await iterate(night, loop, choice, agent)
    finally:
        loop.task, loop.iteration = "", ""
        loop.at("idle")
    if ended is None:
        return None
    if ended.commit:
        night.publish(loop, ended.commit, ended.task)
        if night.forecast:
            night.forecast.soon()
    night.progress(ended.iteration)
    await night.wake()
    return ended


async def may_go_on(night: Night, loop: LoopState) -> bool:
    """Wait out a pause, gates that can't run and a full disk; False when the loop should end."""
    while not night.stopping:
        if loop.paused:
            loop.at("paused", loop.paused)
            if night.occurrence == "once" or (night.occurrence == "now" and night.nothing_open()):
                return False
        elif why := baseline.why_blocked(night):
            loop.at("paused", why)
            if night.occurrence == "once":
                return False
        elif loop.name in night.held and not night.draining:
            loop.at("paused", night.held[loop.name])
            await _pause(night, DISK_RETRY)
            continue
        elif (low := _disk_low(night)) is not None:
            text = _say_low(night, loop, low)
            if night.occurrence == "once":
                loop.paused = text
                return False
        else:
            loop.said = ""
            return not night.draining
        if night.draining:
            return False
        await _pause(night, DISK_RETRY)
    return False


def _disk_low(night: Night) -> int | None:
    """Bytes that are free, where that is less than the floor."""
    free = free_bytes(night.layout.root)
    return free if free < night.config.limits.disk_free_mb * 1_000_000 else None


def _say_low(night: Night, loop: LoopState, free: int) -> str:
    """Tell a person once that the disk is too full; the limit's ``used`` are the bytes that are free."""
    floor = night.config.limits.disk_free_mb
    text = f"disk: {free // 1_000_000} MB free, floor is {floor} MB"
    loop.at("paused", text)
    if loop.said != "disk":
        loop.said = "disk"
        data = {"scope": "disk", "cause": "disk", "cap": floor * 1_000_000, "used": free, "text": text}
        night.record("limit", data, loop=loop.name)
        night.tell("paused", f"{loop.name} waits: {text}")
    return text


async def account_ready(night: Night, loop: LoopState, agent: str) -> bool:
    """True when the agent's account may be used now; else waits a while and returns False."""
    account = night.account(agent)
    wait = night.accounts.blocks(account, loop.name, time.time())
    if wait is None:
        return True
    if wait.halt:
        return False
    loop.at("waiting", wait.reason)
    await _pause(night, max(0.05, min(wait.until - time.time(), 30)))
    return False


async def idle(night: Night, loop: LoopState, why: Idle) -> bool:
    """Nothing to pick: wait for a change; False when the loop is done for the night."""
    loop.at("idle", "nothing is ready")
    if night.draining:
        return False
    if why is Idle.DONE and night.occurrence != "window":
        return any(other.busy for other in night.loops.values()) and await _pause(night, TASKS_LOOK)
    if why is Idle.WAIT and not any(other.busy for other in night.loops.values()) and night.occurrence != "window":
        return False
    return await _pause(night, TASKS_LOOK)


async def _pause(night: Night, seconds: float) -> bool:
    """Sleep until something changes, at most ``seconds``."""
    async with night.changed:
        try:
            await asyncio.wait_for(night.changed.wait(), seconds)
        except TimeoutError:
            return True
    return True


async def leave(night: Night, loop: LoopState) -> None:
    """The loop is over for tonight; a worker that was started ahead is let go."""
    loop.over = True
    loop.at("done")
    await loop.worker_gone()
    if link := await spare_worker(loop):
        await link.close()
    await night.wake()
