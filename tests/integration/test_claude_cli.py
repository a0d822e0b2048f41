"""Claude Code as an agent: a stub that replays recorded events, and the real CLI against the scripted model."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from ralph import config
from ralph.agents.base import Grant
from ralph.agents.claude_code import ClaudeCode
from ralph.agents.pricing import price
from ralph.agents.review import read
from ralph.domain import Cause, Usage
from ralph.modelserver import Script, Server, serve
from tests.claude_program import installed
from tests.desk import LocalDesk, job

PYTHON = os.path.realpath(sys.executable)
SAMPLES = Path(__file__).parents[1] / "samples"
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
STUB = f"""#!{PYTHON}
import json, os, pathlib, sys, time
here = pathlib.Path(__file__).parent
prompt = sys.stdin.read()
(here / "seen.json").write_text(json.dumps({{"argv": sys.argv[1:], "stdin": prompt, "env": dict(os.environ)}}))
for line in (here / "replay.jsonl").read_text().splitlines():
    print(line, flush=True)
tail = here / "hang"
if tail.exists():
    time.sleep(60)
raise SystemExit(int((here / "code").read_text()))
"""


def priced(model: str, usage: object) -> float | None:
    return price(model, usage, {})  # type: ignore[arg-type]


@pytest.fixture
def replay(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Run the agent on a stub CLI that prints recorded events."""

    def go(lines: list[str], code: int = 0, hang: bool = False, table: dict[str, object] | None = None,
           answer: Callable[..., Grant] | None = None, **jobs: object) -> SimpleNamespace:  # fmt: skip
        stub = tmp_path / "claude"
        stub.write_text(STUB)
        stub.chmod(0o755)
        (tmp_path / "replay.jsonl").write_text("\n".join(lines))
        (tmp_path / "code").write_text(str(code))
        if hang:
            (tmp_path / "hang").touch()
        settings = config.Agent(kind="claude-code", command=["./claude"], **(table or {}))
        agent = ClaudeCode("claude", settings, tmp_path, price=priced, clock=lambda: NOW)
        work = job(tmp_path, **jobs)
        desk = LocalDesk(Path(work.directory), work.run_dir)
        if answer:
            desk.answer = answer
        result = agent.run(work, desk)
        desk.close()
        seen = tmp_path / "seen.json"
        return SimpleNamespace(
            result=result, desk=desk, seen=SimpleNamespace(**json.loads(seen.read_text())) if seen.exists() else None
        )

    return go


def sample(name: str) -> list[str]:
    return (SAMPLES / f"claude_{name}.jsonl").read_text().splitlines()


def total(desk: LocalDesk) -> Usage:
    return sum((usage for usage, _ in desk.settled), Usage())


def test_the_command_line_the_prompt_and_the_environment(replay):
    ran = replay(
        sample("edit"),
        table={"model": "claude-opus-5-5", "effort": "high", "args": ["--max-turns", "9"], "base_url": "http://x/y"},
        secrets={"ANTHROPIC_API_KEY": "sk-1", "CLAUDE_CODE_OAUTH_TOKEN": "oa-1", "GITHUB_TOKEN": "gh-1"},
        prompt="Fix it.",
    )
    assert ran.seen.argv == [
        "-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages",
        "--permission-mode", "acceptEdits", "--allowedTools", "Bash,Edit,Write,Read,Glob,Grep",
        "--no-session-persistence", "--setting-sources", "",
        "--model", "claude-opus-5-5", "--effort", "high", "--max-turns", "9",
    ]  # fmt: skip
    assert ran.seen.stdin == "You work on one task.\n\nFix it."
    env = ran.seen.env
    assert (env["ANTHROPIC_API_KEY"], env["CLAUDE_CODE_OAUTH_TOKEN"]) == ("sk-1", "oa-1")
    assert (env["ANTHROPIC_BASE_URL"], env["CLAUDE_CODE_MAX_RETRIES"]) == ("http://x/y", "2")
    assert (env["DISABLE_AUTOUPDATER"], env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"]) == ("1", "1")
    assert "GITHUB_TOKEN" not in env
    assert "IS_SANDBOX" not in env


def test_a_key_of_another_name_and_no_waiting_by_the_cli_itself(replay):
    path = {"PATH": os.environ["PATH"], "CLAUDE_CODE_RETRY_WATCHDOG": "1"}
    ran = replay(sample("edit"), table={"api_key_env": "MY_KEY"}, secrets={"MY_KEY": "sk-2"}, env=path)
    assert ran.seen.env["ANTHROPIC_API_KEY"] == "sk-2"
    assert "CLAUDE_CODE_RETRY_WATCHDOG" not in ran.seen.env


def test_every_call_is_settled_and_the_reported_cost_recorded(replay):
    ran = replay(sample("partial"))
    assert len([usage for usage, _ in ran.desk.settled if usage.calls]) == 4
    assert {model for _, model in ran.desk.settled} == {"claude-opus-5-5"}
    used = ran.result.usage
    assert used == total(ran.desk)
    assert (used.input_tokens, used.cache_write_tokens, used.cache_read_tokens, used.output_tokens) == (
        12,
        382,
        48933,
        186,
    )
    assert used.dollars == pytest.approx(used.reported_dollars, rel=1e-9)
    assert used.reported_dollars == 0.015464600000000002
    assert (ran.result.error, ran.result.wait, ran.result.metered) == (None, None, True)
    assert ran.result.said == "Fixed add(); check passes."


def test_without_partial_messages_the_final_total_is_settled(replay):
    ran = replay(sample("edit"))
    assert total(ran.desk).output_tokens == 186
    assert total(ran.desk).dollars == pytest.approx(0.0737546, rel=1e-6)


def test_an_unknown_price_stays_unknown(replay):
    ran = replay([line.replace("claude-opus-5-5", "some-model") for line in sample("partial")])
    assert ran.result.usage.dollars is None
    assert ran.result.usage.reported_dollars == 0.015464600000000002


def test_it_is_ended_when_its_tokens_are_used_up(replay):
    ran = replay(sample("partial"), hang=True, tokens=40)
    assert ran.desk.asked == [(40, None)]
    assert (ran.result.cause, ran.result.error) == (Cause.TOKENS, None)
    assert 40 <= ran.result.usage.counted == total(ran.desk).counted


def test_one_token_more_lets_it_finish(replay):
    assert replay(sample("partial"), tokens=581).result.cause is None
    assert replay(sample("partial"), tokens=580).result.cause is Cause.TOKENS


def test_it_does_not_start_without_a_grant(replay):
    ran = replay(sample("edit"), answer=lambda tokens, dollars: Grant(False, "night: 9 of 9 tokens", Cause.TOKENS))
    assert (ran.result.cause, ran.result.said, ran.seen) == (Cause.TOKENS, "night: 9 of 9 tokens", None)


def test_pauses_between_retries_are_told(replay):
    ran = replay(sample("429"), 1)
    assert [reason for _, reason in ran.desk.waits] == ["rate_limit, retry 1 of 2", "rate_limit, retry 2 of 2"]
    assert ran.result.wait.guessed


def test_a_cli_that_wants_to_sleep_for_hours_is_ended_and_the_account_waits(replay):
    ran = replay(sample("defretry429"), hang=True)
    assert ran.result.wait.until == pytest.approx(NOW.timestamp() + 16245.5, abs=1)
    assert (ran.result.cause, ran.result.error) == (None, None)


def test_a_stream_cut_in_the_middle_of_a_line(replay):
    whole = sample("partial")
    ran = replay([*whole[:12], whole[12][: len(whole[12]) // 2]], 1)
    assert ran.result.error == "exit 1 without a result: " + whole[12][: len(whole[12]) // 2][:250].strip()[:275]
    assert ran.result.usage.counted > 0


def test_a_subscription_limit(replay):
    ran = replay(sample("oauth429"), 1)
    assert ran.result.wait.until == 1795190400
    assert not ran.result.wait.guessed


def test_a_program_that_is_not_there(tmp_path):
    agent = ClaudeCode("claude", config.Agent(kind="claude-code"), tmp_path, price=priced)
    work = job(tmp_path, env={"PATH": str(tmp_path)})
    desk = LocalDesk(Path(work.directory), work.run_dir)
    result = agent.run(work, desk)
    desk.close()
    assert "claude" in result.error
    assert result.wait is None


def test_inside_a_sandbox_its_program_lies_beside_the_prompt_and_root_may_run_it(tmp_path):
    inside = tmp_path / "inside" / "bin"
    inside.mkdir(parents=True)
    stub = inside / "claude"
    stub.write_text('#!/bin/sh\necho "sandbox: $IS_SANDBOX"; exit 1\n')
    stub.chmod(0o755)
    settings = config.Agent(kind="claude-code", command=["./tools/claude"])
    agent = ClaudeCode("claude", settings, tmp_path, price=priced)
    assert agent.binds() == [tmp_path / "tools" / "claude"]
    work = job(tmp_path, prompt_file=tmp_path / "inside" / "prompt.md")
    desk = LocalDesk(Path(work.directory), work.run_dir)
    result = agent.run(work, desk)
    desk.close()
    assert result.error == "exit 1 without a result: sandbox:" + (" 1" if os.geteuid() == 0 else "")


@pytest.fixture(scope="session")
def claude() -> Path:
    """The pinned CLI, installed once for all runs of the suite."""
    return installed()


@pytest.fixture
def model() -> Iterator[Callable[[list[dict[str, object]]], Server]]:
    servers: list[Server] = []

    def start(turns: list[dict[str, object]]) -> Server:
        servers.append(serve(Script.parse({"default": [turns]})))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def real(tmp_path: Path, claude: Path, server: Server, **jobs: object) -> SimpleNamespace:
    settings = config.Agent(kind="claude-code", command=[str(claude)], base_url=server.url, model="claude-sonnet-5-5")
    agent = ClaudeCode("claude", settings, tmp_path, price=priced)
    work = job(tmp_path, **{"seconds": 60.0, **jobs})
    desk = LocalDesk(Path(work.directory), work.run_dir)
    try:
        return SimpleNamespace(result=agent.run(work, desk), desk=desk, tree=Path(work.directory))
    finally:
        desk.close()


@pytest.mark.cli_agents
def test_the_real_cli_edits_a_file_and_its_calls_are_counted(tmp_path, claude, model):
    tree = tmp_path / "tree"
    tree.mkdir()
    target = tree / "hello.txt"
    tools = [{"name": "Write", "input": {"file_path": str(target), "content": "hello\n"}}]
    server = model([{"text": "I write it.", "tools": tools}, {"text": "Done."}])
    ran = real(tmp_path, claude, server)
    assert ran.result.error is None, (ran.result, (tmp_path / "run" / "agent.err").read_text())
    assert target.read_text() == "hello\n"
    assert ran.result.said == "Done."
    calls = [usage for usage, name in ran.desk.settled if usage.calls and name == "claude-sonnet-5-5"]
    assert len(calls) >= 2
    assert ran.result.usage.counted > 0
    assert ran.result.usage.dollars == pytest.approx(ran.result.usage.reported_dollars, rel=0.01)
    assert not list(tree.glob(".claude*"))


@pytest.mark.cli_agents
def test_the_real_cli_with_a_wrong_key(tmp_path, claude, model):
    server = model([{"error": {"status": 401, "message": "invalid x-api-key"}}])
    assert real(tmp_path, claude, server).result.wait.halt


@pytest.mark.cli_agents
def test_the_real_cli_is_ended_at_its_token_limit(tmp_path, claude, model):
    turns = [{"text": "again", "tools": [{"name": "Bash", "input": {"command": "true"}}]}] * 30
    ran = real(tmp_path, claude, model(turns), tokens=100)
    assert ran.result.cause is Cause.TOKENS
    assert total(ran.desk).counted >= 100


@pytest.mark.cli_agents
def test_the_real_cli_reviews_without_a_tool_that_writes(tmp_path, claude, model):
    tree = tmp_path / "tree"
    tree.mkdir()
    target = tree / "made.txt"
    answer = '{"verdict": "reject", "reasons": ["a.py:1: wrong"], "follow_ups": []}'
    turns = [
        {"tools": [{"name": "Write", "input": {"file_path": str(target), "content": "x\n"}}]},
        {"tools": [{"name": "Bash", "input": {"command": f"cat {PYTHON} | wc -c"}}]},
        {"text": f"I looked.\n\n```json\n{answer}\n```"},
    ]
    server = model(turns)
    ran = real(tmp_path, claude, server, review=tmp_path / "run" / "review.txt")
    assert ran.result.error is None, (ran.result, (tmp_path / "run" / "agent.err").read_text())
    assert not target.exists()
    offered = {tool["name"] for tool in server.messages()[-1].body["tools"]}
    assert "Bash" in offered and not offered & {"Write", "Edit", "NotebookEdit"}
    review, problem = read(ran.result.said, "claude")
    assert review and review.reasons == ("a.py:1: wrong",), problem
