"""The person's hand on a running night: stop, pause, edits of tasks.json; and what goes on afterwards."""

from __future__ import annotations

import json
import os
import signal

from project import Project, wait_until

WAITS = """
echo "$RALPH_TASK_ID" >> $OUT/ran
[ -e half.txt ] && echo "$RALPH_TASK_ID" >> $OUT/went-on
echo half > half.txt
while [ ! -e $OUT/go-$RALPH_TASK_ID ]; do sleep 0.02; done
rm half.txt
echo work > "$RALPH_TASK_ID.txt"
"""


def running(project: Project, task: str) -> None:
    wait_until(lambda: task in project.lines("ran"), f"the agent of {task} works")


def let(project: Project, *tasks: str) -> None:
    for task in tasks:
        (project.outside / f"go-{task}").touch()


def test_stop_lets_running_work_finish(project: Project) -> None:
    project.agent(WAITS)
    project.tasks("a", "b")
    project.begin()
    running(project, "a")
    second = project.ralph("start", "--now", code=1)
    assert "already runs" in second.stderr
    assert str(project.pid()) in second.stderr
    project.ralph("stop", "--no-wait")
    wait_until(lambda: project.json("status")["draining"], "the night drains")
    assert project.pid()
    let(project, "a", "b")
    project.ended()
    assert project.status_of() == {"a": "completed", "b": "pending"}
    assert project.lines("ran") == ["a"]
    (ended,) = project.events("night_ended")
    assert "ralph stop" in ended.data["reason"]
    assert project.json("prs")[0]["branch"] == "ralph/loop-1"
    project.sound()


def test_stop_now_keeps_the_work(project: Project) -> None:
    """`stop --now` and SIGTERM end agents; the next start goes on from their tree, and no attempt is counted."""
    project.agent(WAITS)
    project.tasks("a")
    project.begin()
    running(project, "a")
    project.ralph("stop", "--now")
    assert project.survivors() == []
    assert project.outcomes("a") == ["stopped"]
    assert project.status_of() == {"a": "pending"}

    pid = project.begin()
    wait_until(lambda: project.lines("went-on") == ["a"], "the second agent finds the work of the first")
    os.kill(pid, signal.SIGTERM)
    project.ended()
    assert project.outcomes("a") == ["stopped", "stopped"]
    assert project.survivors() == []

    let(project, "a")
    project.once()
    assert project.outcomes("a") == ["stopped", "stopped", "committed"]
    assert project.lines("went-on") == ["a", "a"]
    assert project.rows()["a"]["attempts"] == 1
    assert not [event for event in project.events("warning") if "crash" in event.data["text"]]
    project.sound()


def test_pause_and_resume(project: Project) -> None:
    project.configure(night="loops = 2")
    project.agent(WAITS)
    project.tasks("a", "b", "c", "d")
    project.begin()
    running(project, "a")
    running(project, "b")
    unknown = project.ralph("pause", "loop-9", code=1)
    assert "loop-1, loop-2" in unknown.stderr
    project.ralph("pause")
    let(project, "a", "b", "c", "d")
    wait_until(lambda: all(loop["step"] == "paused" for loop in project.json("status")["loops"]), "both loops pause")
    assert sorted(project.lines("ran")) == ["a", "b"]
    assert "resumed" in project.ralph("resume", "loop-1").stdout
    project.saw("committed", task="d")
    assert {event.loop for event in project.events("began") if event.task in "cd"} == {"loop-1"}
    project.ended()  # a paused loop does not hold a night open in which nothing is left
    assert set(project.status_of().values()) == {"completed"}
    project.sound()


def test_tasks_are_edited_during_the_night(project: Project) -> None:
    """Cancel a running task, add one, reprioritise, try to write the daemon's fields, delete a row."""
    project.agent(WAITS)
    project.tasks("a", "b", "gone", {"id": "last", "priority": 200})
    project.begin()
    running(project, "a")
    project.edit("a", status="cancelled")
    project.saw("ended", task="a")
    running(project, "b")
    data = json.loads((project.root / "tasks.json").read_text())
    data["tasks"] = [row for row in data["tasks"] if row["id"] != "gone"] + [
        {"id": "new", "title": "New", "kind": "fix"}
    ]
    next(row for row in data["tasks"] if row["id"] == "b").update(status="completed", title="Another title")
    project.replace_tasks(json.dumps(data))
    let(project, "a", "b", "new", "last")
    project.ended()
    assert project.status_of() == {"a": "cancelled", "b": "completed", "last": "completed", "new": "completed"}
    assert project.outcomes("a") == ["stopped"]
    assert project.lines("ran") == ["a", "b", "new", "last"]
    assert project.rows()["b"]["title"] == "Another title"
    assert "gone" not in project.rows()
    assert project.commits() == ["b", "new", "last"]

    project.edit("a", status="pending")
    project.once()
    assert project.status_of()["a"] == "completed"
    project.sound()


def test_a_cancelled_task_may_be_taken_up_again_in_the_same_night(project: Project) -> None:
    project.agent(WAITS)
    project.tasks("a", "b")
    project.begin()
    running(project, "a")
    project.edit("a", status="cancelled")
    running(project, "b")
    wait_until(lambda: project.status_of()["a"] == "cancelled", "the cancellation is taken in")
    project.edit("a", status="pending")
    let(project, "a", "b")
    project.ended()
    assert project.status_of() == {"a": "completed", "b": "completed"}


def test_a_person_retries_a_failed_task(project: Project) -> None:
    project.configure("[limits]\ntask_iterations = 1")
    project.agent('echo x >> $OUT/ran; [ -e $OUT/mended ] || exit 1; echo work > "$RALPH_TASK_ID.txt"')
    project.tasks("a", {"id": "b", "depends_on": ["a"]})
    project.once(code=4)
    assert project.status_of() == {"a": "failed", "b": "pending"}
    assert project.rows()["a"]["result"]["reason"]
    project.once(code=4)
    assert project.lines("ran") == ["x"]
    (project.outside / "mended").touch()
    project.edit("a", status="pending")
    project.once()
    assert project.status_of() == {"a": "completed", "b": "completed"}
    assert project.rows()["a"]["attempts"] == 1


def test_a_broken_file_keeps_the_last_good_one_in_force(project: Project) -> None:
    project.agent(WAITS)
    project.tasks("a", "b")
    project.begin()
    running(project, "a")
    good = (project.root / "tasks.json").read_text()
    broken = good.replace('"b"', '"b')
    project.replace_tasks(broken)
    let(project, "a")
    running(project, "b")
    wait_until(lambda: project.json("status")["problem"], "the problem is shown")
    assert "tasks.json:17:1: not valid JSON" in project.json("status")["problem"]
    assert "last good" in project.ralph("status").stdout
    assert (project.root / "tasks.json").read_text() == broken
    project.replace_tasks(good)
    let(project, "b")
    project.ended()
    assert project.status_of() == {"a": "completed", "b": "completed"}
    assert [e for e in project.events("warning") if "tasks.json" in e.data["text"]]
    project.sound()
