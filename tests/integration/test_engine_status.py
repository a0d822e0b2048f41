"""What `ralph status` and the ledger say of a running night: dollars nobody counts, a disk that is too full."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from nights import night_on

from ralph.cli.glance import _used
from ralph.domain import Usage, Verdict
from ralph.engine.loop import may_go_on
from ralph.engine.preflight import CheckResult, Liveness, Preflight
from ralph.engine.staging import _judge_the_base
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
        _judge_the_base(night, Preflight("k", "t", (), checks, Liveness(Verdict.FAILED, "a.py turned no gate red")))
        rows = [event.data for event in night.ledger.events(kinds=("warning",))]
        assert [row["doubt"] for row in rows] == ["", "vacuous_checks", "gates_blind"]
