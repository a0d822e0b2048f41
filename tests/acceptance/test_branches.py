"""What a person does with a loop's branch between two nights decides where it starts again."""

from __future__ import annotations

from project import Project

AGENT = "echo $RALPH_TASK_ID > $RALPH_TASK_ID.txt"


def first_night(project: Project) -> str:
    """One task on one loop; returns the commit."""
    project.configure()
    project.agent(AGENT)
    project.tasks("one")
    project.once()
    return project.git("rev-parse", "ralph/loop-1")


def second_task(project: Project) -> None:
    data = project.rows()
    project.tasks(data["one"], {"id": "two", "depends_on": ["one"]})


def test_squashed_work_has_landed(project: Project) -> None:
    old = first_night(project)
    project.git("merge", "--squash", "ralph/loop-1")
    project.git("commit", "-qm", "One, squashed")
    project.git("branch", "-D", "ralph/loop-1")
    second_task(project)
    project.once()
    assert project.status_of() == {"one": "completed", "two": "completed"}
    assert project.git("rev-parse", "ralph/loop-1^") == project.git("rev-parse", "main")
    assert old in project.git("for-each-ref", "--format=%(objectname)", "refs/heads/ralph-attic").split()
    assert len(project.events("landed")) == 1


def test_work_that_was_turned_down_waits_for_a_word(project: Project) -> None:
    first_night(project)
    project.git("branch", "-D", "ralph/loop-1")
    second_task(project)
    out = project.once(code=4)
    assert project.status_of() == {"one": "needs_human", "two": "pending"}
    assert "closed without a merge" in out
    assert not project.git("for-each-ref", "refs/heads/ralph/loop-1"), "nothing was done on it"
    project.ralph("tasks", "retry", "one")
    project.once()
    assert project.status_of() == {"one": "completed", "two": "completed"}
    assert project.git("log", "--format=%s", "main..ralph/loop-1").splitlines() == ["Do two", "Do one"]
