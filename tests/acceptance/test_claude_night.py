"""Nights with agents that talk to a model: the real Claude Code CLI, the built-in one, accounts that are shared."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_night import KEY, MODEL, scripted, turns, use
from project import Project, wait_until

from ralph.modelserver import Script, Server
from tests.claude_program import installed


@pytest.fixture(scope="session")
def claude() -> Path:
    return installed()


def use_claude(project: Project, claude: Path, url: str, text: str = "") -> None:
    project.env["ANTHROPIC_API_KEY"] = KEY
    agent = f'[agents.claude]\nkind = "claude-code"\nmodel = "{MODEL}"\nbase_url = "{url}"\ncommand = ["{claude}"]\n'
    project.configure(f'{agent}\n[routes]\nimplementer = ["claude"]\n\n{text}')


def of_secret(project: Project) -> Iterator[Path]:
    """Files below the project's state, checkout and pull requests that hold the key."""
    for root in (project.root, project.where.root):
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink() and KEY.encode() in path.read_bytes():
                yield path


@pytest.mark.cli_agents
@pytest.mark.sandbox
@pytest.mark.timeout(180)
def test_the_real_cli_does_a_task_inside_the_sandbox(project: Project, claude: Path, sandbox_or_skip: object) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 50}
    write = {"name": "Write", "input": {"file_path": str(project.root / "a.txt"), "content": "from claude\n"}}
    script: list[dict[str, Any]] = [
        {"text": "I write it.", "tools": [write], "usage": usage},
        {"text": "Look.", "tools": [{"name": "Bash", "input": {"command": "cat a.txt; ls -A; id -u"}}], "usage": usage},
        {"text": "Done: a.txt is there.", "usage": usage},
    ]
    with scripted({"a": [script]}) as server:
        use_claude(project, claude, server.url)
        project.tasks("a")
        project.once()
    assert project.outcomes("a") == ["committed"]
    assert project.git("show", "ralph/loop-1:a.txt") == "from claude"
    assert project.git("diff", "--name-only", "main", "ralph/loop-1") == "a.txt"
    assert not (project.root / "a.txt").exists()
    settled = [event.data for event in project.events("settled") if event.data["model"] == MODEL]
    assert sum(data["usage"]["calls"] for data in settled) >= 3
    spend = project.report()["totals"]["spend"]
    assert spend["dollars"] > 0
    assert spend["input_tokens"] >= 3000
    assert MODEL in project.report()["by_model"]
    assert list(of_secret(project)) == []
    assert project.survivors() == []


@pytest.mark.cli_agents
@pytest.mark.sandbox
@pytest.mark.timeout(180)
def test_wrong_credentials_halt_the_cli(project: Project, claude: Path, sandbox_or_skip: object) -> None:
    with scripted({"a": [[{"error": {"status": 401, "message": "invalid x-api-key"}}]]}) as server:
        use_claude(project, claude, server.url)
        project.tasks("a")
        project.once(code=4)
    halted_with(project, "Invalid API key")


def test_wrong_credentials_halt_the_built_in_agent(project: Project) -> None:
    """One call for all loops, no attempt is charged, and the night ends with what a person has to do."""
    with scripted({task: [[{"error": {"status": 401, "message": "invalid x-api-key"}}]] for task in "ab"}) as server:
        use(project, server)
        project.tasks("a", "b")
        project.once(code=4)
        assert len(server.messages()) == 1
    halted_with(project, "invalid x-api-key")
    assert project.rows()["b"].get("attempts", 0) == 0


def halted_with(project: Project, reason: str) -> None:
    assert project.outcomes("a") == ["halted"]
    assert project.rows()["a"].get("attempts", 0) == 0
    (halted,) = project.events("halted")
    assert reason in halted.data["reason"]
    needs = project.report()["needs"]
    assert [need["code"] for need in needs] == ["halted"]
    assert reason in needs[0]["why"]
    assert "needs_human" in {event.data["event"] for event in project.events("notice")}


def busy(after: int) -> dict[str, list[list[dict[str, Any]]]]:
    error = {"status": 429, "message": "slow down", "headers": {"retry-after": str(after)}}
    return {task: [[{"error": error}]] for task in "ab"}


HEALTHY = Script.parse({"tasks": {task: [turns(task)] for task in "ab"}})


def both_wait(project: Project, server: Server) -> None:
    """Two loops meet the limit of their account; from now on the model answers."""
    use(project, server, night="loops = 2")
    project.tasks("a", "b")
    project.begin()
    wait_until(lambda: steps(project) == ["waiting", "waiting"], "both loops wait")
    assert len(server.messages()) <= 2
    server.script = HEALTHY


def test_two_loops_wait_for_one_account_and_no_attempt_is_charged(project: Project) -> None:
    """An hour, says the server: both loops wait for it together, until a person lets them go on."""
    with scripted(busy(3600)) as server:
        both_wait(project, server)
        (wait,) = project.json("status")["waiting"]
        assert wait["until"] == pytest.approx(time.time() + 3600, abs=120)
        assert "429" in wait["reason"]
        assert "Waiting until" in project.ralph("status").stdout
        project.ralph("resume")
        project.ended()
    went_on(project)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_wait_is_over_by_itself(project: Project) -> None:
    """The shortest wait there is (a minute), without anybody's hand."""
    with scripted(busy(61)) as server:
        both_wait(project, server)
        wait_until(lambda: project.pid() == 0, "the night ends", 150)
    went_on(project)
    assert {event.data.get("by") for event in project.events("resumed")} == {None}


def went_on(project: Project) -> None:
    assert project.status_of() == {"a": "completed", "b": "completed"}
    assert {row["attempts"] for row in project.rows().values()} == {1}
    assert {outcome for task in "ab" for outcome in project.outcomes(task)} == {"waiting", "committed"}
    assert project.events("resumed")
    assert project.report()["waits"]


def steps(project: Project) -> list[str]:
    return [loop["step"] for loop in project.json("status").get("loops", ())]
