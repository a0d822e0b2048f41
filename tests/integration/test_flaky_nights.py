"""Flaky tests over a night: idle time finds them, the list holds them, and what fails everywhere is nobody's fault."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from loops import commit_all
from nights import begin, commit, night_on

from ralph.cli.main import cli
from ralph.domain import Change, Comparison, Execution, GateResult, IterationResult, Outcome, Run, TestFailure, Verdict
from ralph.engine import baseline, environment, flakes, idle
from ralph.engine.executor import ForkedExecutor
from ralph.engine.night import Night
from ralph.engine.preflight import Preflight
from ralph.engine.settle import Ended, settle
from ralph.engine.status import night_status
from ralph.memory import quarantine
from ralph.report.needs import needs

CHANCE = """import pathlib
COUNT = pathlib.Path({count!r})
def test_good():
    assert COUNT
def test_chance():
    number = int(COUNT.read_text() or 0) + 1
    COUNT.write_text(str(number))
    assert number % 2
"""
GATE = {"name": "tests", "command": f"{sys.executable} -m pytest -q -p no:cacheprovider", "kind": "tests"}
RAN = Execution(("pytest",), "/", "", "2026-01-01T00:00:00+00:00", 1.0, 1, run="n.l.1", log="gate.log")


async def until(there: Callable[[], object], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not there():
            await asyncio.sleep(0.05)


def measured(night: Night) -> list[dict[str, Any]]:
    return [event.data for event in night.ledger.events(kinds=("flake_rate",))]


def test_idle_time_finds_what_fails_by_chance_and_ends_when_work_comes(
    git_repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "PATIENCE", 0.0)
    (tmp_path / "count").write_text("")
    (git_repo / "test_it.py").write_text(CHANCE.format(count=str(tmp_path / "count")))
    commit_all(git_repo)
    with night_on(git_repo, {"id": "a"}, gates=[GATE], loops=2) as night:
        night.tracked = ["test_it.py"]
        first, second = night.loops.values()
        second.at("implement")

        async def live() -> None:
            night.executor = ForkedExecutor()
            watching = asyncio.create_task(idle.watch(night))
            try:
                await until(lambda: len(measured(night)) >= 2)
                first.at("implement")
                await asyncio.sleep(1.5)
                rounds = len(measured(night))
                await asyncio.sleep(1.5)
                assert len(measured(night)) == rounds, "the loop has work"
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                await night.executor.close()

        asyncio.run(live())
        failed, runs = night.flake_rates["tests"]["test_it.py::test_chance"]
        assert 0 < failed < runs and list(night.flake_rates["tests"]) == ["test_it.py::test_chance"]
        (entry,) = quarantine.read(night.layout.quarantine)
        assert entry.test == "test_it.py::test_chance" and entry.owner == "Ada Tester <ada@example.org>"
        assert entry.logs and (entry.expires - entry.since).days == 14
        spec = begin(night, first, "a")
        assert list(spec.quarantined["tests"]) == [entry.test] and spec.flake_rates == night.flake_rates


def flaky_result(night: Night, *paths: str, tree: str = "") -> IterationResult:
    tree = tree or flakes.base_tree(night)
    runs = [Run(replace(RAN, tree=tree), outcomes={"test_it.py::a": outcome}) for outcome in ("failed", "passed")]
    gate = GateResult(
        "tests",
        "tests",
        Verdict.PASSED,
        "",
        replace(RAN, tree="c"),
        outcomes={"test_it.py::a": "failed"},
        runs=tuple(runs),
        flaky=("test_it.py::a",),
        comparison=Comparison(tree, newly_failing=("test_it.py::a",)),
    )
    changes = tuple(Change("M", path, "100644", "100644", "0", "1") for path in paths)
    return IterationResult("i", True, Outcome.COMMITTED, "", changes=changes, gates=(gate,))


def listed(night: Night) -> list[tuple[str, int, int]]:
    return [(entry.test, entry.failed, entry.runs) for entry in quarantine.read(night.layout.quarantine)]


def test_what_failed_on_the_base_at_times_is_quarantined(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        (loop,) = night.loops.values()
        asyncio.run(
            _in_loop(lambda: flakes.consider(night, loop, begin(night, loop, "a"), flaky_result(night, "b.py")))
        )
        assert listed(night) == [("test_it.py::a", 1, 3)]
        assert [event.data["test"] for event in night.ledger.events(kinds=("quarantined",))] == ["test_it.py::a"]
        assert list(flakes.in_force(night)["tests"]) == ["test_it.py::a"]


def test_a_branch_never_quarantines_a_test_that_it_touched(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}) as night:
        (loop,) = night.loops.values()
        spec = begin(night, loop, "a")
        flakes.consider(night, loop, spec, flaky_result(night, "test_it.py"))
        assert listed(night) == []
        commit(night, loop, "b", test_it_dot_py="x = 1\n")
        flakes.consider(night, loop, spec, flaky_result(night, "b.py"))
        assert listed(night) == [], "an earlier commit of the branch touched it"


def test_what_a_branch_has_committed_may_be_why_its_base_is_flaky(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}) as night:
        (loop,) = night.loops.values()
        spec = replace(begin(night, loop, "a"), head_tree="0" * 40)
        flakes.consider(night, loop, spec, flaky_result(night, "b.py", tree=spec.head_tree))
        assert listed(night) == []


async def _in_loop(work: Callable[[], object]) -> None:
    work()


def failed_result(iteration: str, message: str = "no database") -> IterationResult:
    failure = TestFailure("t.py::a", message)
    gate = GateResult("tests", "tests", Verdict.FAILED, "exit 1", RAN, failures=(failure,))
    return IterationResult(iteration, False, Outcome.REJECTED, "gate tests: exit 1", gates=(gate,))


def fail(night: Night, name: str, task: str, message: str = "no database") -> Outcome:
    """An iteration on a loop that ends with a red gate; returns what it ended as."""
    loop = night.loops[name]
    spec = begin(night, loop, task)
    result = failed_result(spec.iteration, message)
    outcome = environment.suspect(night, loop, spec, result, result.outcome)
    settle(night, loop, spec, Ended(spec.task, spec.iteration, "sh", outcome, result))
    return outcome


def on_two_loops(repo: Path, story: Callable[[Night], Awaitable[None]]) -> None:
    with night_on(repo, {"id": "a"}, {"id": "b"}, loops=2, gates=[GATE]) as night:
        asyncio.run(_told(night, story))


async def _told(night: Night, story: Callable[[Night], Awaitable[None]]) -> None:
    await story(night)
    if night.looking:
        await night.looking


def base_is(monkeypatch: pytest.MonkeyPatch, *gates: GateResult) -> list[str]:
    """What a look at the base finds; the list grows with each look."""
    looks: list[str] = []

    async def look(night: Night, *, anew: bool = False) -> Preflight:
        looks.append("anew" if anew else "")
        return Preflight("k", "t", gates)

    monkeypatch.setattr(baseline, "look", look)
    return looks


def test_one_failure_on_two_loops_is_charged_to_nobody(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = base_is(monkeypatch, GateResult("tests", "tests", Verdict.PASSED, ""))

    async def story(night: Night) -> None:
        assert fail(night, "loop-1", "a") is Outcome.REJECTED
        assert night.board.state("a").attempts == 1
        assert fail(night, "loop-2", "b") is Outcome.INFRASTRUCTURE
        assert night.board.state("a").attempts == night.board.state("b").attempts == 0
        assert set(night.held) == {"loop-1", "loop-2"} and night.looking
        await night.looking
        assert not night.held and not any(loop.paused for loop in night.loops.values())
        assert fail(night, "loop-1", "a") is Outcome.REJECTED, "the base is as it was: now it is the task's"
        assert night.board.state("a").attempts == 1 and looks == ["anew"]

    on_two_loops(git_repo, story)


def test_a_base_that_is_red_now_needs_a_person(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base_is(monkeypatch, GateResult("tests", "tests", Verdict.NOT_RUN, "exit 127"))

    async def story(night: Night) -> None:
        fail(night, "loop-1", "a")
        fail(night, "loop-2", "b")
        assert night.looking
        await night.looking
        assert all("does not run on the base any more" in loop.paused for loop in night.loops.values())

    on_two_loops(git_repo, story)


def test_other_failures_and_the_same_loop_are_no_sign(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = base_is(monkeypatch)

    async def story(night: Night) -> None:
        assert fail(night, "loop-1", "a") is Outcome.REJECTED
        assert fail(night, "loop-1", "a") is Outcome.REJECTED
        assert fail(night, "loop-2", "b", "wrong sum") is Outcome.REJECTED
        assert not night.held and not looks

    on_two_loops(git_repo, story)


def test_after_an_hour_it_is_another_matter(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base_is(monkeypatch)

    async def story(night: Night) -> None:
        fail(night, "loop-1", "a")
        night.alike = [replace(one, at=one.at - environment.WITHIN) for one in night.alike]
        assert fail(night, "loop-2", "b") is Outcome.REJECTED

    on_two_loops(git_repo, story)


def test_expired_quarantine_gates_again(git_repo: Path) -> None:
    with night_on(git_repo, {"id": "a"}) as night:
        day = datetime.now(UTC).date()
        entry = quarantine.Entry(
            test="t.py::a", gate="tests", owner="Ada", iteration="i", failed=1, runs=2, since=day, expires=day
        )
        quarantine.add(night.layout.quarantine, [entry], day)
        assert flakes.in_force(night) == {}


def test_a_person_sees_the_list(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(git_repo)
    with night_on(git_repo, {"id": "a"}) as night:
        (loop,) = night.loops.values()
        night.record("night_started", {})
        assert "No test is in quarantine" in CliRunner().invoke(cli, ["evidence", "--flaky"]).output
        asyncio.run(_in_loop(lambda: flakes.consider(night, loop, begin(night, loop, "a"), flaky_result(night))))
        shown = CliRunner().invoke(cli, ["evidence", "--flaky"]).output
        assert "test_it.py::a" in shown and "1 of 3" in shown and "Ada Tester" in shown
        assert night_status(night)["quarantined"] == {"tests": ["test_it.py::a"]}
        events = list(night.ledger.events(kinds=("quarantined",)))
        (need,) = needs(events, (), ())
        assert need.what == "Flaky test test_it.py::a" and "1 of 3 times on the base" in need.why
