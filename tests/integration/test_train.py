"""The night's train on real branches: what lands together, what does not and why, and what comes out again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from loops import commit_all
from nights import commit, night_on

from ralph.config import freeze
from ralph.domain import GateResult
from ralph.engine.night import Night
from ralph.engine.train.examine import bench_for, examine
from ralph.engine.train.gather import candidates, plan_of
from ralph.engine.train.values import Plan, Train
from ralph.host.files import own_directory
from ralph.host.process import Shim

RUNNER = """
import os, sys, traceback
from pathlib import Path
sys.path.insert(0, os.getcwd())
sys.dont_write_bytecode = True
cases, red = [], 0
for path in sorted(Path().glob("test_*.py")):
    try:
        found = dict(vars(__import__(path.stem)))
    except Exception as error:
        found = {"test_import": lambda error=error: (_ for _ in ()).throw(error)}
    for name in [name for name in found if name.startswith("test_")]:
        try:
            found[name]()
            body = ""
        except Exception as error:
            body, red = f"<failure message='{type(error).__name__}'/>", red + 1
        cases.append(f"<testcase classname='{path.stem}' name='{name}'>{body}</testcase>")
report = f"<testsuite tests='{len(cases)}' failures='{red}'>{''.join(cases)}</testsuite>"
Path(os.environ["RALPH_JUNIT"]).write_text(report)
sys.exit(bool(red))
"""
"""Runs functions called test_*; starts faster than pytest, which these tests would call dozens of times."""
TESTS = {"name": "tests", "command": f"{sys.executable} -S -E run.py", "kind": "tests"}


@pytest.fixture
def repo(git_repo: Path) -> Path:
    """A small library with one test."""
    (git_repo / "run.py").write_text(RUNNER)
    (git_repo / "area.py").write_text("def area(side):\n    return side * side\n")
    (git_repo / "test_area.py").write_text("from area import area\n\n\ndef test_area():\n    assert area(2) == 4\n")
    commit_all(git_repo)
    return git_repo


@contextmanager
def night_with(repo: Path, *ids: str | dict[str, Any], loops: int = 3, gate: dict[str, Any] = TESTS) -> Iterator[Night]:
    rows = [row if isinstance(row, dict) else {"id": row} for row in ids]
    with night_on(repo, *rows, loops=loops, gates=[gate]) as night:
        yield night


def plan(night: Night, minutes: float = 5) -> Plan:
    own_directory(night.layout.nights)
    frozen = night.layout.frozen(night.id)
    frozen.write_text(freeze(night.config))
    base = night.mirror.resolve("main")
    some = candidates(night.layout, night.board.tasks, night.rows, base)
    return plan_of(night.layout, night.id, frozen, "none", ("main", base, night.base), some, minutes)


def ride(
    night: Night, minutes: float = 5, known: Sequence[GateResult] = (), said: list[str] | None = None
) -> tuple[Train, list[tuple[str, GateResult]]]:
    """Run the train in this process; returns it and every verdict with its tree."""
    made, told = plan(night, minutes), []
    with Shim.start(-1, made.spec.tag) as shim:
        bench = bench_for(made, shim, (), lambda tree, _, gates: told.extend((tree, gate) for gate in gates))
        found = examine(made, bench, lambda _: known, (said if said is not None else []).append)
    return found, told


def names(found: Train) -> list[str]:
    return [one.branch.removeprefix("ralph/") for one in found.land]


def test_branches_that_fit_land_together_after_one_run(repo: Path) -> None:
    with night_with(repo, "a", "b", "c") as night:
        one, two, three = night.loops.values()
        commit(night, one, "a", cube_dot_py="def cube(side):\n    return side**3\n")
        commit(night, two, "b", test_b_dot_py="def test_b():\n    assert True\n")
        commit(night, three, "c", NOTES_dot_md="notes\n")
        said: list[str] = []
        found, told = ride(night, said=said)
        assert sorted(names(found)) == ["loop-1", "loop-2", "loop-3"]
        assert (found.left, found.stopped, found.skipped, found.moved) == ((), "", "", False)
        assert said[0] == "gates on ralph/loop-1 with ralph/loop-2 with ralph/loop-3"
        first = next(gate for tree, gate in told if tree == found.tree)
        assert first.counts and first.counts.passed == 2
        assert first.execution and first.execution.purpose == "train"
        assert first.execution.run == plan(night).spec.iteration.removesuffix("2") + "1"
        assert {one.task: one.how for one in found.removals} == {"a": "proven", "b": "proven", "c": "proven"}


def test_the_order_hangs_on_the_tasks_and_not_on_who_looked_first(repo: Path) -> None:
    """`ralph train` folds the ledger anew, the night's board has seen the tasks in another order."""
    with night_with(repo, "a", "b") as night:
        one, two, _ = night.loops.values()
        commit(night, two, "a", a_dot_md="a\n")
        commit(night, one, "b", b_dot_md="b\n")
        base, states = night.mirror.resolve("main"), night.board.tasks
        both = [states, dict(reversed(states.items()))]
        found = [candidates(night.layout, some, night.rows, base) for some in both]
        assert [[(each.branch, each.first) for each in some] for some in found] == [
            [("ralph/loop-2", 0), ("ralph/loop-1", 1)]
        ] * 2


def test_nothing_outside_its_own_directory_changes(repo: Path) -> None:
    from ralph.vcs.user import snapshot_state

    with night_with(repo, "a", "b") as night:
        one, two, _ = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, two, "b", b_dot_txt="b\n")
        before = snapshot_state(repo), [loop.workspace.git.run("show-ref") for loop in night.loops.values()]
        found, _told = ride(night)
        assert len(found.land) == 2
        assert (
            snapshot_state(repo),
            [loop.workspace.git.run("show-ref") for loop in (*night.loops.values(),)],
        ) == before
        assert not one.workspace.knows(found.commit), "the combination lies in the scratch directory only"


def test_a_textual_conflict_names_the_paths_and_costs_no_run(repo: Path) -> None:
    with night_with(repo, "a", "b", "c") as night:
        one, two, three = night.loops.values()
        commit(night, one, "a", area_dot_py="def area(side):\n    return side**2\n")
        commit(night, two, "b", area_dot_py="def area(edge):\n    return edge * edge\n")
        commit(night, three, "c", NOTES_dot_md="notes\n")
        found, _ = ride(night)
        assert names(found) == ["loop-3", "loop-1"]
        (left,) = found.left
        assert (left.branch, left.why, left.beside, left.at) == (
            "ralph/loop-2",
            "conflict",
            ("ralph/loop-1",),
            ("area.py",),
        )


def test_branches_green_alone_and_red_together_are_found_with_the_test(repo: Path) -> None:
    """One renames a function and its callers, the other adds a caller of the old name."""
    with night_with(repo, "rename", "caller", "other") as night:
        one, two, three = night.loops.values()
        renamed = "from area import square\n\n\ndef test_area():\n    assert square(2) == 4\n"
        commit(
            night, one, "rename", area_dot_py="def square(side):\n    return side * side\n", test_area_dot_py=renamed
        )
        user = "def test_floor():\n    import area\n\n    assert area.area(3) == 9\n"
        commit(night, two, "caller", test_use_dot_py=user)
        commit(night, three, "other", NOTES_dot_md="notes\n")
        found, told = ride(night)
        assert names(found) == ["loop-2", "loop-3"]
        (left,) = found.left
        assert (left.branch, left.why, left.beside) == ("ralph/loop-1", "red", ("ralph/loop-2",))
        assert left.at == ("test_use::test_floor",)
        again = [gate for _, gate in told if any(run.execution.purpose == "rerun" for run in gate.runs)]
        assert again, "a red run is believed after a second one only"


def test_what_builds_on_a_branch_that_is_left_out_is_left_out(repo: Path) -> None:
    with night_with(repo, "rename", "caller", {"id": "more", "depends_on": ["caller"]}) as night:
        one, two, three = night.loops.values()
        floor = "def test_floor():\n    import area\n\n    assert area.area(3) == 9\n"
        commit(night, one, "caller", test_floor_dot_py=floor, x_dot_txt="x\n", y_dot_txt="y\n")
        commit(night, three, "more", more_dot_txt="more\n")
        renamed = "from area import square\n\n\ndef test_area():\n    assert square(2) == 4\n"
        commit(
            night,
            two,
            "rename",
            area_dot_py="def square(side):\n    return side * side\n",
            test_area_dot_py=renamed,
        )
        some = {one.branch: one for one in plan(night).candidates}
        assert some["ralph/loop-3"].after == ("ralph/loop-1",)
        found, _ = ride(night)
        assert names(found) == ["loop-2"]
        assert [(one.branch, one.why, one.beside) for one in found.left] == [
            ("ralph/loop-1", "red", ("ralph/loop-2",)),
            ("ralph/loop-3", "behind", ("ralph/loop-1",)),
        ]


def test_the_checks_of_the_tasks_are_gates_of_the_train(repo: Path) -> None:
    row = {"id": "a", "checks": ["test -e README.md"]}
    with night_with(repo, row, "b", gate={"name": "ok", "command": "true"}) as night:
        one, two, _ = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, two, "b", README_dot_md=None)
        found, _ = ride(night)
        (left,) = found.left
        assert left.at == ("check-1",)
        assert {left.branch, *left.beside} == {"ralph/loop-1", "ralph/loop-2"}


def test_the_check_of_a_task_is_not_asked_of_what_is_left_without_it(repo: Path) -> None:
    rows = [{"id": id, "checks": [f"test -e {id}.txt"]} for id in ("a", "b")]
    with night_with(repo, *rows, loops=1, gate={"name": "ok", "command": "true"}) as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, one, "b", b_dot_txt="b\n")
        found, _ = ride(night)
        assert [(one.task, one.how) for one in found.removals] == [("a", "proven"), ("b", "proven")]


def test_a_branch_that_is_red_on_the_base_as_it_is_now_is_named_alone(repo: Path) -> None:
    with night_with(repo, "a", "b") as night:
        one, two, _ = night.loops.values()
        commit(night, one, "a", test_old_dot_py="def test_old():\n    import area\n\n    assert area.area(3) == 9\n")
        commit(night, two, "b", b_dot_txt="b\n")
        (repo / "area.py").write_text("def square(side):\n    return side * side\n")
        (repo / "test_area.py").write_text("from area import square\n\n\ndef test_area():\n    assert square(2) == 4\n")
        commit_all(repo)
        found, _ = ride(night)
        assert found.moved
        assert names(found) == ["loop-2"]
        (left,) = found.left
        assert (left.branch, left.why, left.beside) == ("ralph/loop-1", "red", ())


def test_a_test_that_is_red_on_the_base_blocks_no_branch(repo: Path) -> None:
    with night_with(repo, "a", "b") as night:
        one, two, _ = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, two, "b", test_bad_dot_py="def test_bad():\n    assert 0\n")
        (repo / "test_area.py").write_text("def test_area():\n    assert 0\n")
        commit_all(repo)
        found, _ = ride(night)
        assert names(found) == ["loop-1"]
        (left,) = found.left
        assert "test_bad" in left.at[0]
        assert not any("test_area" in name for name in left.at)


def test_what_is_red_on_the_base_keeps_nothing_in(repo: Path) -> None:
    """One branch on a base that was red when the night began: neither has to be run together with anything."""
    with night_with(repo, "a", loops=1) as night:
        (repo / "test_area.py").write_text("def test_area():\n    assert 0\n")
        base = commit_all(repo)
        night.base = night.mirror.resolve("main")
        (one,) = night.loops.values()
        assert one.workspace.advance("refs/heads/ralph/loop-1", base, one.head)
        one.head, one.head_tree = base, one.workspace.tree_of(base)
        commit(night, one, "a", a_dot_txt="a\n")
        found, _ = ride(night)
        assert "only one branch" in found.skipped
        assert [(one.task, one.how) for one in found.removals] == [("a", "proven")]


def test_a_base_that_is_red_without_naming_tests_says_nothing_of_branches(repo: Path) -> None:
    gate = {"name": "mute", "command": "test ! -e broken", "shell": True}
    with night_with(repo, "a", "b", gate=gate) as night:
        one, two, _ = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, two, "b", b_dot_txt="b\n")
        (repo / "broken").write_text("")
        commit_all(repo)
        found, _ = ride(night)
        assert (found.land, found.ground) == ((), "mute: exit 1")
        assert {one.why for one in found.left} == {"untried"}


def test_a_flaky_test_leaves_no_branch_out(repo: Path, tmp_path: Path) -> None:
    """Fails at the first look, passes at the second."""
    mark = tmp_path / "seen"
    script = f"if [ -e b.txt ] && [ ! -e {mark} ]; then touch {mark}; exit 1; fi"
    gate = {"name": "shaky", "command": script, "shell": True}
    with night_with(repo, "a", "b", gate=gate) as night:
        one, two, _ = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, two, "b", b_dot_txt="b\n")
        found, told = ride(night)
        assert len(found.land) == 2
        assert found.flaky == ("shaky",)
        (gate_result,) = [one for _, one in told if one.advisory]
        assert gate_result.verdict == "failed" and gate_result.reason.startswith("flaky: ")
        assert [run.execution.attempt for run in gate_result.runs] == [2]


def test_a_time_box_that_is_over_says_what_was_not_tried(repo: Path) -> None:
    gate = {"name": "slow", "command": "sleep 30"}
    with night_with(repo, "a", "b", gate=gate) as night:
        one, two, _ = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, two, "b", b_dot_txt="b\n")
        found, _ = ride(night, minutes=0.02)
        assert found.land == ()
        assert found.stopped == "the time box of 0.02 min ended"
        assert [(one.branch, one.why) for one in found.left] == [
            ("ralph/loop-1", "untried"),
            ("ralph/loop-2", "untried"),
        ]
        assert found.seconds < 15


def test_one_branch_alone_is_not_run_again(repo: Path) -> None:
    with night_with(repo, "a", loops=1) as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        found, _ = ride(night)
        assert names(found) == ["loop-1"]
        assert "only one branch" in found.skipped
        assert found.commit == one.head
        assert [(one.task, one.how) for one in found.removals] == [("a", "proven")]


def test_squashed_work_is_no_branch_of_the_train(repo: Path) -> None:
    with night_with(repo, "a", loops=1) as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        (repo / "a.txt").write_text("a\n")
        commit_all(repo)
        found, _ = ride(night)
        assert (found.land, found.left) == ((), ())
        assert "does not have" in found.skipped


def test_known_verdicts_are_taken_over(repo: Path) -> None:
    with night_with(repo, "a", "b") as night:
        one, two, _ = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, two, "b", b_dot_txt="b\n")
        first, told = ride(night)
        known = [gate for tree, gate in told if tree == first.tree]
        found, told = ride(night, known=known)
        runs = [gate.execution.run for _, gate in told if gate.execution]
        assert found.land == first.land
        assert {run.rsplit(".", 1)[1] for run in runs} == {"1"}, "nothing was executed by the second train"


def test_what_others_build_on_can_not_be_taken_out(repo: Path) -> None:
    """The first task writes a function, the second changes it, the third calls it."""
    rows = ["a", {"id": "b", "depends_on": ["a"]}, {"id": "c", "depends_on": ["a"]}, "d", "e", "f"]
    with night_with(repo, *rows, loops=1) as night:
        (one,) = night.loops.values()
        commit(night, one, "a", cube_dot_py="def cube(side):\n    return side**3\n")
        commit(night, one, "b", cube_dot_py="def cube(side):\n    return side * side * side\n")
        commit(night, one, "c", test_c_dot_py="from cube import cube\n\n\ndef test_c():\n    assert cube(2) == 8\n")
        commit(night, one, "d", d_dot_txt="d\n")
        commit(night, one, "e", e_dot_py="e = 1\n")
        commit(night, one, "f", test_f_dot_py="import e\n\n\ndef test_f():\n    assert e.e\n")
        found, _ = ride(night)
        shown = {one.task: one for one in found.removals}
        assert {task: one.how for task, one in shown.items()} == {
            "a": "conflict",
            "b": "proven",
            "c": "proven",
            "d": "proven",
            "e": "red",
            "f": "proven",
        }
        assert shown["a"].at == ("cube.py",)
        assert shown["a"].builders == ("b", "c")
        assert shown["e"].at == ("test_f::test_import",)


def test_what_a_task_depends_on_stays_in_without_a_run(repo: Path) -> None:
    with night_with(repo, "a", {"id": "b", "depends_on": ["a"]}, loops=1) as night:
        (one,) = night.loops.values()
        commit(night, one, "a", a_dot_txt="a\n")
        commit(night, one, "b", b_dot_txt="b\n")
        said: list[str] = []
        found, _ = ride(night, said=said)
        assert [(one.task, one.how, one.builders) for one in found.removals] == [
            ("a", "needed", ("b",)),
            ("b", "proven", ()),
        ]
        assert said == ["gates on everything without b"]
