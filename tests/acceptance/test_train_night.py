"""Two tasks that are green alone and red together: the night says so, and what lands can be taken out again."""

from __future__ import annotations

import json

from project import Project, wait_until

GATE = '[[gates]]\nname = "scripts"\ncommand = "for check in ./*.sh; do sh $check || exit 1; done"\nshell = true\n'

AGENT = """
case "$RALPH_TASK_ID" in
rename)
    mv area.txt square.txt ;;
caller)
    echo "test -e area.txt" > use.sh ;;
*)
    echo "$RALPH_TASK_ID" > "$RALPH_TASK_ID.txt" ;;
esac
"""
TASKS = (
    {"id": "rename", "files": ["area.txt", "square.txt"], "priority": 1, "kind": "test"},
    {"id": "caller", "files": ["use.sh"], "priority": 2, "kind": "test"},
    {"id": "plain", "files": ["plain.txt"], "priority": 3, "kind": "test"},
)


def refs(project: Project) -> str:
    return project.git("for-each-ref", "--format=%(refname) %(objectname)")


def test_a_night_says_what_lands_together_and_undo_takes_it_out(project: Project) -> None:
    project.commit({"area.txt": "side * side\n", "check.sh": "test -e area.txt || test -e square.txt\n"})
    project.configure(night="loops = 3", gates=GATE)
    project.agent(AGENT)
    project.tasks(*TASKS)
    night = project.once(code=4)
    assert set(project.status_of().values()) == {"completed"}
    branch = {event.task: event.data["branch"].removeprefix("refs/heads/") for event in project.events("committed")}
    assert len(set(branch.values())) == 3
    said = f"{branch['rename']} breaks with {branch['caller']} at scripts."
    assert said in night.split("LANDED")[1].splitlines()[2]
    (event,) = project.events("train")
    gates = [row for row in project.events("gate") if row.iteration == event.iteration]
    assert gates and all(row.data["execution"]["log_sha256"] for row in gates if row.data["execution"])
    assert f"does not land: it breaks with {branch['caller']}" in night
    assert "ralph undo caller" in night
    assert "ralph undo rename" not in night

    assert "the record holds" in project.ralph("verify").stdout
    before = refs(project)
    again = project.ralph("train", code=4)
    assert said in again.stdout
    assert "gates on" in again.stderr
    assert refs(project) == before
    assert len(project.events("train")) == 2

    head = project.git("rev-parse", branch["plain"])
    done = project.json("undo", "plain")
    assert (done["how"], done["branch"], done["onto"]) == ("ref", "refs/heads/ralph-undo/plain", branch["plain"])
    assert project.git("rev-parse", "ralph-undo/plain^") == head
    assert project.git("diff", "--name-only", "main", "ralph-undo/plain") == ""
    assert project.git("log", "-1", "--format=%(trailers:key=Ralph-Undo,valueonly)", "ralph-undo/plain") == "plain"
    assert done["next"] == f"git switch {branch['plain']} && git merge ralph-undo/plain"
    assert "scripts: exit 0" in done["gates"][0]
    assert project.json("undo", "plain")["how"] == "unchanged"
    (one, _) = project.events("undone")
    assert one.task == "plain"

    project.git("merge", "-q", "--no-edit", branch["caller"])
    main = project.git("rev-parse", "main")
    done = project.ralph("undo", "caller").stdout
    assert "ralph-undo/caller is main without caller" in done
    assert "Next: `git switch main && git merge ralph-undo/caller`" in done
    assert project.git("rev-parse", "main") == main
    assert project.git("diff", "--name-only", "main", "ralph-undo/caller") == "use.sh"


def test_undo_refuses_what_is_red_and_what_others_build_on(project: Project) -> None:
    project.commit({"check.sh": "test ! -e two.sh || test -e one.txt\n"})
    project.configure(gates=GATE)
    project.agent(
        'case "$RALPH_TASK_ID" in one) echo 1 > one.txt ;; two) echo true > two.sh ;; *) echo 3 > one.txt ;; esac'
    )
    project.tasks({"id": "one", "priority": 1, "kind": "test"}, {"id": "two", "priority": 2, "kind": "test"})
    project.once()
    refused = project.ralph("undo", "one", code=4).stdout
    assert "refused: without one, scripts is red on ralph/loop-1" in refused
    assert "Next: `ralph undo one --force`" in refused
    assert not project.git("for-each-ref", "refs/heads/ralph-undo")
    forced = project.ralph("undo", "one", "--force").stdout
    assert "red without it: scripts" in forced
    assert project.git("rev-parse", "ralph-undo/one^") == project.git("rev-parse", "ralph/loop-1")
    rows = project.rows()
    project.tasks(rows["one"], rows["two"], {"id": "three", "kind": "test"})
    project.once()
    built = project.ralph("undo", "one", code=1).stderr
    assert "one can't be taken out: one.txt was changed further" in built
    assert "undo three first" in built
    assert "nothing was ever committed" in project.ralph("undo", "four", code=1).stderr


def test_a_stop_ends_the_train_at_once(project: Project) -> None:
    """The gate is quick on each branch and slow on both together."""
    slow = '[[gates]]\nname = "slow"\ncommand = "test ! -e a.txt || test ! -e b.txt || sleep 100"\nshell = true\n'
    project.configure(night="loops = 2", gates=slow)
    project.tasks({"id": "a", "files": ["a.txt"]}, {"id": "b", "files": ["b.txt"]})
    project.begin()
    wait_until(lambda: project.json("status").get("train", "").startswith("gates on"), "the train")
    assert "Train: gates on ralph/loop-" in project.ralph("status").stdout
    project.ralph("stop", "--now")
    (event,) = project.events("train")
    assert event.data["stopped"]
    assert [one["why"] for one in event.data["left"]] == ["untried", "untried"]
    text = next((project.root / "progress").glob("*-report.md")).read_text()
    assert "Not everything was tried" in text


def test_a_train_that_was_killed_is_run_from_nothing(project: Project) -> None:
    command = "test ! -e a.txt || test ! -e b.txt || sleep 3"
    gate = f'[[gates]]\nname = "slow"\ncommand = "{command}"\nshell = true\n'
    project.configure(night="loops = 2", gates=gate)
    project.tasks({"id": "a", "files": ["a.txt"]}, {"id": "b", "files": ["b.txt"]})
    project.begin()
    wait_until(lambda: project.json("status").get("train", "").startswith("gates on"), "the train")
    project.kill()
    assert project.events("train") == []
    project.once()
    (event,) = project.events("train")
    assert len(event.data["land"]) == 2
    assert event.data["stopped"] == ""
    assert [row.iteration[-1] for row in project.events("train_began")] == ["1", "2"]
    assert "the record holds" in project.ralph("verify").stdout


def test_trains_and_undoing_beside_a_daemon(project: Project) -> None:
    """The daemon alone writes the ledger: what is found stands in the run directory."""
    project.configure(night="loops = 3", gates=GATE)
    project.commit({"check.sh": "true\n"})
    project.agent('[ $RALPH_TASK_ID = slow ] && sleep 100; echo work > "$RALPH_TASK_ID.txt"')
    project.tasks(*({"id": id, "files": [f"{id}.txt"], "kind": "test"} for id in ("slow", "a", "b")))
    project.begin()
    wait_until(lambda: len(project.events("delivered")) == 2, "two branches")
    found = project.json("train")
    assert sorted(one["tasks"][0] for one in found["land"]) == ["a", "b"]
    assert found["recorded"] is False
    undone = project.json("undo", "a")
    assert (undone["how"], undone["recorded"]) == ("ref", False)
    assert project.events("train", "undone") == []
    kept = project.where.run("by-hand.train.1") / "train.json"
    assert json.loads(kept.read_text())["land"] == found["land"]
    project.ralph("stop", "--now")
    assert "the record holds" in project.ralph("verify").stdout
