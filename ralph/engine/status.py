"""What `ralph status` and `ralph watch` show, as plain data."""

from __future__ import annotations

import os
import time
from typing import Any

from ralph import agents
from ralph.engine import blocked, flakes
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night


def night_status(night: Night) -> dict[str, Any]:
    """The state of a running night as JSON data; times are epoch seconds, money US dollars."""
    spent = night.budget.used("night")
    limits = night.config.limits
    unmetered = [name for name, agent in night.config.agents.items() if not agents.metered(agent, night.config.prices)]
    return {
        "night": night.id,
        "base": night.base,
        "sandbox": night.sandbox.name,
        "occurrence": night.occurrence,
        "draining": night.draining,
        "stopping": night.stopping,
        "loops": [_loop(loop) for loop in night.loops.values()],
        "tasks": night.outcome_counts(),
        "blocked": blocked.reasons(night),
        "waiting": [
            {"account": name, "until": wait.until, "reason": wait.reason, "halt": wait.halt}
            for name, wait in night.accounts.waiting().items()
        ],
        "used": {
            "iterations": spent.iterations,
            "tokens": spent.tokens,
            "dollars": None if len(unmetered) == len(night.config.agents) else spent.dollars,
            "seconds": time.monotonic() - night.started,
        },
        "unmetered": unmetered,
        "caps": {
            "iterations": limits.night_iterations,
            "tokens": limits.night_tokens,
            "dollars": limits.night_dollars,
            "seconds": limits.night_minutes * 60,
        },
        "paused_roles": night.paused_roles,
        "quarantined": {gate: sorted(tests) for gate, tests in flakes.in_force(night).items()},
        "forecast": night.forecast.shown() if night.forecast else [],
        "train": night.train.step if night.train else "",
        "problem": night.problem,
    }


def _loop(loop: LoopState) -> dict[str, Any]:
    return {
        "name": loop.name,
        "task": loop.task,
        "iteration": loop.iteration,
        "agent": loop.agent if loop.task else "",
        "step": loop.step,
        "detail": loop.detail,
        "since": loop.since,
        "paused": loop.paused,
        "head": loop.head,
        "pid": loop.link.pid if loop.link else 0,
    }


def memory() -> dict[str, int]:
    """Own pid and resident bytes, for people who watch the daemon itself."""
    import psutil

    return {"pid": os.getpid(), "rss": psutil.Process().memory_info().rss}
