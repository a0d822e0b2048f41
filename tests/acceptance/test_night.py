"""Whole nights with the installed program: what is committed was proven, and nothing else was touched."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from project import Project

from ralph.vcs.user import snapshot_state

UNITTEST = '[[gates]]\nname = "tests"\ncommand = "python -m unittest discover -v"\nkind = "tests"\n'
LINT = '[[gates]]\nname = "lint"\ncommand = "python -m compileall -q ."\nkind = "lint"\ncost = "cheap"\n'

MODULE = """
echo "$RALPH_TASK_ID" >> "$OUT/ran"
for needed in $(cat "$OUT/needs/$RALPH_TASK_ID" 2>/dev/null); do test -f "mod_$needed.py" || exit 9; done
echo "NAME = '$RALPH_TASK_ID'" > "mod_$RALPH_TASK_ID.py"
cat > "tests/test_$RALPH_TASK_ID.py" <<EOF
import unittest
import mod_$RALPH_TASK_ID as module
class Named(unittest.TestCase):
    def test_name(self):
        self.assertEqual(module.NAME, '$RALPH_TASK_ID')
EOF
"""
NEEDS = {"c": ["a"], "d": ["b"], "e": ["c"], "g": ["a", "c"], "j": ["f"]}


def python_project(project: Project) -> None:
    base = "import unittest\nclass Base(unittest.TestCase):\n    def test_base(self):\n        pass\n"
    project.commit({"tests/__init__.py": "", "tests/test_base.py": base, "first.py": "x = 1\n"})


def things_of_the_user(repo: Path) -> None:
    """Whatever a person may have lying about: staged, changed, untracked, stashed, a hook, settings."""
    for args in (["stash"], ["config", "alias.st", "status"], ["tag", "v1"], ["branch", "mine"]):
        if args == ["stash"]:
            (repo / "README.md").write_text("stashed\n")
        subprocess.run(["git", *args], cwd=repo, check=True, capture_output=True)
    (repo / "README.md").write_text("# changed, not committed\n")
    (repo / "staged.txt").write_text("staged\n")
    subprocess.run(["git", "add", "staged.txt"], cwd=repo, check=True)
    (repo / "untracked").mkdir()
    (repo / "untracked/note").write_text("mine\n")
    (repo / "AGENTS.md").write_text("not tracked\n")
    hook = repo / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch /tmp/ralph-hook-ran\n")
    hook.chmod(0o755)


def test_ten_tasks_on_three_loops(project: Project) -> None:
    python_project(project)
    project.ralph("init")
    project.configure(night="loops = 3", gates=LINT + UNITTEST)
    (project.outside / "needs").mkdir()
    for task, needed in NEEDS.items():
        (project.outside / "needs" / task).write_text(" ".join(needed))
    project.agent(MODULE)
    project.tasks(*({"id": id, "depends_on": NEEDS.get(id, [])} for id in "abcdefghij"))
    things_of_the_user(project.root)
    before = snapshot_state(project.root)

    project.once()

    assert snapshot_state(project.root) == before
    assert set(project.status_of().values()) == {"completed"}
    assert sorted(project.lines("ran")) == list("abcdefghij")
    assert project.survivors() == []
    project.sound()
    the_commits_are_proven(project)
    the_record_can_be_read(project)


def the_commits_are_proven(project: Project) -> None:
    committed = project.events("committed")
    assert sorted(event.task for event in committed) == list("abcdefghij")
    gates = project.events("gate")
    for event in committed:
        commit, tree = event.data["commit"], event.data["tree"]
        assert project.git("rev-parse", f"{commit}^{{tree}}") == tree
        passed = {g.data["name"]: g.data for g in gates if g.data["tree"] == tree and g.data["verdict"] == "passed"}
        assert set(passed) == {"lint", "tests", "proof", "strength"}
        assert passed["proof"]["proof"]["grade"] == "proven"
        assert passed["tests"]["counts"]["collected"] >= 2
        assert passed["tests"]["counts"]["failed"] == 0
        trailers = project.git("log", "-1", "--format=%(trailers:unfold)%an|%cn", commit).splitlines()
        assert trailers[-1] == "Ada Tester|ralph"
        assert {f"Ralph-Task: {event.task}", f"Ralph-Iteration: {event.iteration}"} <= set(trailers)
        assert {f"Ralph-Night: {event.night}", f"Ralph-Loop: {event.loop}"} <= set(trailers)
        note = [json.loads(line) for line in project.git("notes", "--ref=ralph", "show", commit).splitlines()]
        assert {row["name"] for row in note if row["event"] == "gate"} == set(passed)
        assert all(row["tree"] == tree for row in note if row["event"] in ("gate", "committed"))
    heads = {event.data["branch"]: event.data["commit"] for event in committed}
    for branch, commit in heads.items():
        assert project.git("rev-parse", branch) == commit


def the_record_can_be_read(project: Project) -> None:
    committed, began = project.events("committed"), project.events("began")
    loops = {event.loop for event in committed}
    pulls = project.json("prs")
    assert sorted(pull["branch"] for pull in pulls) == sorted(f"ralph/{loop}" for loop in loops)
    assert {pull["head"] for pull in pulls} == {project.git("rev-parse", f"ralph/{loop}") for loop in loops}

    report = project.report()
    assert report["totals"]["iterations"] == len(began)
    assert report["totals"]["commits"] == len(committed) == 10
    assert report["totals"]["files"] == 20
    assert report["totals"]["outcomes"] == {"landed": 10}
    assert report["totals"]["iteration_outcomes"] == dict(Counter(e.data["outcome"] for e in project.events("ended")))
    assert {t["id"]: t["commit"] for t in report["tasks"]} == {e.task: e.data["commit"] for e in committed}
    assert {t["grade"] for t in report["tasks"]} <= {"verified", "observed"}
    assert len(report["pull_requests"]) == len(loops)

    (night,) = project.events("night_ended")
    assert night.data["exit_code"] == 0
    assert sum(row["unmetered_iterations"] for row in project.json("cost")["rows"]) == len(began)
    (count,) = project.json("query", "select count(*) as n from iterations where outcome = 'committed'")
    assert count == {"n": 10}
    shown = project.json("evidence", "e")
    assert {row["gate"] for row in shown} >= {"lint", "tests", "proof"}
    assert all("(unchanged)" in row["log"] for row in shown if row["log"])
    pages = list((project.root / "progress").glob("*report.md"))
    assert len(pages) == 1
    assert project.status_of() == dict.fromkeys("abcdefghij", "completed")


def test_dry_run_starts_nothing(project: Project) -> None:
    project.configure("[limits]\nnight_iterations = 7", night="loops = 2")
    project.tasks({"id": "later", "depends_on": ["first"]}, {"id": "first", "priority": 1})
    plan = json.loads(project.ralph("start", "--dry-run", "--json").stdout)
    assert [row["task"] for row in plan["tasks"]] == ["first", "later"]
    assert len(plan["loops"]) == 2
    assert plan["caps"]["night_iterations"] == 7
    assert not project.where.root.exists()
    assert "first" in project.ralph("start", "--dry-run").stdout


def test_a_red_base_is_refused_or_compared(project: Project) -> None:
    python_project(project)
    red = "import unittest\nclass Old(unittest.TestCase):\n    def test_old(self):\n        self.fail('long red')\n"
    project.commit({"tests/test_old.py": red})
    project.agent(MODULE)
    project.tasks("a", "b")
    project.configure(gates=UNITTEST)
    refused = project.ralph("start", "--once", code=4)
    assert "the base is red: tests: " in refused.stdout
    assert "test_old" in refused.stdout
    assert "allow_red_base" in refused.stdout
    assert project.lines("ran") == []

    breaking = MODULE + "\n[ $RALPH_TASK_ID = a ] || echo 'def broken(:' > tests/test_b.py"
    project.agent(breaking)
    project.configure("[limits]\ntask_iterations = 1", night="loops = 1\nallow_red_base = true", gates=UNITTEST)
    project.once(code=4)
    assert project.status_of() == {"a": "completed", "b": "failed"}
    report = project.report()
    assert any("test_old" in json.dumps(entry) for entry in report["not_verified"] + report["tasks"])
    project.sound()


def test_without_a_sandbox_when_it_is_written_and_said(project: Project) -> None:
    project.configure(mode="none")
    project.tasks("a")
    project.agent('test "$PWD" != "$OUT" || exit 1; echo work > a.txt')
    before = snapshot_state(project.root)
    text = project.once()
    assert project.status_of() == {"a": "completed"}
    assert "sandbox none" in text
    assert project.report()["sandbox"] == "none"
    assert snapshot_state(project.root) == before


def test_no_sandbox_and_none_allowed_is_a_refusal(project: Project) -> None:
    project.configure(mode="bwrap")
    project.tasks("a")
    empty = project.outside / "bin"
    empty.mkdir()
    for name in ("git", "true", "sh"):
        (empty / name).symlink_to(shutil.which(name) or "/missing")
    done = project.ralph("start", "--once", code=None, PATH=str(empty))
    assert done.returncode == 1
    assert "no sandbox works here" in done.stdout + done.stderr
    assert project.lines("ran") == []


def test_one_branch_for_each_task(project: Project) -> None:
    project.configure(night='loops = 2\nbranch_per = "task"')
    project.agent('test "$RALPH_TASK_ID" != c || test -f a.txt || exit 9; echo work > "$RALPH_TASK_ID.txt"')
    project.tasks("a", "b", {"id": "c", "depends_on": ["a", "b"]})
    project.once()
    assert set(project.status_of().values()) == {"completed"}
    assert sorted(project.branches()) == ["ralph-task/a", "ralph-task/b", "ralph-task/c"]
    assert project.commits("ralph-task/a") == ["a"]
    assert project.commits("ralph-task/b") == ["b"]
    assert set(project.commits("ralph-task/c")) == {"a", "b", "c"}
    assert len(project.json("prs")) == 3
    project.sound()


def test_a_dependency_on_two_loops_is_merged(project: Project) -> None:
    """Both loops hold something that c needs; whoever takes it builds on a gated merge of both."""
    project.configure(night="loops = 2")
    waits = """
    echo "$RALPH_TASK_ID" >> "$OUT/ran"
    case $RALPH_TASK_ID in
    c) test -f a.txt && test -f b.txt || exit 9 ;;
    *) for i in $(seq 200); do [ $(sort -u "$OUT/ran" | wc -l) -ge 2 ] && break; sleep 0.05; done ;;
    esac
    echo work > "$RALPH_TASK_ID.txt"
    """
    project.agent(waits)
    project.tasks("a", "b", {"id": "c", "depends_on": ["a", "b"]})
    project.once()
    assert set(project.status_of().values()) == {"completed"}
    holder = next(event.loop for event in project.events("committed") if event.task == "c")
    assert set(project.commits(f"ralph/{holder}")) == {"a", "b", "c"}
    merge = project.git("rev-parse", f"ralph/{holder}~1")
    assert len(project.git("log", "-1", "--format=%P", merge).split()) == 2
    trees = [event.data["tree"] for event in project.events("gate") if event.task == "c"]
    assert project.git("rev-parse", f"{merge}^{{tree}}") in trees
    (stacked,) = [branch for branch in project.report()["review"] if branch["branch"] == f"ralph/{holder}"]
    assert stacked["after"]
    project.sound()


def test_branches_that_do_not_merge_are_shown(project: Project) -> None:
    project.configure(night="loops = 2")
    waits = """
    echo "$RALPH_TASK_ID" >> "$OUT/ran"
    for i in $(seq 200); do [ $(sort -u "$OUT/ran" | wc -l) -ge 2 ] && break; sleep 0.05; done
    echo "$RALPH_TASK_ID" > same.txt
    """
    project.agent(waits)
    project.tasks("a", "b", {"id": "c", "depends_on": ["a", "b"]})
    project.once(code=4)
    assert project.status_of() == {"a": "completed", "b": "completed", "c": "needs_human"}
    assert set(project.outcomes("c")) == {"conflict"}
    assert "c" not in project.lines("ran")
    (need,) = [need for need in project.report()["needs"] if need["subject"] == "c"]
    assert "same.txt" in need["why"]
    project.sound()


def test_a_branch_that_is_checked_out_is_left_alone(project: Project) -> None:
    project.tasks("a")
    project.once()
    project.git("checkout", "-q", "ralph/loop-1")
    before = snapshot_state(project.root)
    head = project.git("rev-parse", "HEAD")
    project.tasks("a", "b")
    project.once(code=None)
    assert project.git("rev-parse", "HEAD") == head
    assert project.git("status", "--porcelain") == ""
    assert snapshot_state(project.root) == before
    (parked,) = [name for name in project.branches() if "parked" in name]
    assert project.commits(parked) == ["a", "b"]
    (need,) = [need for need in project.report()["needs"] if need["code"] == "parked"]
    assert parked.rpartition("-")[2] in need["command"]


def test_the_next_night_goes_on(project: Project) -> None:
    """An open pull request goes on; after its merge the branch starts from the base and the old head is kept."""
    project.tasks("a")
    project.once()
    project.tasks("a", "b")
    project.once()
    assert project.commits() == ["a", "b"]
    assert len(project.json("prs")) == 1
    project.git("merge", "-q", "--ff-only", "ralph/loop-1")
    project.tasks("a", "b", "c")
    project.once()
    assert project.commits() == ["c"]
    assert len({event.night for event in project.events("night_started")}) == 3
    assert sorted(project.lines("ran")) == ["a", "b", "c"]
    project.sound()


def test_a_dependency_on_a_loop_that_is_gone_is_not_missing(project: Project) -> None:
    """Its branch is still open: whoever takes the task needs that commit, though no loop of the night holds it."""
    project.configure(night="loops = 2")
    waits = """
    echo "$RALPH_TASK_ID" >> "$OUT/ran"
    case $RALPH_TASK_ID in
    a | b) for i in $(seq 200); do [ $(sort -u "$OUT/ran" | wc -l) -ge 2 ] && break; sleep 0.05; done ;;
    *) test -f a.txt && test -f b.txt || exit 9 ;;
    esac
    echo work > "$RALPH_TASK_ID.txt"
    """
    project.agent(waits)
    project.tasks("a", "b")
    project.once()
    project.configure(night="loops = 1")
    project.tasks("a", "b", {"id": "c", "depends_on": ["a", "b"]})
    project.once()
    assert project.status_of()["c"] == "completed"
    assert project.outcomes("c") == ["committed"]
    assert set(project.commits()) == {"a", "b", "c"}
    project.sound()
