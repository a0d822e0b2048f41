"""What every agent does that is asked for a review: it is heard by one way only, and is offered nothing that writes."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ralph import agents
from ralph.agents.review import read
from ralph.config import Agent
from ralph.domain import AgentResult
from ralph.modelserver import Script, Server, serve
from tests.desk import LocalDesk, job

PROMPT = "Review\nTask: t\nAttempt: 1\n"
ACCEPT = {"verdict": "accept", "reasons": [], "follow_ups": []}
REJECT = {"verdict": "reject", "reasons": ["a.py:1: it's wrong"], "follow_ups": []}
ANSWERS: dict[str, str] = {
    "accept": json.dumps(ACCEPT),
    "reject": json.dumps(REJECT),
    "nonsense": "I like it.",
    "nothing": "",
}
Build = Callable[[Path, str, ExitStack], Agent]


def api(root: Path, doing: str, stack: ExitStack) -> Agent:
    answer = {"accept": ACCEPT, "reject": REJECT}.get(doing)
    last = {"tools": [{"name": "review", "input": answer}]} if answer else {"text": ANSWERS[doing]}
    return served(stack, {"run": ["cat a.py"]}, last)


def api_message(root: Path, doing: str, stack: ExitStack) -> Agent:
    return served(stack, {"run": ["cat a.py"]}, {"text": f"I looked at it.\n\n{ANSWERS[doing]}"})


def scripted(root: Path, doing: str, stack: ExitStack) -> Agent:
    (root / "agent.json").write_text(json.dumps({"reviews": {"t": [{"said": ANSWERS[doing]}]}}))
    return Agent(kind="scripted", script="agent.json")


def command(root: Path, doing: str, stack: ExitStack) -> Agent:
    (root / "answer").write_text(ANSWERS[doing])
    line = f"cat '{root}/answer' > \"$RALPH_REVIEW_FILE\"; echo '{ANSWERS['accept']}'"
    return Agent(kind="command", command=[program(root, line)])


def claude_code(root: Path, doing: str, stack: ExitStack) -> Agent:
    start = {"type": "system", "subtype": "init", "model": "claude-sonnet-5-5"}
    end = {"type": "result", "subtype": "success", "is_error": False, "result": ANSWERS[doing]}
    (root / "events").write_text(f"{json.dumps(start)}\n{json.dumps(end)}\n")
    line = f"printf '%s\\n' \"$@\" > '{root}/argv'; cat '{root}/events'"
    return Agent(kind="claude-code", command=[program(root, line)])


def served(stack: ExitStack, *turns: dict[str, Any]) -> Agent:
    server = stack.enter_context(serve(Script.parse({"reviews": {"t": [list(turns)]}, "default": [[{"text": "?"}]]})))
    return Agent(kind="api", model="claude-sonnet-5-5", base_url=server.url)


def program(root: Path, line: str) -> str:
    path = root / "agent.sh"
    path.write_text(f"#!/bin/sh\ncat > /dev/null\n{line}\n")
    path.chmod(0o755)
    return "./agent.sh"


class Run:
    def __init__(self, root: Path, build: Build, stack: ExitStack) -> None:
        self.root, self._build, self._stack = root, build, stack
        self.desk = LocalDesk(root / "tree", root / "run")
        stack.callback(self.desk.close)

    def __call__(self, doing: str) -> AgentResult:
        settings = self._build(self.root, doing, self._stack)
        given = job(self.root, PROMPT, review=self.root / "run" / "review.txt")
        (self.root / "tree" / "a.py").write_text("x = 1\n")
        given = job(
            self.root,
            PROMPT,
            review=self.root / "run" / "review.txt",
            env={**given.env, "RALPH_REVIEW_FILE": str(self.root / "run" / "review.txt")},
        )
        return agents.make("critic", settings, prices={}, root=self.root).run(given, self.desk)


ALL: list[Any] = [pytest.param(b, id=b.__name__) for b in (api, api_message, scripted, command, claude_code)]


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as stack:
        yield Run(tmp_path, request.param, stack)


@pytest.mark.parametrize("run", ALL, indirect=True)
@pytest.mark.parametrize("doing", ["accept", "reject"])
def test_what_it_hands_in_is_read(run: Run, doing: str) -> None:
    result = run(doing)
    assert (result.error, result.cause, result.wait) == (None, None, None)
    review, problem = read(result.said, "critic")
    assert review, problem
    assert review.accepted == (doing == "accept")
    assert review.reasons == (() if review.accepted else ("a.py:1: it's wrong",))


@pytest.mark.parametrize("run", ALL, indirect=True)
@pytest.mark.parametrize("doing", ["nonsense", "nothing"])
def test_anything_else_is_no_review(run: Run, doing: str) -> None:
    assert read(run(doing).said, "critic")[0] is None


@pytest.mark.parametrize("run", ALL, indirect=True)
def test_the_tree_stays_as_it_was(run: Run) -> None:
    run("reject")
    assert {path.name for path in (run.root / "tree").iterdir()} == {"a.py"}


def test_what_a_program_only_prints_is_not_handed_in(tmp_path: Path) -> None:
    with ExitStack() as stack:
        run = Run(tmp_path, command, stack)
        assert read(run("nothing").said, "critic")[0] is None
        (tmp_path / "run" / "agent.log").read_text().index("accept")


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    def planted(root: Path, doing: str, stack: ExitStack) -> Agent:
        (root / "elsewhere").write_text(ANSWERS["accept"])
        return Agent(kind="command", command=[program(root, f"ln -s '{root}/elsewhere' \"$RALPH_REVIEW_FILE\"")])

    with ExitStack() as stack:
        assert Run(tmp_path, planted, stack)("accept").said == ""


def test_claude_code_gets_no_tool_that_writes(tmp_path: Path) -> None:
    with ExitStack() as stack:
        Run(tmp_path, claude_code, stack)("accept")
    argv = (tmp_path / "argv").read_text().split("\n")
    assert "acceptEdits" not in argv
    assert argv[argv.index("--allowedTools") + 1] == "Bash,Read,Glob,Grep"
    assert {"Edit", "Write", "NotebookEdit"} <= set(argv[argv.index("--disallowedTools") + 1].split(","))


def with_tools(root: Path, *turns: dict[str, Any]) -> tuple[AgentResult, list[Any]]:
    """An api review in these turns; what it came to and the requests it made."""
    servers: list[Server] = []

    def build(root: Path, doing: str, stack: ExitStack) -> Agent:
        servers.append(stack.enter_context(serve(Script.parse({"reviews": {"t": [list(turns)]}}))))
        return Agent(kind="api", base_url=servers[0].url)

    with ExitStack() as stack:
        result = Run(root, build, stack)("")
        return result, [one.body for one in servers[0].messages()]


def results(body: Any) -> list[str]:
    return [block["content"] for block in body["messages"][-1]["content"] if block["type"] == "tool_result"]


def test_the_built_in_agent_has_no_editor(tmp_path: Path) -> None:
    create = {"command": "create", "path": "b.py", "file_text": "x"}
    turns = [
        {"tools": [{"name": "str_replace_based_edit_tool", "input": create}]},
        {"tools": [{"name": "view_file", "input": {"path": "a.py"}}]},
        {"tools": [{"name": "review", "input": ACCEPT}]},
    ]
    _, bodies = with_tools(tmp_path, *turns)
    names = [tool["name"] for tool in bodies[0]["tools"]]
    assert names == ["bash", "view_file", "list_files", "search_files", "review"]
    assert results(bodies[1]) == ["not run: nothing is written in a review"]
    assert "x = 1" in results(bodies[2])[0]
    assert not (tmp_path / "tree" / "b.py").exists()
    assert len(bodies) == 3


def test_a_review_that_can_not_be_read_goes_back_to_the_model(tmp_path: Path) -> None:
    bare = {"verdict": "reject", "reasons": [], "follow_ups": []}
    result, bodies = with_tools(
        tmp_path, {"tools": [{"name": "review", "input": bare}]}, {"tools": [{"name": "review", "input": REJECT}]}
    )
    assert "rejects without a reason" in results(bodies[1])[0]
    assert json.loads(result.said) == REJECT
