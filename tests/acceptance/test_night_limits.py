"""Budgets and floors of whole nights: what is counted, what is done before a cap is passed, and who is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_night import KEY, scripted, turns, use
from project import Project, wait_until

from ralph.modelserver import Server


@pytest.fixture
def dear() -> Iterator[Server]:
    """A model that takes 10,000 tokens for a task: two calls of 4,500 and 500."""
    with scripted({task: [turns(task, 4500, 500)] for task in "abcd"}) as server:
        yield server


def limits(project: Project) -> list[dict[str, Any]]:
    return [event.data for event in project.events("limit")]


def notices(project: Project) -> list[tuple[str, str]]:
    return [(event.data["event"], event.data["title"]) for event in project.events("notice")]


def steps(project: Project) -> list[str]:
    return [loop["step"] for loop in project.json("status").get("loops", ())]


def completed(project: Project) -> list[str]:
    return [id for id, status in project.status_of().items() if status == "completed"]


def test_the_nights_tokens(project: Project, dear: Server) -> None:
    use(project, dear, "[limits]\nnight_tokens = 40000\npause_at = 0.45")
    project.tasks(*"abcd")
    project.once(code=4)
    assert completed(project) == ["a", "b"]
    (limit,) = limits(project)
    assert limit == {"scope": "night", "cause": "tokens", "cap": 40000, "used": 20000}
    assert notices(project)[0][0] == "limit"
    report = project.report()
    assert "night: 20000 of 40000 tokens" in report["reason"]
    assert report["limits"][0]["scope"] == "night"
    assert report["totals"]["spend"]["input_tokens"] == 18000


def test_the_nights_dollars_are_priced_and_hold(project: Project, dear: Server) -> None:
    prices = '[prices."claude-sonnet-5-5"]\ninput = 20\noutput = 100\n'
    use(project, dear, f"[limits]\nnight_dollars = 1.0\npause_at = 0.5\n\n{prices}")
    project.tasks(*"abcd")
    project.once(code=4)
    assert completed(project) == ["a", "b"]
    (limit,) = limits(project)
    assert (limit["scope"], limit["cause"], limit["cap"]) == ("night", "dollars", 1.0)
    assert limit["used"] == pytest.approx(4 * (4500 * 20 + 500 * 100) / 1e6)
    assert project.report()["totals"]["spend"]["dollars"] == pytest.approx(limit["used"])
    assert all(event.data["dollars"] > 0 for event in project.events("reserved"))


def test_no_call_is_begun_that_could_pass_the_cap(project: Project, dear: Server) -> None:
    """Without a pause before it: the cap itself refuses the call, nothing is sent, and the attempt does not count."""
    use(project, dear, "[limits]\nnight_tokens = 20500\npause_at = 1.0")
    project.tasks(*"abcd")
    project.once(code=4)
    spent = sum(e.data["usage"]["input_tokens"] + e.data["usage"]["output_tokens"] for e in project.events("settled"))
    assert spent == 20000
    assert completed(project) == ["a", "b"]
    assert limits(project)[-1]["scope"] == "night"
    assert project.rows()["c"].get("attempts", 0) == 0


def test_an_iteration_is_told_to_wrap_up(project: Project, dear: Server) -> None:
    use(project, dear, "[limits]\niteration_tokens = 20000\npause_at = 0.2")
    project.tasks("a")
    project.once()
    last = json.dumps(dear.messages()[-1].body)
    assert "Budget nearly used" in last
    assert "Budget nearly used" not in json.dumps(dear.messages()[0].body)


def test_a_task_that_eats_its_budget_is_parked_and_the_next_one_taken(project: Project) -> None:
    lazy = [{"text": "I looked at it.", "usage": {"input_tokens": 9000, "output_tokens": 100}}]
    with scripted({"a": [lazy], "b": [turns("b")]}) as server:
        use(project, server, "[limits]\ntask_tokens = 20000\npause_at = 0.4")
        project.tasks("a", "b")
        project.once(code=4)
    assert project.status_of() == {"a": "pending", "b": "completed"}
    assert project.outcomes("a") == ["no_change"]
    (parked,) = project.events("parked")
    assert (parked.task, parked.data["cap"]) == ("a", 20000)


def test_a_loop_pauses_at_its_iterations_until_a_person_resumes_it(project: Project) -> None:
    project.configure("[limits]\nloop_iterations = 1", night="loops = 2")
    project.tasks(*"abcde")
    project.begin()
    wait_until(lambda: steps(project) == ["paused", "paused"], "both loops pause")
    assert len(project.lines("ran")) == 2
    assert [event for event, _ in notices(project)] == ["paused", "paused"]
    project.ralph("resume", "loop-2")
    wait_until(lambda: len(project.lines("ran")) == 3, "one more")
    wait_until(lambda: project.json("status")["loops"][1]["paused"], "it pauses again")
    project.ralph("stop")
    assert {event.data["scope"] for event in project.events("limit")} == {"loop"}
    assert len(completed(project)) == 3


def test_once_ends_where_it_would_pause(project: Project) -> None:
    project.configure("[limits]\nloop_iterations = 1")
    project.tasks("a", "b")
    said = project.once(code=4)
    assert project.lines("ran") == ["a"]
    assert "1 of 1 iterations" in project.report()["reason"]
    assert "Then: ralph start --now" in said
    assert project.report()["headline"] == "1 of 2 tasks landed, 1 not started"


def test_a_role_pauses_and_others_go_on(project: Project) -> None:
    project.configure("[roles.tester.limits]\niterations = 1")
    project.tasks({"id": "a", "role": "tester"}, {"id": "b", "role": "tester"}, "c")
    project.once(code=4)
    assert project.status_of() == {"a": "completed", "b": "pending", "c": "completed"}
    (limit,) = limits(project)
    assert (limit["scope"], limit["cause"], limit["cap"], limit["used"]) == ("role", "iterations", 1, 1)
    assert "role tester" in json.dumps(project.report()["needs"])


def test_a_full_disk_pauses_the_loops(project: Project) -> None:
    project.configure("[limits]\ndisk_free_mb = 100000000")
    project.tasks("a")
    project.begin()
    wait_until(lambda: steps(project) == ["paused"], "the loop pauses")
    assert "floor is 100000000 MB" in project.json("status")["loops"][0]["detail"]
    project.ralph("stop")
    assert [(event, "disk" in title) for event, title in notices(project)] == [("paused", True)]
    project.once(code=4)
    assert "disk" in project.report()["reason"]
    assert project.lines("ran") == []


def test_dollar_caps_and_an_agent_nobody_can_price(project: Project) -> None:
    project.tasks("a")
    project.configure("[limits]\nnight_dollars = 5\nstrict_dollars = true")
    refused = project.ralph("start", "--once", code=1)
    assert "nobody can count the dollars of: sh" in refused.stderr
    assert "strict_dollars = false" in refused.stderr
    project.configure("[limits]\nnight_dollars = 5")
    project.once()
    assert any("dollar caps do not hold for sh" in warning for warning in project.report()["warnings"])


def test_a_person_is_told(project: Project, tmp_path: Path) -> None:
    """The command gets event, title and text, what [notify] env names, and no key of a model or a forge."""
    script = tmp_path / "tell.sh"
    script.write_text(f"#!/bin/sh\ncat > {tmp_path}/told-$RALPH_EVENT\nenv > {tmp_path}/env-$RALPH_EVENT\nexit 3\n")
    script.chmod(0o755)
    with scripted({"a": [[{"text": "Nothing to do."}]], "b": [turns("b")]}) as server:
        use(project, server, f'[notify]\ncommand = ["{script}"]\nenv = ["PAGER_KEY"]')
        project.tasks("a", "b")
        project.once(code=4, PAGER_KEY="pager-secret", GITHUB_TOKEN="ghp_x")
    assert project.status_of() == {"a": "needs_human", "b": "completed"}
    assert "a needs you" in (tmp_path / "told-needs_human").read_text()
    finished = (tmp_path / "told-night_finished").read_text()
    assert "1 of 2 tasks completed" in finished
    assert "-report.md" in finished
    env = (tmp_path / "env-night_finished").read_text()
    assert "PAGER_KEY=pager-secret" in env
    assert KEY not in env
    assert "ghp_x" not in env
    assert "exited with 3" in project.where.log.read_text()
