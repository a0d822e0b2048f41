"""The collected night says what the ledger says: same rows, same value, same sums."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_night import NIGHT, RecordedNight

from ralph import report
from ralph.domain import Grade, Verdict
from ralph.memory.ledger import Ledger
from ralph.report import NightReport
from ralph.report.verdicts import assertion


@pytest.fixture
def night(tmp_path: Path) -> RecordedNight:
    return RecordedNight(tmp_path / "ledger.db")


def collected(night: RecordedNight) -> NightReport:
    return report.collect(night.ledger, night.night)


def test_a_task_that_landed(night: RecordedNight) -> None:
    night.land("t1", paths=("src/a.py", "tests/test_a.py"), title="Add a parser")
    found = collected(night)
    (task,) = found.tasks
    assert (task.id, task.title, task.outcome, task.attempts, task.iterations) == ("t1", "Add a parser", "landed", 1, 1)
    assert task.commit == "00000001" + "c" * 32
    assert (task.branch, task.files, task.grade) == ("ralph/loop-1", ("src/a.py", "tests/test_a.py"), Grade.VERIFIED)
    assert task.failure is None
    (gate,) = task.gates
    assert gate.counts is not None
    assert (gate.name, gate.verdict, gate.counts.passed, gate.argv) == ("tests", Verdict.PASSED, 14, ("pytest", "-q"))
    assert found.headline == "the only task landed"


def test_sums_are_those_of_the_ledger(night: RecordedNight) -> None:
    for n in range(7):
        step = night.began(f"t{n}")
        for call in range(n):
            step.spends(dollars=0.1 if call % 2 else 0.0007, tokens=n * 31 + call)
        step.agent_ends(seconds=0.1 * n)
    found = collected(night).totals
    _, ((tokens, dollars, cached, calls),) = night.ledger.query(
        "select sum(input_tokens + cache_write_tokens + output_tokens), sum(dollars), sum(cache_read_tokens), count(*)"
        " from usage"
    )
    assert (found.spend.tokens, found.spend.cache_read_tokens, found.spend.calls) == (tokens, cached, calls)
    assert found.spend.dollars == pytest.approx(dollars, abs=1e-12)
    assert sum(task.spend.tokens for task in collected(night).tasks) == tokens
    assert sum(part.tokens for part in collected(night).by_model.values()) == tokens
    assert found.agent_seconds == pytest.approx(2.1)
    assert found.spend.unsettled_tokens == 0


def test_an_unknown_price_stays_unknown(night: RecordedNight) -> None:
    night.began("t1").spends(dollars=None)
    night.began("t2").spends(dollars=0.5)
    first, second = collected(night).tasks
    total = collected(night).totals.spend
    assert (first.spend.dollars, second.spend.dollars) == (None, 0.5)
    assert (total.dollars, total.unpriced_calls, total.complete) == (0.5, 1, False)


def test_an_agent_without_a_meter(night: RecordedNight) -> None:
    step = night.began("t1")
    step.agent_ends(metered=False, usage={"input_tokens": 700, "output_tokens": 7, "cache_read_tokens": 90})
    spend = collected(night).totals.spend
    assert (spend.dollars, spend.tokens, spend.reported_tokens, spend.unmetered_iterations) == (None, 0, 707, 1)
    assert "not_metered" in {doubt.code for doubt in collected(night).not_verified}


def test_a_reservation_nobody_settled_is_shown(night: RecordedNight) -> None:
    night.began("t1").row("reserved", id=1, tokens=9000, dollars=1.0)
    spend = collected(night).totals.spend
    assert (spend.tokens, spend.unsettled_tokens, spend.complete) == (0, 9000, False)


def test_only_this_night_counts(tmp_path: Path) -> None:
    RecordedNight(tmp_path / "ledger.db", "2026-11-19-1").land("old")
    later = RecordedNight(tmp_path / "ledger.db")
    later.land("new")
    assert [task.id for task in collected(later).tasks] == ["new"]
    assert collected(later).night == NIGHT


def test_the_same_ledger_gives_the_same_bytes(night: RecordedNight, tmp_path: Path) -> None:
    night.land("t1")
    night.began("t2").refused()
    night.ends()
    again = Ledger.read_only(tmp_path / "ledger.db")
    first, second = collected(night), report.collect(again, NIGHT)
    again.close()
    assert report.render_json(first) == report.render_json(second)
    assert report.render_markdown(first) == report.render_markdown(second)
    night.row("reported", path="progress/2026-11-20-1-report.md")
    assert collected(night) == first


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("failed", "failed"), ("needs_human", "needs_human"), ("cancelled", "cancelled"), ("pending", "unfinished")],
)
def test_outcomes_follow_the_last_status(night: RecordedNight, status: str, outcome: str) -> None:
    step = night.began("t1")
    step.refused()
    step.moves(status, "three equal failures")
    (task,) = collected(night).tasks
    assert (task.outcome, task.reason, task.commit, task.grade) == (outcome, "three equal failures", None, None)


def test_a_commit_without_a_status_has_landed(night: RecordedNight) -> None:
    """Killed between the commit and tasks.json: git outranks the view."""
    step = night.began("t1")
    step.moves("in_progress")
    step.gate()
    step.row("committed", commit="c" * 40, tree=step.tree, branch="ralph/loop-1", parents=[], changes=[])
    (task,) = collected(night).tasks
    assert (task.outcome, task.commit) == ("landed", "c" * 40)


def test_a_commit_that_a_person_sent_back_has_not(night: RecordedNight) -> None:
    night.land("t1").moves("pending", "retry")
    assert collected(night).tasks[0].outcome == "unfinished"


def test_planned_tasks_that_never_started(tmp_path: Path) -> None:
    planned = [{"id": "t1", "title": "One"}, {"id": "t2", "title": "Two", "depends_on": ["t1"]}]
    night = RecordedNight(tmp_path / "ledger.db", tasks=planned)
    night.land("t1")
    first, second = collected(night).tasks
    assert (first.outcome, second.outcome, second.title, second.depends_on) == ("landed", "not_started", "Two", ("t1",))
    assert collected(night).headline == "1 of 2 tasks landed, 1 not started"


def test_the_first_failure_is_a_guards_then_a_gates(night: RecordedNight) -> None:
    step = night.began("t1")
    step.row("guard", tree=step.tree, name="scope", verdict="passed", findings=[])
    finding = {"rule": "scope", "path": "setup.py", "message": "not a file of this task", "line": 3}
    step.row("guard", tree=step.tree, name="scope", verdict="failed", findings=[finding])
    step.refused()
    failure = collected(night).tasks[0].failure
    assert failure is not None
    assert (failure.where, failure.message) == ("guard scope", "setup.py: not a file of this task")


def test_the_first_failing_assertion(night: RecordedNight) -> None:
    night.began("t1").refused(
        message="    def test_b():\n        x = 1\n>       assert x == 2\nE       assert 1 == 2\n"
    )
    failure = collected(night).tasks[0].failure
    assert failure is not None
    assert (failure.where, failure.message) == ("tests/test_a.py::test_b", "assert 1 == 2")


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("", ""),
        ("one\ntwo", "one"),
        ("E   KeyError: 'a'", "KeyError: 'a'"),
        ("ran\n  thread 'main' panicked at src/lib.rs:3", "thread 'main' panicked at src/lib.rs:3"),
        ("  Expected: 3\n  Received: 4", "Expected: 3"),
    ],
)
def test_the_line_that_says_it(message: str, line: str) -> None:
    assert assertion(message) == line


def test_an_agent_that_failed_is_its_own_failure(night: RecordedNight) -> None:
    step = night.began("t1")
    step.agent_ends(error="exit 1: no such model")
    step.ends("agent_failed", "the agent ended with 1")
    failure = collected(night).tasks[0].failure
    assert failure is not None and (failure.where, failure.message) == ("agent", "exit 1: no such model")


def test_grades_are_never_above_what_was_done(night: RecordedNight) -> None:
    step = night.began("t1")
    step.gate(counts=None)
    step.gate("lint", "lint", counts=None)
    step.gate("audit", "security", counts=None, execution=None)
    step.commits()
    task = collected(night).tasks[0]
    grades = {gate.name: gate.grade for gate in task.gates}
    assert grades == {"tests": Grade.OBSERVED, "lint": Grade.VERIFIED, "audit": Grade.REPORTED}
    assert task.grade is Grade.REPORTED
    codes = {doubt.code: doubt.tasks for doubt in collected(night).not_verified}
    assert codes["exit_code_only"] == codes["reported"] == ("t1",)


def test_a_verdict_on_the_same_tree_may_come_from_another_iteration(night: RecordedNight) -> None:
    first = night.began("t1")
    first.gate()
    first.ends("infrastructure", "worker crashed")
    second = night.began("t1")
    second.tree = first.tree
    second.commits()
    task = collected(night).tasks[0]
    assert (task.grade, task.iterations, task.attempts) == (Grade.VERIFIED, 2, 1)


def test_a_night_without_proof_says_so(tmp_path: Path) -> None:
    night = RecordedNight(tmp_path / "ledger.db", sandbox="none")
    step = night.began("t1")
    step.commits()
    step = night.began("t2")
    step.gate("lint", "lint", "not_run", reason="exit 127", advisory=True, counts=None)
    step.gate(execution={"argv": ["pytest"], "network": True})
    step.commits()
    doubts = {doubt.code: doubt for doubt in collected(night).not_verified}
    assert doubts["no_sandbox"].text.startswith("No sandbox")
    assert doubts["no_gate"].tasks == ("t1",)
    assert doubts["not_run"].tasks == doubts["advisory"].tasks == doubts["network"].tasks == ("t2",)
    assert {"no_proof", "no_review"} <= doubts.keys()


def test_preflight_leaves_its_doubts(night: RecordedNight) -> None:
    night.row(
        "preflight",
        gates=[{"name": "lint", "verdict": "failed", "reason": "exit 1"}],
        checks=[{"task": "t1", "command": "make x", "verdict": "passed", "reason": ""}],
        liveness={"verdict": "failed", "reason": "src/a.py: no gate saw it"},
    )
    doubts = {doubt.code: doubt for doubt in collected(night).not_verified}
    assert doubts["red_base"].text == "Gate lint did not pass on the base: failed, exit 1"
    assert doubts["vacuous_checks"].tasks == ("t1",)
    assert "src/a.py: no gate saw it" in doubts["gates_blind"].text


def test_what_a_doubt_says_is_no_warning_as_well(night: RecordedNight) -> None:
    night.row("preflight", gates=[], checks=[], liveness={"verdict": "failed", "reason": "src/a.py: no gate saw it"})
    night.row("warning", text="your gates do not look at this: src/a.py: no gate saw it", doubt="gates_blind")
    night.row("warning", text="task t1: its check `x` can't run: no such file", doubt="")
    night.row("warning", text="gate lint does not run on the base", doubt="red_base")
    assert collected(night).warnings == (
        "task t1: its check `x` can't run: no such file",
        "gate lint does not run on the base",
    )


def test_review_order_is_dependencies_then_size(night: RecordedNight) -> None:
    night.land("big", "loop-1", paths=tuple(f"src/{n}.py" for n in range(9)))
    night.land("small", "loop-2", paths=("docs/a.md",))
    night.land("child", "loop-3", paths=("src/x.py",), depends_on=["big"])
    branches = [(branch.branch, branch.after) for branch in collected(night).review]
    assert branches == [("ralph/loop-2", ()), ("ralph/loop-1", ()), ("ralph/loop-3", ("ralph/loop-1",))]


def test_a_commit_on_top_of_another_branch_stacks_on_it(night: RecordedNight) -> None:
    step = night.began("t1", "loop-1")
    below = step.commits(("a", "b", "c"))
    night.began("t2", "loop-2").commits(("a",), parents=(below,))
    assert [branch.branch for branch in collected(night).review] == ["ralph/loop-1", "ralph/loop-2"]


def test_branches_that_stack_on_each_other_still_have_an_order(night: RecordedNight) -> None:
    night.land("a1", "loop-1", paths=("a", "b"))
    night.land("b1", "loop-2", depends_on=["a1"], paths=("c",))
    night.land("a2", "loop-1", depends_on=["b1"], paths=("d",))
    found = [(branch.position, branch.branch, branch.tasks) for branch in collected(night).review]
    assert found == [(1, "ralph/loop-2", ("b1",)), (2, "ralph/loop-1", ("a1", "a2"))]


def test_what_needs_a_person_and_what_was_resumed(night: RecordedNight) -> None:
    night.row("halted", account="anthropic", agent="claude", until=0, reason="bad credentials")
    night.row("paused", scope="loop-1", reason="limit reached", by="daemon", loop="loop-1")
    night.row("halted", account="openai", agent="codex", until=0, reason="spend limit")
    night.row("paused", scope="loop-2", reason="limit reached", by="daemon", loop="loop-2")
    night.row("resumed", scope="loop-2", by="person")
    night.row("resumed", account="openai")
    night.row("delivered", branch="refs/heads/ralph/loop-1", commit="c" * 40, how="parked", detail="checked out")
    night.row("delivery_failed", branch="refs/heads/ralph/loop-2", reason="disk full")
    step = night.began("t1", title="Fix the login")
    step.refused()
    step.moves("needs_human", "the last rung is stuck")
    night.began("t2").ends("quarantined", "the branch moved")
    found = [(need.code, need.subject, need.command) for need in collected(night).needs]
    assert found == [
        ("halted", "anthropic", "ralph doctor"),
        ("paused", "loop-1", "ralph resume"),
        ("quarantined", "loop-1", "ralph evidence 2026-11-20-1.loop-1.2"),
        ("parked", "ralph/loop-1", "git switch ralph/loop-1 && git merge cccccccccccc"),
        ("delivery_failed", "ralph/loop-2", "ralph logs"),
        ("needs_human", "t1", "ralph tasks retry t1"),
    ]


def test_a_push_hides_no_parked_branch_and_a_later_success_clears_a_failure(night: RecordedNight) -> None:
    night.row("delivered", branch="refs/heads/ralph/a", commit="c" * 40, how="parked", detail="checked out")
    night.row("delivered", branch="refs/heads/ralph/a", commit="c" * 40, how="pushed", detail="origin")
    night.row("delivery_failed", branch="refs/heads/ralph/b", reason="locked")
    night.row("delivered", branch="refs/heads/ralph/b", commit="d" * 40, how="ref", detail="")
    first, second = collected(night).deliveries
    assert (first.branch, first.how, first.pushed, first.detail) == ("ralph/a", "parked", "origin", "checked out")
    assert (second.how, second.failed) == ("ref", "")
    assert [need.code for need in collected(night).needs] == ["parked"]


def test_limits_waits_and_pull_requests(night: RecordedNight) -> None:
    night.row("limit", scope="night", cause="dollars", cap=5, used=5.2)
    night.row("waiting", account="a", agent="claude", until=1_800_000_000.0, reason="usage limit")
    night.row("resumed", account="a")
    night.row("waiting", account="a", agent="claude", until=1_800_000_000.0, reason="again")
    for number, state in ((1, "open"), (1, "merged")):
        night.row("pull_request", branch="ralph/loop-1", number=number, url="https://x/1", state=state, draft=True)
    found = collected(night)
    assert [(limit.scope, limit.cause, limit.cap, limit.used) for limit in found.limits] == [
        ("night", "dollars", 5, 5.2)
    ]
    first, second = found.waits
    assert first.seconds is not None and first.until == "2027-01-15T08:00:00+00:00"
    assert second.seconds is None
    assert [(request.number, request.state) for request in found.pull_requests] == [(1, "merged")]


def test_nothing_at_all() -> None:
    empty = report.from_events([])
    assert (empty.night, empty.tasks, empty.headline, empty.ended) == ("", (), "no task was ready", None)
    assert report.render_markdown(empty).startswith("# Night")


def test_damaged_rows_are_no_reason_to_fail(night: RecordedNight) -> None:
    step = night.began("t1")
    for kind in ("settled", "gate", "guard", "ended", "committed", "agent_ended", "reserved", "task"):
        night.ledger.append(kind, {}, night=NIGHT, **step.where)
    night.row("gate", verdict="maybe", counts=[], execution=3, failures="x", grade=None, task="t1")
    night.row("preflight", gates=None, checks={}, liveness=[])
    for kind in ("limit", "waiting", "resumed", "pull_request", "delivered", "delivery_failed", "warning", "halted"):
        night.row(kind)
    assert report.render_markdown(collected(night))
    assert report.render_json(collected(night))
