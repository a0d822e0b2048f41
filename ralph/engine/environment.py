"""The same failure on two loops is the environment's: nobody is charged, and the base is looked at again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ralph.core.stuck import fingerprint
from ralph.domain import IterationResult, IterationSpec, Outcome, Verdict
from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.engine.loop_state import LoopState
    from ralph.engine.night import Night
    from ralph.engine.preflight import Preflight

WITHIN = 3600.0
"""Seconds in which two loops fail alike."""
_JUDGED = frozenset({"proof", "strength", "review"})
"""What says something about one change only."""


@dataclass(frozen=True, slots=True)
class Alike:
    """One failure of tonight."""

    at: float
    """Monotonic seconds."""
    print: str
    loop: str
    task: str
    iteration: str


def suspect(night: Night, loop: LoopState, spec: IterationSpec, result: IterationResult, outcome: Outcome) -> Outcome:
    """The iteration's outcome: of the machinery, where another loop failed in the same way within an hour.

    A failure with which the base has been looked at already is nobody else's fault any more.
    """
    if not _may_be(result, outcome):
        return outcome
    mark = fingerprint(result.gates, result.guards, outcome, result.summary)
    now = time.monotonic()
    same = [one for one in night.alike if one.print == mark and now - one.at < WITHIN]
    night.alike.append(Alike(now, mark, loop.name, spec.task.id, spec.iteration))
    others = [one for one in same if one.loop != loop.name]
    if not others or mark in night.looked_at:
        return outcome
    night.looked_at.add(mark)
    reason = f"{loop.name} and {others[-1].loop} failed alike: {result.summary}"
    for one in others:
        data = {"fingerprint": mark, "reason": reason}
        night.record("environment", data, loop=one.loop, task=one.task, iteration=one.iteration)
    for name in {loop.name, *(one.loop for one in others)}:
        night.held[name] = f"the environment is looked at: {reason}"
    night.looking = asyncio.create_task(_look(night, mark, reason))
    return Outcome.INFRASTRUCTURE


def _may_be(result: IterationResult, outcome: Outcome) -> bool:
    """Whether the machine can be at fault: an agent that failed, or a gate; no guard, no judgement of the diff."""
    if outcome is Outcome.AGENT_FAILED:
        return True
    blocking = [gate for gate in result.gates if gate.blocks]
    guarded = any(guard.verdict.blocks for guard in result.guards)
    return outcome is Outcome.REJECTED and bool(blocking) and not guarded and blocking[0].kind not in _JUDGED


async def _look(night: Night, mark: str, reason: str) -> None:
    """Run the gates on the base once more; loops go on where it is as it was, else a person is told."""
    from ralph.engine import baseline

    try:
        worse = _worse(night, await baseline.look(night, anew=True))
    except RalphError as error:
        worse = f"the base can't be looked at: {error.message}"
    night.record("environment_checked", {"fingerprint": mark, "found": worse})
    held, night.held = set(night.held), {}
    for loop in night.loops.values():
        if worse and loop.name in held and not loop.over:
            night.pause(loop, f"the environment: {worse} ({reason})")
    await night.wake()


def _worse(night: Night, found: Preflight) -> str:
    """What does not run or is red on the base now and was not when the night began; empty where nothing is."""
    for gate in found.gates:
        if gate.verdict is Verdict.NOT_RUN and gate.name not in night.blocked_gates:
            return f"gate {gate.name} does not run on the base any more ({gate.reason})"
        if gate.verdict is Verdict.FAILED and gate.name not in night.advisory:
            new = set(found.red_ids(gate)) - set(night.red_base.get(gate.name, ()))
            if new or gate.name not in night.red_base:
                return f"gate {gate.name} is red on the base now ({gate.reason})"
    return ""
