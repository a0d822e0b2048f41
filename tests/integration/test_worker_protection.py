"""Workers die with the fork server, whatever else is still open."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from multiprocessing import forkserver

import pytest

from ralph.engine.executor import ForkedExecutor


@pytest.mark.skipif(sys.platform != "linux", reason="the signal of a parent's death is Linux's")
def test_losing_the_fork_server_ends_every_worker_though_the_daemon_still_holds_their_lines() -> None:
    async def story() -> None:
        executor = ForkedExecutor()
        links = [await executor.start() for _ in range(2)]
        try:
            for link in links:
                assert await link.greet()
            server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
            os.kill(server, signal.SIGKILL)
            for link in links:
                await asyncio.wait_for(link.gone(), 5)
        finally:
            for link in links:
                await link.close()
            await executor.close()

    asyncio.run(story())
