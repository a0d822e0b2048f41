"""Plant a failing test of our own in a gate that runs tests, where the project has no hand in it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from ralph.domain import GateResult, Grade
from ralph.engine.jails import INSIDE
from ralph.engine.judge.bench import Bench
from ralph.verify import canary as rules
from ralph.verify.gates import PlannedGate


@dataclass(frozen=True, slots=True)
class Planted:
    """A canary, and the directory on the host that holds nothing but its module."""

    inside: rules.Canary
    host: Path


def planted(bench: Bench, planned: PlannedGate, stem: str) -> Planted | None:
    """Write the canary of one execution (``stem`` names it); None where the gate carries none."""
    found = planned.recognised
    if found is None or not rules.rides_along(found) or not wanted(bench, planned):
        return None
    host = bench.place.run / "canaries" / stem
    canary, text = rules.make(found, secrets.token_hex(16), str(bench.place.inside(host, INSIDE / "canary")))
    host.mkdir(parents=True, exist_ok=True)
    (host / f"{canary.module}.py").write_text(text, encoding="utf-8")
    return Planted(canary, host)


def wanted(bench: Bench, planned: PlannedGate) -> bool:
    """Whether tests of this gate are to show tonight that they can fail."""
    return bench.config.verify.canary and label(bench, planned) not in bench.place.spec.uncanaried


def label(bench: Bench, planned: PlannedGate) -> str:
    """What tells this command from others all night: a gate's name, a check's command (first checks share a name)."""
    named = any(gate.name == planned.name for gate in bench.config.gates)
    return planned.name if named else planned.gate.command


def weighed(bench: Bench, planned: PlannedGate, result: GateResult) -> GateResult:
    """The result with the grade it deserves: tests that never showed that they can fail are only observed."""
    mute = label(bench, planned) in bench.place.spec.uncanaried
    return replace(result, grade=Grade.OBSERVED) if mute and result.grade is Grade.VERIFIED else result
