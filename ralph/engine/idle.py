"""Idle time at night: the base's tests run again and again, to know which of them fail by chance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ralph.domain import Cause, GateResult, Run, Verdict
from ralph.engine import flakes
from ralph.engine.messages import Broken, Measure, Measured, Tell, plain
from ralph.errors import RalphError
from ralph.host.files import own_directory

if TYPE_CHECKING:
    from ralph.engine.night import Night

NAME = "idle"
PATIENCE = 20.0
"""Seconds that a loop has nothing to do before its time is used."""
LOOK = 0.5
"""Seconds between looks whether it has work again."""
ROUNDS = 10
"""Runs of a night's base at most."""


async def watch(night: Night, now: Callable[[], float] = time.monotonic) -> None:
    """Measure while a loop is idle, and stop at once when none is. Ends after ``ROUNDS`` on this base."""
    night.flake_rates = flakes.rates(night)
    number, since = len(_rounds(night)), now()
    while number < ROUNDS and any(gate.kind == "tests" for gate in night.config.gates):
        await asyncio.sleep(LOOK)
        if not resting(night):
            since = now()
        elif now() - since >= PATIENCE:
            number += 1
            work = asyncio.create_task(_measure(night, number))
            while not work.done() and resting(night):
                await asyncio.wait({work}, timeout=LOOK)
            work.cancel()
            done = await asyncio.gather(work, return_exceptions=True)
            if isinstance(done[0], RalphError):
                return  # what keeps a round from running is said where it matters: when a task needs a worker


def resting(night: Night) -> bool:
    """Whether a loop that could work has nothing to do, and the night goes on."""
    if night.draining or night.stopping or night.held:
        return False
    idle = ("idle", "waiting")
    return any(loop.step in idle and loop.detail and not (loop.over or loop.paused) for loop in night.loops.values())


async def _measure(night: Night, number: int) -> None:
    """One round: every gate with tests once on the base, in a worker of its own."""
    from ralph.engine.preflight import spec_for

    where = night.layout
    own_directory(where.root / NAME / "loop")
    spec = spec_for(where, night.config, night.id, night.base, night.sandbox.name, ()).spec
    iteration = f"{night.id}.{NAME}.{number}"
    spec = replace(
        spec,
        iteration=iteration,
        loop=NAME,
        run_dir=str(where.run(iteration)),
        loop_dir=str(where.root / NAME / "loop"),
        uncanaried=night.uncanaried,
    )
    link = await night.executor.start()
    try:
        if await link.greet() is None:
            raise RalphError("the worker for idle time did not start")
        link.tell(Measure(spec))
        while (message := await link.hear()) is not None:
            if isinstance(message, Measured):
                _record(night, message.gates, iteration)
                return
            if isinstance(message, Broken):
                raise RalphError(f"idle time: {message.reason}", message.detail[-300:])
        raise RalphError("the worker for idle time died")
    finally:
        link.tell(Tell("a task is ready", stop=True, cause=Cause.STOPPED))
        await link.close()


def _record(night: Night, gates: tuple[GateResult, ...], iteration: str) -> None:
    for gate in gates:
        if gate.execution is None or gate.verdict is Verdict.NOT_RUN or not gate.outcomes:
            continue
        failed = sorted(id for id, outcome in gate.outcomes.items() if outcome == "failed")
        data = {"gate": gate.name, "tree": gate.execution.tree, "failed": failed, "of": len(gate.outcomes)}
        night.record("flake_rate", {**data, "execution": plain(gate.execution)}, iteration=iteration)
        _judge(night, gate, iteration)
    night.flake_rates = flakes.rates(night)


def _judge(night: Night, gate: GateResult, iteration: str) -> None:
    """Put on the list what this and earlier rounds showed to pass and fail on the same tree."""
    assert gate.execution
    rates = {**flakes.rates(night).get(gate.name, {})}
    passed = {id for id, outcome in gate.outcomes.items() if outcome == "passed"}
    runs = [Run(gate.execution, outcomes=dict.fromkeys(rates, "failed"))]
    mixed = {id: "passed" for id, (failed, times) in rates.items() if failed < times or id in passed}
    flakes.measured(night, gate.name, [*runs, Run(gate.execution, outcomes=mixed)], iteration)


def _rounds(night: Night) -> set[str]:
    tree = flakes.base_tree(night)
    events = night.ledger.events(kinds=("flake_rate",))
    return {event.iteration for event in events if event.data["tree"] == tree}
