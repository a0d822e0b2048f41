"""What `ralph status` and the ledger say of a running night: dollars nobody counts, a disk that is too full."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from nights import night_on

from ralph.cli.glance import _used
from ralph.domain import Execution, GateResult, Usage, Verdict
from ralph.engine import baseline, blocked
from ralph.engine.finish import finish
from ralph.engine.loop import may_go_on, run_loop
from ralph.engine.night import Night
from ralph.engine.preflight import CheckResult, Liveness, Preflight
from ralph.engine.status import night_status

SHELL = {"kind": "command", "command": ["true"]}
CLAUDE = {"kind": "claude-code"}


@pytest.mark.parametrize(
    ("agents", "said"),
    [
        ({"sh": SHELL}, "dollars not metered"),
        ({"sh": SHELL, "claude": CLAUDE}, "$1.50 of $9 (not metered: sh)"),
        ({"claude": CLAUDE}, "$1.50 of $9"),
    ],
)
def test_dollars_that_nobody_counts_are_not_shown_as_none(git_repo: Path, agents: dict[str, Any], said: str) -> None:
    with night_on(git_repo, {"id": "a"}, agents=agents, limits={"night_dollars": 9}) as night:
        scopes = night.budget.scopes("i", night.rows[0], "loop-1")
        night.budget.charge("x", scopes, Usage(10, dollars=1.5 if "claude" in agents else None))
        parts = _used(night_status(night)).split(", ")
        assert parts[2] == said


def test_a_full_disk_is_a_limit_with_its_numbers(git_repo: Path) -> None:
    most = shutil.disk_usage(git_repo).total // 1_000_000 + 1
    with night_on(git_repo, {"id": "a"}, limits={"disk_free_mb": most}) as night:
        (loop,) = night.loops.values()
        assert not asyncio.run(may_go_on(night, loop))
        (event,) = night.ledger.events(kinds=("limit",))
        assert event.data["cap"] == most * 1_000_000
        assert 0 < event.data["used"] < event.data["cap"]
        assert loop.paused == event.data["text"]


def test_a_warning_of_the_base_names_the_doubt_that_says_it(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        checks = (CheckResult("a", "x", Verdict.NOT_RUN, "gone"), CheckResult("a", "y", Verdict.PASSED, ""))
        baseline.judge(night, Preflight("k", "t", (), checks, Liveness(Verdict.FAILED, "a.py turned no gate red")))
        rows = [event.data for event in night.ledger.events(kinds=("warning",))]
        assert [row["doubt"] for row in rows] == ["", "vacuous_checks", "gates_blind"]


def gate_result(code: int, reason: str) -> GateResult:
    ran = Execution(("nonesuch",), "/", "t", "2026-01-01T00:00:00+00:00", 0.1, code)
    return GateResult("tests", "tests", Verdict.NOT_RUN, reason, execution=ran)


GATE = {"gates": [{"name": "tests", "command": "nonesuch", "kind": "tests"}]}


def test_no_agent_is_paid_for_while_a_gate_cannot_start(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repaired = Preflight("k", "t", (GateResult("tests", "tests", Verdict.PASSED, ""),))

    async def live(night: Night) -> None:
        baseline.judge(night, Preflight("k", "t", (gate_result(127, "command not found: nonesuch"),)))
        (loop,) = night.loops.values()
        await asyncio.wait_for(run_loop(night, loop), 5)
        assert not list(night.ledger.events(kinds=("began",)))
        assert blocked.reasons(night) == {"a": "gates that do not run on the base: tests"}
        assert await finish(night) == 4
        (end,) = night.ledger.events(kinds=("night_ended",))
        assert "tests: command not found: nonesuch" in end.data["reason"]

        async def again(_night: Night) -> Preflight:
            return repaired

        monkeypatch.setattr(baseline, "LOOK_AGAIN", 0)
        monkeypatch.setattr(baseline, "look", again)
        await baseline.watch(night)
        assert await may_go_on(night, loop), "what was missing is there now"

    with night_on(git_repo, {"id": "a"}, **GATE) as night:
        asyncio.run(live(night))


def test_a_project_without_tests_yet_may_get_some(git_repo: Path) -> None:
    async def live(night: Night) -> bool:
        baseline.judge(night, Preflight("k", "t", (gate_result(5, "no tests were found"),)))
        return await may_go_on(night, night.loops["loop-1"])

    with night_on(git_repo, {"id": "a"}, **GATE) as night:
        assert asyncio.run(live(night))
