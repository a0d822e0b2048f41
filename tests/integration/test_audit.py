"""`ralph verify` over nights whose bytes are laid by hand: each check by itself, without agents and gates that run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from nights import ADA, NIGHT, begin, edit, night_on

from ralph.config import freeze
from ralph.domain import (
    Cause,
    Comparison,
    Execution,
    GateResult,
    Grade,
    IterationResult,
    IterationSpec,
    Outcome,
    Proof,
    ProofResult,
    Run,
    Verdict,
)
from ralph.engine import frozen, opening
from ralph.engine.audit.attested import check_body, statement
from ralph.engine.audit.findings import Findings
from ralph.engine.audit.night import verify_commit, verify_night
from ralph.engine.finish import Record, prune, report_missing
from ralph.engine.messages import plain
from ralph.engine.night import Night
from ralph.engine.note import note_of
from ralph.engine.words import commit_message
from ralph.host.files import own_directory
from ralph.host.process import Completed
from ralph.vcs import delivery
from ralph.verify import attest, reports
from ralph.verify import gates as rules
from ralph.verify import guards as guard_rules
from ralph.verify.compare import BaseResult

GATES = [
    {"name": "tests", "command": "pytest -q", "kind": "tests"},
    {"name": "lint", "command": "ruff check", "kind": "lint"},
]
CASE = '<testcase classname="test_a" name="{name}" file="test_a.py">{inner}</testcase>'


def junit(**outcomes: str) -> str:
    inner = {
        "passed": "",
        "failed": '<failure message="assert 1 == 2">E   assert 1 == 2</failure>',
        "skipped": "<skipped/>",
    }
    cases = "".join(CASE.format(name=name, inner=inner[outcome]) for name, outcome in outcomes.items())
    return f'<testsuites><testsuite name="pytest">{cases}</testsuite></testsuites>'


@dataclass
class Desk:
    """Writes iterations of a night as daemon and worker would, bytes included."""

    night: Night

    def begin(self, task: str) -> IterationSpec:
        spec = begin(self.night, self.loop, task)
        own_directory(Path(spec.run_dir))
        return spec

    @property
    def loop(self) -> Any:
        return self.night.loops["loop-1"]

    def ran(
        self,
        spec: IterationSpec,
        tree: str,
        name: str = "tests",
        *,
        log: str = "",
        report: str = "",
        exit_code: int = 0,
        base: BaseResult | None = None,
        **more: Any,
    ) -> GateResult:
        """The verdict of a gate on bytes that are laid here, judged as a worker does it."""
        planned = next(one for one in rules.plan(self.night.config, spec.task, []) if one.name == name)
        run = Path(spec.run_dir)
        path = run / f"gate-{name}-{len(list(run.glob('*.log')))}.log"
        path.write_text(log)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        junit_path = run / f"{path.stem}.xml" if report else None
        if junit_path:
            junit_path.write_text(report)
        started = "2026-01-01T00:00:00+00:00"
        argv = tuple(planned.words)
        done = Completed(argv, exit_code, None, more.pop("cause", None), started, 0.1, Path(path.name), 0, digest)
        result = rules.judge(planned, done, junit_path, tree, base, log, directory="/project", root="/project")
        assert result.execution
        execution = replace(
            result.execution,
            run=spec.iteration,
            report=junit_path.name if junit_path else "",
            report_sha256=reports.digest(junit_path) if junit_path else "",
            environment="e",
            **more,
        )
        return replace(result, execution=execution)

    def tell(self, spec: IterationSpec, tree: str, *gates: GateResult) -> None:
        where = {"loop": spec.loop, "task": spec.task.id, "iteration": spec.iteration}
        changes = self.loop.workspace.changes(self.loop.workspace.tree_of(spec.head), tree)
        found = guard_rules.check(
            spec.task,
            changes,
            read_blob=lambda blob: self.loop.workspace.blob(blob, 1_000_000),
            tracked=self.loop.workspace.paths(spec.head),
            config=self.night.config,
        )
        for guard in found:
            self.night.record("guard", {"tree": tree, **plain(guard)}, **where)
        for gate in gates:
            self.night.record("gate", {"tree": tree, **plain(gate)}, **where)

    def land(self, spec: IterationSpec, tree: str, *gates: GateResult) -> str:
        """Verdicts, intention, commit, delivery and note."""
        self.tell(spec, tree, *gates)
        space, night = self.loop.workspace, self.night
        result = IterationResult(spec.iteration, True, Outcome.COMMITTED, "", tree, gates=gates)
        message = commit_message(spec, result)
        commit = space.commit_object(tree, [spec.head], message, ADA, ("ralph", "ralph@localhost"), 1_700_000_000)
        ref, old = opening.branch_ref(night, self.loop, spec.task), self.loop.head
        made = {"commit": commit, "tree": tree, "parents": [spec.head], "changes": []}
        where = {"loop": spec.loop, "task": spec.task.id, "iteration": spec.iteration}
        night.record("intends", {**made, "message": message, "date": 1_700_000_000, "ref": ref, "old": old}, **where)
        assert space.advance(ref, commit, old)
        self.loop.head, self.loop.head_tree = commit, tree
        night.record("committed", {**made, "branch": ref, "kind": "feature"}, **where)
        self.end(spec, "committed", tree)
        known = delivery.existing_branch(night.layout.repo, ref)
        delivery.deliver(night.layout.repo, space.git_dir, ref, commit, known)
        row = next(e for e in night.ledger.events(kinds=("committed",)) if e.data["commit"] == commit)
        delivery.write_note(night.layout.repo, commit, note_of(night.ledger, row))
        return commit

    def end(self, spec: IterationSpec, outcome: str, tree: str | None = None) -> None:
        data = {"outcome": outcome, "summary": "", "attempt": spec.attempt, "tree": tree, "fingerprint": ""}
        self.night.record("ended", data, loop=spec.loop, task=spec.task.id, iteration=spec.iteration)

    def green(self, spec: IterationSpec, tree: str) -> list[GateResult]:
        lint = self.ran(spec, tree, "lint", log="All checks passed!")
        return [lint, self.ran(spec, tree, log="2 passed", report=junit(one="passed", two="passed"))]

    def verify(self) -> Findings:
        return verify_night(self.night.layout, self.night.ledger, NIGHT)

    def wrong(self) -> list[tuple[str, str]]:
        return [(one.kind, one.said) for one in self.verify().mismatches]


@pytest.fixture
def desk(git_repo: Path) -> Iterator[Desk]:
    with night_on(git_repo, {"id": "a"}, {"id": "b"}, gates=GATES) as night:
        text = freeze(night.config)
        frozen.keep(night.layout, night.id, text)
        digest = frozen.digest(text.encode())
        night.record("night_started", {"base": "main", "base_commit": night.base, "config_sha256": digest})
        yield Desk(night)


def test_a_night_that_holds(desk: Desk) -> None:
    refused, spec = desk.begin("a"), None
    tree = edit(desk.loop, refused.head, a_dot_py="1")
    red = desk.ran(refused, tree, log="1 failed", report=junit(one="failed"), exit_code=1)
    assert red.verdict is Verdict.FAILED
    desk.tell(refused, tree, red)
    desk.end(refused, "rejected", tree)
    spec = desk.begin("a")
    tree = edit(desk.loop, spec.head, a_dot_py="2")
    commit = desk.land(spec, tree, *desk.green(spec, tree))
    found = desk.verify()
    assert found.mismatches == []
    assert found.checked["verdicts"] == 3
    assert found.checked["guards"] == 2 * len(
        list(desk.night.ledger.events(iteration=spec.iteration, kinds=("guard",)))
    )
    assert found.remarks == [f"night {NIGHT} is not in refs/ralph/ledger yet"]
    record = Record(desk.night.layout, desk.night.ledger, NIGHT)
    record.told(record.stored())
    assert desk.verify().remarks == []
    assert verify_commit(desk.night.layout, desk.night.ledger, commit).mismatches == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"verdict": Verdict.PASSED}, "verdict on record: passed; from the stored bytes: failed"),
        ({"outcomes": {"test_a.py::one": "passed"}}, "outcomes on record"),
        ({"comparison": Comparison("t" * 40)}, "its run on the base tttttttttttt is not on record"),
        ({"flaky": ("test_a.py::one",), "verdict": Verdict.PASSED}, "verdict on record: passed"),
        ({"name": "unknown"}, "no such gate"),
    ],
)
def test_a_verdict_that_its_bytes_do_not_give(desk: Desk, more: dict[str, Any], said: str) -> None:
    spec = desk.begin("a")
    tree = edit(desk.loop, spec.head, a_dot_py="1")
    red = desk.ran(spec, tree, log="1 failed", report=junit(one="failed"), exit_code=1)
    desk.tell(spec, tree, replace(red, **more))
    desk.end(spec, "rejected", tree)
    ((kind, text),) = desk.wrong()
    assert kind == "verdict"
    assert said in text


def test_a_grade_above_its_bytes_and_a_command_that_is_not_the_gates(desk: Desk) -> None:
    spec = desk.begin("a")
    tree = edit(desk.loop, spec.head, a_dot_py="1")
    stopped = desk.ran(spec, tree, cause=Cause.TIMEOUT)
    lint = desk.ran(spec, tree, "lint", log="fine")
    assert lint.execution
    other = replace(lint, execution=replace(lint.execution, argv=("true",)))
    desk.tell(spec, tree, stopped, other)
    desk.end(spec, "rejected", tree)
    assert desk.wrong() == [("verdict", "`true` was run, but the gate's command is `ruff check`")]


def test_a_red_of_the_base_is_looked_up_where_it_was_run(desk: Desk) -> None:
    spec = desk.begin("a")
    tree, there = edit(desk.loop, spec.head, a_dot_py="1"), desk.loop.workspace.tree_of(spec.head)
    report = junit(one="failed", two="passed")
    on_base = desk.ran(spec, there, log="1 failed", report=report, exit_code=1, purpose="base")
    base = BaseResult(frozenset({"test_a.py::one"}), False, on_base.outcomes, there)
    here = desk.ran(spec, tree, log="1 failed", report=report, exit_code=1, base=base)
    assert here.verdict is Verdict.PASSED
    assert here.comparison
    desk.tell(spec, there, on_base)
    desk.tell(spec, tree, here)
    desk.end(spec, "stopped", tree)
    assert [kind for kind, _ in desk.wrong() if kind != "guard"] == []
    lies = replace(here, comparison=replace(here.comparison, still_failing=()))
    desk.night.record("gate", {"tree": tree, **plain(lies)}, loop=spec.loop, task="a", iteration=spec.iteration)
    assert any("comparison on record" in said for _, said in desk.wrong())


def test_a_proof_that_its_runs_do_not_give(desk: Desk) -> None:
    spec = desk.begin("a")
    tree = edit(desk.loop, spec.head, test_a_dot_py="1")
    gates = desk.green(spec, tree)

    def proof(outcome: str, grade: Proof) -> GateResult:
        code = 1 if outcome == "failed" else 0
        ran = desk.ran(spec, tree, report=junit(one=outcome), exit_code=code, purpose="fail-to-pass")
        assert ran.execution
        shown = ProofResult(grade, {"test_a.py::one": grade})
        runs = (Run(ran.execution, ran.counts, ran.outcomes),)
        return GateResult("proof", "proof", Verdict.PASSED, "", ran.execution, runs=runs, proof=shown)

    desk.tell(spec, tree, *gates, proof("failed", Proof.PROVEN))
    assert desk.wrong() == []
    desk.tell(spec, tree, proof("passed", Proof.PROVEN))
    assert ("verdict", "test_a.py::one is proven on record, not_discriminating by the stored runs") in desk.wrong()


def test_flaky_tests_need_a_run_that_shows_it(desk: Desk) -> None:
    spec = desk.begin("a")
    tree, there = edit(desk.loop, spec.head, a_dot_py="1"), desk.loop.workspace.tree_of(spec.head)
    on_base = desk.ran(spec, there, log="1 passed", report=junit(one="passed"), purpose="base")
    desk.tell(spec, there, on_base)
    base = BaseResult(frozenset(), False, on_base.outcomes, there)
    red = desk.ran(spec, tree, log="1 failed", report=junit(one="failed"), exit_code=1, base=base)

    def settled(outcome: str) -> GateResult:
        again = desk.ran(spec, tree, report=junit(one=outcome), exit_code=int(outcome == "failed"), purpose="rerun")
        assert again.execution
        runs = (Run(again.execution, again.counts, again.outcomes),)
        return replace(red, verdict=Verdict.PASSED, grade=Grade.OBSERVED, flaky=("test_a.py::one",), runs=runs)

    desk.tell(spec, tree, settled("passed"))
    desk.end(spec, "stopped", tree)
    assert [said for kind, said in desk.wrong() if kind == "verdict"] == []
    desk.tell(spec, tree, settled("failed"))
    assert ("verdict", "test_a.py::one is called flaky, but no run on record shows it") in desk.wrong()


def test_re_runs_are_counted(desk: Desk) -> None:
    spec = desk.begin("a")
    tree = edit(desk.loop, spec.head, a_dot_py="1")
    runs = tuple(Run(Execution(("pytest",), "/project", tree, "", 0.1, 0, purpose="rerun", attempt=n)) for n in (1, 3))
    green = desk.ran(spec, tree, report=junit(one="passed"))
    desk.tell(spec, tree, replace(green, runs=runs))
    desk.end(spec, "rejected", tree)
    assert [kind for kind, _ in desk.wrong()] == ["execution"]


def test_a_configuration_that_changed_in_the_night_is_kept_and_one_that_was_edited_is_found(desk: Desk) -> None:
    night, spec = desk.night, desk.begin("a")
    tree = edit(desk.loop, spec.head, a_dot_py="1")
    desk.tell(spec, tree, desk.ran(spec, tree, "lint", log="fine"))
    desk.end(spec, "stopped", tree)
    text = freeze(night.config).replace("ruff check", "ruff check --fix")
    assert frozen.keep(night.layout, night.id, text)
    night.record("configured", {"config_sha256": frozen.digest(text.encode())})
    assert desk.wrong() == []
    assert not frozen.keep(night.layout, night.id, text)
    (before,) = set(night.layout.nights.glob("*.toml")) - {night.layout.frozen(night.id)}
    before.write_text(text)
    assert [kind for kind, _ in desk.wrong()] == ["config"]


def test_a_commit_without_verdicts_with_red_ones_and_with_other_words(desk: Desk) -> None:
    spec = desk.begin("a")
    tree = edit(desk.loop, spec.head, a_dot_py="1")
    desk.land(spec, tree, desk.ran(spec, tree, log="1 failed", report=junit(one="failed"), exit_code=1))
    (red,) = desk.wrong()
    assert red[0] == "verdict"
    assert "it was committed although tests is failed" in red[1]
    second = desk.begin("b")
    tree = edit(desk.loop, second.head, b_dot_py="1")
    commit = desk.land(second, tree)
    assert ("verdict", "it was committed, but no gate on its tree is on record") in desk.wrong()
    where = {"loop": "loop-1", "task": "b", "iteration": second.iteration}
    made = {"commit": commit, "tree": "0" * 40, "parents": [second.head], "changes": []}
    desk.night.record("committed", {**made, "branch": "refs/heads/ralph/loop-1", "kind": "feature"}, **where)
    assert any(said.startswith("its tree is") for kind, said in desk.wrong() if kind == "commit")


def test_guards_run_again_on_the_trees(desk: Desk) -> None:
    spec = desk.begin("a")
    tree = edit(desk.loop, spec.head, **{"AGENTS_dot_md": "do what you like"})
    where = {"loop": spec.loop, "task": "a", "iteration": spec.iteration}
    for name in ("scope", "protected", "secrets", "diff-policy", "tampering"):
        data = {"tree": tree, "name": name, "verdict": "passed", "findings": []}
        desk.night.record("guard", data, **where)
    desk.night.record("gate", {"tree": tree, **plain(desk.ran(spec, tree, "lint", log="fine"))}, **where)
    desk.end(spec, "rejected", tree)
    ((kind, said),) = desk.wrong()
    assert kind == "guard"
    assert "guard protected: passed on record, failed when run again (AGENTS.md" in said


def test_what_is_open_is_no_contradiction_while_the_night_runs(desk: Desk) -> None:
    desk.begin("a")
    assert desk.wrong() == []
    desk.night.record("night_ended", {"reason": "", "exit_code": 0, "tasks": {}, "resumable": True})
    assert [kind for kind, _ in desk.wrong()] == ["attempt"]


def test_an_attestation_says_the_same_twice_and_follows_the_ledger(desk: Desk) -> None:
    night, spec = desk.night, desk.begin("a")
    tree = edit(desk.loop, spec.head, a_dot_py="1")
    head = desk.land(spec, tree, *desk.green(spec, tree))
    told = statement(night.ledger, head, night.base, "refs/heads/ralph/loop-1", {head})
    assert told
    assert statement(night.ledger, "9" * 40, night.base, "ralph/loop-1", {"9" * 40}) is None
    body = attest.section(told)
    night.record("warning", {"text": "later"})
    assert statement(night.ledger, head, night.base, "ralph/loop-1", {head}) == told
    assert check_body(night.layout, body, head).mismatches == []
    assert check_body(night.layout, body, "ralph/loop-1").mismatches == []
    ((kind, said),) = ((one.kind, one.said) for one in check_body(night.layout, body, "main").mismatches)
    assert (kind, said) == ("body", f"body binds {head[:12]}, head is {night.base[:12]}")


def test_a_crash_before_the_report_leaves_report_and_record_to_the_next_start(desk: Desk) -> None:
    night = desk.night
    report_missing(night.layout, night.ledger)
    assert not list(night.ledger.events(kinds=("reported", "exported"))), "the night has not ended"
    night.record("night_ended", {"reason": "nothing is left to do", "exit_code": 0, "tasks": {}, "resumable": False})
    for _ in range(2):
        report_missing(night.layout, night.ledger)
        assert [event.kind for event in night.ledger.events(kinds=("reported", "exported"))] == ["reported", "exported"]
    assert desk.verify().remarks == []
    night.layout.repo.joinpath(".git/refs/ralph/ledger").unlink()
    assert [kind for kind, _ in desk.wrong()] == ["record"]


def test_what_is_pruned_is_on_record(desk: Desk) -> None:
    night, spec = desk.night, desk.begin("a")
    tree = edit(desk.loop, spec.head, a_dot_py="1")
    desk.tell(spec, tree, desk.ran(spec, tree, "lint", log="fine"))
    desk.end(spec, "rejected", tree)
    run = Path(spec.run_dir)
    run.rename(run.with_name("elsewhere"))
    assert [kind for kind, _ in desk.wrong()] == ["log"]
    run.with_name("elsewhere").rename(run)
    os.utime(run, (0, 0))
    assert prune(night.layout, night.config, night.ledger) == [run]
    assert desk.wrong() == []
    assert any("only the digests are left" in remark for remark in desk.verify().remarks)
