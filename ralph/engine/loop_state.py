"""One loop as the daemon sees it: its branch, what it is at, its workers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from ralph.config.schema import Loop as LoopConfig
from ralph.core.limits import Hit
from ralph.engine.executor import Link
from ralph.vcs.workspace import Workspace


@dataclass
class LoopState:
    """One loop as the daemon sees it."""

    name: str
    config: LoopConfig
    workspace: Workspace
    head: str
    """Commit that the loop's branch points to."""
    head_tree: str
    number: int
    """Place among the loops, from 0; the port range follows from it."""
    task: str = ""
    step: str = "idle"
    detail: str = ""
    since: float = field(default_factory=time.time)
    agent: str = ""
    iteration: str = ""
    paused: str = ""
    """Why it is paused; empty: it is not."""
    link: Link | None = None
    closing: asyncio.Task[None] | None = None
    """The worker before, while it ends."""
    spare: asyncio.Task[Link] | None = None
    """A worker started ahead of need, while the agent of the present iteration is at work."""
    denied: Hit | None = None
    """The cap at which the present iteration was refused budget."""
    said: str = ""
    """The last warning, so that it is not repeated each minute."""
    over: bool = False
    count: int = 0
    """Iterations begun tonight."""

    @property
    def busy(self) -> bool:
        """Whether it works on a task, or has one and waits for the account to answer again."""
        return bool(self.task) or self.step == "waiting"

    async def worker_gone(self) -> None:
        """Wait until the worker before is proven dead: it holds the lock on the workspace until then."""
        closing, self.closing = self.closing, None
        if closing:
            await closing

    def at(self, step: str, detail: str = "") -> None:
        self.step, self.detail, self.since = step, detail, time.time()
