"""SIGKILL of the daemon, anywhere: nothing survives it, nothing is lost, done or paid for twice."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest
from project import Project, wait_until

from ralph.engine.faults import POINTS
from ralph.memory.task_parse import parse

UNPAID = ("began", "worker-told", "agent-ended")
"""Points at which the agent's work is not a tree object yet: it may have to be done again."""


SAMPLE = ("began", "agent-ended", "snapshot", "judged", "intended", "advanced", "ended", "delivering", "noted")
"""A bounded part of POINTS, in their order; the slow matrix has all of them."""


def killed_at(project: Project, point: str, forget: bool = True) -> None:
    """Run until the daemon kills itself at ``point``; ``forget`` earlier crashes, so many would mean safe mode."""
    if forget:
        (project.where.root / "starts.json").unlink(missing_ok=True)
    before = len(project.events("began")) if project.where.ledger.exists() else 0
    done = project.ralph("start", "--once", code=None, RALPH_TESTING="1", RALPH_FAULT=f"kill:{point}")
    assert not project.pid()
    assert done.returncode not in (0, 4), f"the point {point} was not reached: {done.stdout}"
    assert point != "began" or len(project.events("began")) == before + 1


def paid(project: Project) -> dict[str, int]:
    """Per task whose last iteration has its agent's work as a tree object: how often an agent ran so far."""
    last = {event.task: event.iteration for event in project.events("began")}
    kept = {event.iteration for event in project.events("snapshot")}
    ran = Counter(project.lines("ran"))
    return {task: ran[task] for task, iteration in last.items() if iteration in kept}


def whole(project: Project, tasks: list[str]) -> None:
    """Everything is done exactly once, and every record agrees."""
    parse((project.root / "tasks.json").read_bytes(), "tasks.json")
    assert project.status_of() == dict.fromkeys(tasks, "completed")
    loops = {event.loop for event in project.events("committed")}
    heads = [f"ralph/{loop}" for loop in sorted(loops)]
    trailers = project.git("log", "--format=%(trailers:key=Ralph-Task,valueonly,separator=)", *heads, "^main")
    assert sorted(filter(None, trailers.splitlines())) == sorted(tasks), "one commit for each task on all branches"
    assert sorted(event.task for event in project.events("committed")) == sorted(tasks)
    pulls = project.json("prs")
    assert sorted(pull["branch"] for pull in pulls) == sorted(f"ralph/{loop}" for loop in loops)
    assert {pull["head"] for pull in pulls} == {project.git("rev-parse", f"ralph/{loop}") for loop in loops}
    for event in project.events("committed"):
        assert project.git("notes", "--ref=ralph", "show", event.data["commit"])
    nights = {event.night for event in project.events("night_started")}
    assert {path.name for path in (project.root / "progress").glob("*-report.md")} >= {
        f"{night}-report.md" for night in nights
    }
    log = "".join(path.read_text() for path in (project.root / "progress").glob("*.md") if "report" not in path.name)
    assert all(log.count(event.iteration) for event in project.events("committed"))
    assert project.survivors() == []
    project.sound()


def test_a_night_that_is_killed_again_and_again(project: Project) -> None:
    """One night, one point after another; the report's own point comes when there is nothing left to do."""
    assert set(SAMPLE) < set(POINTS)
    tasks = [f"t{number}" for number in range(len(SAMPLE))]
    project.tasks(*tasks)
    settled: dict[str, int] = {}
    for point in (*SAMPLE, "reporting"):
        killed_at(project, point)
        settled |= paid(project)
        parse((project.root / "tasks.json").read_bytes(), "tasks.json")
    project.once()
    ran = Counter(project.lines("ran"))
    assert {task: ran[task] for task in settled} == settled
    assert all(ran[task] >= 1 for task in tasks)
    assert sum(ran.values()) <= len(tasks) + len(SAMPLE)
    whole(project, tasks)


@pytest.mark.slow
@pytest.mark.parametrize("second", ["began", "snapshot", "intended", "committed", "delivering", ""])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_one_point_and_again(project: Project, point: str, second: str) -> None:
    project.configure(night="loops = 2")
    project.tasks("a", "b", {"id": "c", "depends_on": ["a"]})
    killed_at(project, point)
    settled = paid(project)
    if second:
        project.ralph("start", "--once", code=None, RALPH_TESTING="1", RALPH_FAULT=f"kill:{second}")
        settled |= paid(project)
    project.once(code=None)
    project.once()
    ran = Counter(project.lines("ran"))
    assert {task: ran[task] for task in settled} == settled
    whole(project, ["a", "b", "c"])


def test_nothing_survives_the_daemon(project: Project) -> None:
    """Killed in the middle of agents that have stubborn children; the restart goes on with the same night."""
    project.configure(night="loops = 2")
    project.agent(
        """
        echo "$RALPH_TASK_ID" >> $OUT/ran
        if [ ! -e $OUT/free ]; then
            (trap '' HUP INT TERM; while :; do sleep 0.05; done) &
            setsid sh -c 'trap "" HUP INT TERM; while :; do sleep 0.05; done' < /dev/null > /dev/null 2>&1 &
            touch $OUT/up-$RALPH_TASK_ID
            wait
        fi
        echo work > $RALPH_TASK_ID.txt
        """
    )
    project.tasks("a", "b", {"id": "c", "depends_on": ["a"]})
    project.begin()
    wait_until(lambda: all((project.outside / f"up-{task}").exists() for task in "ab"), "both agents work")
    assert len(project.survivors()) >= 6
    begun = time.monotonic()
    project.kill()
    wait_until(lambda: not project.survivors(), "everything with the tag is dead", 2)
    assert time.monotonic() - begun < 2
    (night,) = {event.night for event in project.events("began")}
    (project.outside / "free").touch()

    project.ralph("start", "--once", code=None)

    assert {event.night for event in project.events("began")} == {night}
    assert project.outcomes("a") == ["abandoned", "committed"]
    assert project.outcomes("b") == ["abandoned", "committed"]
    assert project.rows()["a"]["attempts"] == 1
    whole(project, ["a", "b", "c"])


def test_the_fork_server_may_die(project: Project) -> None:
    """Losing it costs an iteration at most, never the night."""
    import psutil

    project.agent('echo x >> $OUT/ran; [ -e $OUT/free ] || sleep 60; echo work > "$RALPH_TASK_ID.txt"')
    project.tasks("a", "b")
    pid = project.begin()
    wait_until(lambda: project.lines("ran"), "the agent works")
    (project.outside / "free").touch()
    children = [child for child in psutil.Process(pid).children() if child.status() != psutil.STATUS_ZOMBIE]
    servers = [child for child in children if "forkserver" in " ".join(child.cmdline())]
    assert servers
    for server in servers:
        server.kill()
    project.ended()
    assert project.status_of() == {"a": "completed", "b": "completed"}
    assert set(project.outcomes("a")) <= {"infrastructure", "committed"}
    assert project.rows()["a"]["attempts"] == 1
    whole(project, ["a", "b"])


def test_five_crashes_mean_safe_mode(project: Project) -> None:
    project.tasks("a")
    killed_at(project, "began")
    starts = project.where.root / "starts.json"
    starts.write_text(json.dumps(json.loads(starts.read_text()) * 4))
    killed_at(project, "began", forget=False)
    ran = len(project.lines("ran"))
    done = project.ralph("start", "--once", code=None)
    assert done.returncode == 4, done.stdout
    assert len(project.lines("ran")) == ran
    assert any("safe mode" in event.data["text"] for event in project.events("warning"))


def test_what_an_agent_had_done_is_kept(project: Project) -> None:
    project.agent("""
        if [ -f half.txt ]; then echo whole > done.txt; exit 0; fi
        echo half > half.txt
        echo x >> $OUT/half
        sleep 60
    """)
    project.tasks("a")
    project.begin()
    wait_until(lambda: project.lines("half"), "the agent has done half of it")
    project.kill()
    project.once()
    assert project.git("show", "--name-only", "--format=", "ralph/loop-1").split() == ["done.txt", "half.txt"]
    assert project.lines("half") == ["x"], "the first half was not done twice"
