"""The base of a night: its gates looked at before anybody works, and again while one of them can't run at all."""

from __future__ import annotations

import asyncio

from ralph.core.states import is_open
from ralph.domain import GateResult
from ralph.engine import preflight
from ralph.engine.night import Night
from ralph.errors import NeedsPerson, RalphError

LOOK_AGAIN = 300
"""Seconds between looks at a base on which a gate can't run."""


async def look(night: Night, *, anew: bool = False) -> preflight.Preflight:
    """Gates on the base, each open task's checks, and the liveness probe. Nothing is on record where it can't be done:
    the next start is another night, from the base as it is then."""
    return await preflight.remote(
        night.executor,
        night.layout,
        night.config,
        night.id,
        night.base,
        night.sandbox.name,
        [task for task in night.current_tasks() if is_open(task.status)],
        night.ledger,
        anew=anew,
    )


def judge(night: Night, found: preflight.Preflight) -> None:
    """Record what was found. Raises NeedsPerson for a red base."""
    config = night.config
    night.record("preflight", found.as_data())
    night.remember(found.tree, found.gates)
    for code, text in found.remarks():
        night.record("warning", {"text": text, "doubt": code})
    red = found.red()
    if red and not config.night.allow_red_base:
        lines = "; ".join(_red_line(gate, found.red_ids(gate)) for gate in red)
        hint = "fix the base, or set [night] allow_red_base = true: then only newly failing tests block"
        raise NeedsPerson(f"gates are red on the base {config.night.base}: {lines}", hint)
    night.red_base = {gate.name: found.red_ids(gate) for gate in red}
    night.advisory = tuple(gate.name for gate in red if not found.red_ids(gate))
    night.uncanaried, night.tools = found.uncanaried, found.tools
    night.blocked_gates = {gate.name: gate.reason for gate in found.not_run() if _cannot_start(night, gate)}
    if night.blocked_gates:
        night.tell("needs_human", f"no agent is started: {why_blocked(night)}")


def why_blocked(night: Night) -> str:
    """Which gates of the policy can't run, in words; empty where all can."""
    gates = "; ".join(f"{name}: {reason}" for name, reason in night.blocked_gates.items())
    return f"a gate does not run on the base, and nothing could land without it ({gates})" if gates else ""


async def watch(night: Night) -> None:
    """Look again while a gate can't run: a person may install what is missing. Ends once all of them run."""
    while night.blocked_gates:
        await asyncio.sleep(LOOK_AGAIN)
        try:
            judge(night, await look(night))
        except NeedsPerson as red:
            night.draining = night.draining or red.message
        except RalphError as error:
            night.record("warning", {"text": f"the base can't be looked at: {error.message}"})
        await night.wake()


def _cannot_start(night: Night, gate: GateResult) -> bool:
    """Whether no change of an agent's can help: the command is missing, unlike a project that has no test yet."""
    known = any(gate.name == table.name for table in night.config.gates)
    return known and (gate.execution is None or gate.execution.exit_code in (126, 127))


def _red_line(gate: GateResult, ids: list[str]) -> str:
    named = f" ({', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''})" if ids else ""
    return f"{gate.name}: {gate.reason}{named}"
