"""What every Agent does, whoever is behind it: edits through the desk, settles what it uses, stops when told."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ralph import agents
from ralph.agents.base import Grant
from ralph.config import Agent
from ralph.domain import AgentResult, Cause, Usage
from ralph.modelserver import Script, serve
from tests.desk import LocalDesk, job

SAMPLES = Path(__file__).parents[1] / "samples"
MODEL = "claude-sonnet-5-5"
KEY = "sk-test-key"
Build = Callable[[Path, str, ExitStack], Agent]
"""(directory of ralph.toml, what to do, what to close at the end) -> the table of the agent."""


def api(root: Path, doing: str, stack: ExitStack) -> Agent:
    turns: dict[str, list[dict[str, Any]]] = {
        "edit": [{"write": {"made.txt": "made\n"}, "run": ["env > env.txt"]}, {"text": "I made it."}],
        "hang": [{"run": ["touch begun; sleep 30"]}],
        "limit": [{"error": {"status": 429, "headers": {"retry-after": "1800"}}}],
        "fail": [{"error": {"status": 400, "message": "no"}}],
    }
    server = stack.enter_context(serve(Script.parse({"default": [turns[doing]]})))
    return Agent(kind="api", model=MODEL, base_url=server.url)


def scripted(root: Path, doing: str, stack: ExitStack) -> Agent:
    attempt: dict[str, dict[str, Any]] = {
        "edit": {"write": {"made.txt": "made\n"}, "run": ["env > env.txt"], "said": "I made it."},
        "hang": {"run": ["touch begun; sleep 30"]},
        "limit": {"wait": {"seconds": 1800}},
        "fail": {"error": "no"},
    }
    usage = [{"input_tokens": 100, "output_tokens": 10}, {"cache_read_tokens": 100, "output_tokens": 20}]
    (root / "agent.json").write_text(json.dumps({"tasks": {"t": [{"usage": usage, **attempt[doing]}]}}))
    return Agent(kind="scripted", model=MODEL, script="agent.json")


def command(root: Path, doing: str, stack: ExitStack) -> Agent:
    lines = {
        "edit": "echo made > made.txt; env > env.txt; echo I made it.",
        "hang": "touch begun; sleep 30",
        "limit": 'echo "You\'ve hit your 5-hour limit; try again in 30 minutes" >&2; exit 1',
        "fail": "exit 3",
    }
    return Agent(kind="command", command=[program(root, lines[doing])])


def claude_code(root: Path, doing: str, stack: ExitStack) -> Agent:
    lines = {
        "edit": f"echo made > made.txt; cat '{SAMPLES}/claude_edit.jsonl'",
        "hang": "touch begun; sleep 30",
        "limit": f"cat '{SAMPLES}/claude_429uni.jsonl'; exit 1",
        "fail": f"cat '{SAMPLES}/claude_404.jsonl'; exit 1",
    }
    return Agent(kind="claude-code", command=[program(root, lines[doing])])


def program(root: Path, line: str) -> str:
    path = root / "agent.sh"
    path.write_text(f"#!/bin/sh\ncat > /dev/null\n{line}\n")
    path.chmod(0o755)
    return "./agent.sh"


COUNTED: list[Any] = [pytest.param(build, id=build.__name__) for build in (api, scripted, claude_code)]
ALL: list[Any] = [*COUNTED, pytest.param(command, id="command")]


class Run:
    def __init__(self, root: Path, build: Build, stack: ExitStack) -> None:
        self.root, self._build, self._stack = root, build, stack
        self.desk = LocalDesk(root / "tree", root / "run")
        stack.callback(self.desk.close)

    def __call__(self, doing: str) -> AgentResult:
        settings = self._build(self.root, doing, self._stack)
        agent = agents.make("mine", settings, prices={}, root=self.root)
        assert agent.name == "mine"
        return agent.run(job(self.root), self.desk)


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as stack:
        yield Run(tmp_path, request.param, stack)


@pytest.mark.parametrize("run", ALL, indirect=True)
def test_it_edits_the_work_tree_and_ends(run: Run) -> None:
    result = run("edit")
    assert (run.root / "tree" / "made.txt").read_text() == "made\n"
    assert (result.exit_code, result.error, result.cause, result.wait) == (0, None, None, None)
    assert result.said


@pytest.mark.parametrize("run", ALL, indirect=True)
def test_it_writes_nothing_beside_the_tree_and_its_run_directory(run: Run) -> None:
    run("edit")
    known = {"tree", "run", "agent.sh", "agent.json", ".xdg"}
    assert {path.name for path in run.root.iterdir()} <= known


@pytest.mark.parametrize("run", [param for param in ALL if param.id != "claude_code"], indirect=True)
def test_the_key_is_not_in_the_environment_of_what_it_runs(run: Run) -> None:
    run("edit")
    seen = (run.root / "tree" / "env.txt").read_text()
    assert "RALPH_RUN=" in seen
    assert KEY not in seen


@pytest.mark.parametrize("run", COUNTED, indirect=True)
def test_what_it_uses_is_asked_for_and_settled(run: Run) -> None:
    result = run("edit")
    assert result.metered
    assert run.desk.asked and run.desk.settled
    total = sum((usage for usage, _ in run.desk.settled), start=Usage())
    assert total == result.usage
    assert result.usage.counted > 0 and result.usage.dollars
    assert all(model for _, model in run.desk.settled)


@pytest.mark.parametrize("run", COUNTED, indirect=True)
def test_a_denied_grant_ends_it_before_anything_happens(run: Run) -> None:
    run.desk.answer = lambda tokens, dollars: Grant(False, "no budget", Cause.TOKENS)
    result = run("edit")
    assert result.cause is Cause.TOKENS and result.error is None
    assert not (run.root / "tree" / "made.txt").exists()
    assert not run.desk.settled


@pytest.mark.parametrize("run", ALL, indirect=True)
def test_a_stop_ends_it_and_all_it_started(run: Run) -> None:
    run.desk.say("enough", stop=True, after=1.0)
    begun = time.monotonic()
    result = run("hang")
    assert time.monotonic() - begun < 4
    assert result.cause is Cause.STOPPED
    assert result.wait is None and result.error is None
    assert result.exit_code in (None, 130)


@pytest.mark.parametrize("run", ALL, indirect=True)
def test_a_limit_of_the_account_is_a_wait(run: Run) -> None:
    now = time.time()
    result = run("limit")
    assert result.wait is not None and not result.wait.halt
    assert now + 59 <= result.wait.until <= now + 7 * 3600
    assert result.wait.reason
    assert result.cause is None


@pytest.mark.parametrize("run", ALL, indirect=True)
def test_a_failure_is_an_error_in_one_line(run: Run) -> None:
    result = run("fail")
    assert result.error and "\n" not in result.error
    assert result.cause is None and result.wait is None
