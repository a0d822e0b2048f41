"""The built-in agent: its tools, its budget, its limits, what it does with every way an answer can end."""

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from ralph.agents.api import ApiAgent, Patience
from ralph.agents.base import Grant
from ralph.config import Agent, Price
from ralph.domain import Cause
from ralph.host.process import Request, Shim, Tool
from tests.api_stage import KEY, QUICK, Stage, stages
from tests.desk import LocalDesk, job

stage = pytest.fixture(stages)


def test_a_task_is_done_with_tools_and_all_of_it_is_counted(stage: Callable[..., Stage]) -> None:
    s = stage(
        {"thinking": "a plan", "text": "I look.", "run": ["cat calc.py"]},
        {"tools": [{"name": "str_replace_based_edit_tool", "input": {
            "command": "str_replace", "path": "calc.py", "old_str": "a - b", "new_str": "a + b"}}]},
        {"tools": [{"name": "list_files", "input": {"path": ".", "pattern": "*"}},
                   {"name": "search_files", "input": {"pattern": "a . b", "path": ".", "glob": "*"}}]},
        {"text": "Fixed add()."},
    )  # fmt: skip
    calc = s.root / "tree" / "calc.py"
    calc.write_text("def add(a, b):\n    return a - b\n")
    result = s.run()
    assert result.error is None and result.cause is None and result.wait is None
    assert (result.exit_code, result.said, result.usage.calls) == (0, "Fixed add().", 4)
    assert calc.read_text() == "def add(a, b):\n    return a + b\n"
    assert s.last_results() == ["calc.py", "calc.py:2:    return a + b"]
    assert len(s.desk.asked) == len(s.desk.settled) == 4
    assert sum((usage for usage, _ in s.desk.settled), start=type(result.usage)()) == result.usage
    assert result.usage.dollars is not None and result.usage.dollars > 0
    assert result.usage.cache_read_tokens > 0 and not result.usage.estimated
    assert all(model == "claude-sonnet-5-5" for _, model in s.desk.settled)


def test_what_is_sent(stage: Callable[..., Stage]) -> None:
    s = stage({"thinking": "deep", "run": ["true"]}, {"text": "x"})
    s.run(settings={"effort": "high", "model": "claude-opus-5-5"})
    first, second = s.calls
    assert [tool["name"] for tool in first["tools"]] == [
        "bash", "str_replace_based_edit_tool", "list_files", "search_files"]  # fmt: skip
    assert all(tool["strict"] for tool in first["tools"][2:])
    assert first["system"] == [
        {"type": "text", "text": "You work on one task.", "cache_control": {"type": "ephemeral"}}
    ]
    assert first["cache_control"] == {"type": "ephemeral"}
    assert first["thinking"] == {"type": "adaptive"}
    assert first["output_config"] == {"effort": "high"}
    assert (first["model"], first["stream"], first["max_tokens"]) == ("claude-opus-5-5", True, 32_000)
    assert second["messages"][0] == first["messages"][0]
    assert second["messages"][1]["content"][0]["thinking"] == "deep"
    one = s.server.messages()[0]
    assert (one.auth, one.key_tail) == ("bearer", KEY[-4:])
    assert one.headers["accept-encoding"] == "identity"


def test_the_transcript_holds_every_turn_and_no_secret(stage: Callable[..., Stage]) -> None:
    s = stage({"text": f"the key is {KEY}", "run": [f"echo {KEY} sk-ant-api03-{'a' * 93}AA"]}, {"text": f"bye {KEY}"})
    result = s.run()
    path = s.root / "run" / "transcript.jsonl"
    text = path.read_text()
    assert [json.loads(line)["kind"] for line in text.splitlines()] == ["request", "response"] * 2
    assert KEY not in text and "sk-ant-api03" not in text
    assert KEY not in result.said
    assert "tool_result" in text
    assert path.stat().st_mode & 0o777 == 0o600


ZERO = dict.fromkeys(("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"), 0)


@pytest.mark.parametrize("usage", [None, ZERO])
def test_missing_usage_is_estimated_and_limits_still_act(stage: Callable[..., Stage], usage: Any) -> None:
    s = stage(*[{"text": "y" * 3000, "run": ["true"], "usage": usage}] * 20)
    result = s.run(prompt="Task: t\nAttempt: 1\n" + "x" * 3000, tokens=9000, settings={"max_tokens": 2000})
    assert result.cause is Cause.TOKENS
    assert result.usage.estimated and result.usage.calls < 6
    assert s.desk.settled[0][0].input_tokens > 1000 and s.desk.settled[0][0].output_tokens >= 1000
    assert result.usage.counted <= 9000


def test_the_token_limit_shrinks_the_last_call_and_then_ends(stage: Callable[..., Stage]) -> None:
    s = stage(*[{"text": "go", "run": ["true"], "usage": {"output_tokens": 2000}}] * 20)
    result = s.run(tokens=20_000, settings={"max_tokens": 8000})
    assert result.cause is Cause.TOKENS and result.error is None
    asked = [body["max_tokens"] for body in s.calls]
    assert asked[0] == 8000 and 1024 <= asked[-1] < 8000
    assert result.usage.counted <= 20_000
    assert result.usage.counted > 15_000


@pytest.mark.parametrize("cause", [Cause.TOKENS, Cause.DOLLARS, None])
def test_a_denied_grant_ends_it_before_the_call(stage: Callable[..., Stage], cause: Cause | None) -> None:
    s = stage({"text": "x", "run": ["true"]})
    grants = iter([Grant(True), Grant(False, "no budget", cause)])
    s.desk.answer = lambda tokens, dollars: next(grants)
    result = s.run()
    assert result.cause is (cause or Cause.STOPPED)
    assert len(s.calls) == len(s.desk.settled) == 1
    assert len(s.desk.asked) == 2


def test_a_grant_covers_what_the_call_then_uses(stage: Callable[..., Stage]) -> None:
    s = stage(*[{"text": "x" * 500, "run": ["seq 2000"]}] * 4)
    s.run(settings={"max_tokens": 5000})
    for (tokens, dollars), (usage, _) in zip(s.desk.asked, s.desk.settled, strict=True):
        assert tokens >= usage.counted
        assert dollars is not None and usage.dollars is not None and dollars >= usage.dollars


def test_prices_of_ones_own_and_unknown_ones(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "x", "usage": {"input_tokens": 1000, "cache_creation_input_tokens": 0, "output_tokens": 100}})
    unknown = s.run(settings={"model": "house-model"})
    assert unknown.usage.dollars is None and s.desk.asked[-1][1] is None
    own = s.run(settings={"model": "house-model"}, prices={"house-model": Price(input=1, output=10)})
    assert own.usage.dollars == pytest.approx(0.002)


def test_a_note_reaches_the_model_with_the_next_message(stage: Callable[..., Stage]) -> None:
    s = stage({"run": ["true"]}, {"run": ["true"]}, {"text": "wrapped up"})
    s.desk.answer = lambda tokens, dollars: s.desk.say("85 % is used: wrap up") or Grant(True) if len(
        s.desk.asked) == 2 else Grant(True)  # fmt: skip
    assert s.run().said == "wrapped up"
    content = s.calls[2]["messages"][-1]["content"]
    assert [block["type"] for block in content] == ["tool_result", "text"]
    assert content[-1]["text"] == "A note from the daemon: 85 % is used: wrap up"
    assert "wrap up" not in json.dumps(s.calls[1])


@pytest.mark.parametrize(
    "turn",
    [{"text": "x", "stall": {"seconds": 30, "after": 3}}, {"hang": 30.0}, {"run": ["sleep 30"]},
     {"error": {"status": 429, "headers": {"retry-after": "30"}}}],
)  # fmt: skip
def test_a_stop_ends_it_within_a_second(stage: Callable[..., Stage], turn: dict[str, Any]) -> None:
    s = stage(turn)
    said = []

    def watch() -> None:
        while not s.calls:
            time.sleep(0.01)
        time.sleep(0.2)
        said.append(time.monotonic())
        s.desk.say("stop", stop=True)

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = s.run(Patience(retries=60))
    ended = time.monotonic()
    watcher.join()
    assert result.cause is Cause.STOPPED and result.error is None and result.wait is None
    assert ended - said[0] < 1
    assert len(s.desk.settled) == len(s.desk.asked) == 1
    assert all(process.poll() is not None for process in s.desk.opened)


class ShimDesk(LocalDesk):
    """The desk with tools under a real shim, as a worker runs them."""

    def open(self, argv: list[str], *, env: Mapping[str, str]) -> Tool:  # type: ignore[override]
        request = Request(tuple(argv), str(self.directory), env, self.run_dir / "tools.log")
        return self.shim.open(request)

    shim: Shim


@pytest.mark.parametrize("stopped", [False, True])
def test_tools_under_a_real_shim(stage: Callable[..., Stage], stopped: bool) -> None:
    s = stage(
        {"run": ["nohup setsid sleep 300 & echo $!", *(["touch begun; sleep 30"] if stopped else [])]}, {"text": "ok"}
    )
    desk = ShimDesk(s.root / "tree", s.root / "run")
    desk.shim = Shim.start(-1, secrets.token_hex(16))
    with desk.shim:
        if stopped:
            desk.say("stop", stop=True, after=1.0)
        begun = time.monotonic()
        result = ApiAgent("api", Agent(kind="api", base_url=s.server.url), patience=QUICK).run(job(s.root), desk)
        assert time.monotonic() - begun < 2.5
        assert result.cause is (Cause.STOPPED if stopped else None)
        assert (s.root / "tree" / "begun").exists() == stopped
        assert result.said == ("" if stopped else "ok")
        assert not [child for child in psutil.Process().children(recursive=True) if child.name() == "sleep"]
    desk.close()


def test_a_stop_before_the_first_call(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "x"})
    s.desk.say("stop", stop=True)
    assert s.run().cause is Cause.STOPPED
    assert not s.calls


def test_a_limit_of_the_desk_that_comes_without_a_word(stage: Callable[..., Stage]) -> None:
    s = stage({"hang": 30.0})
    timer = threading.Timer(0.3, setattr, (s.desk, "cause", Cause.MEMORY))
    timer.start()
    begun = time.monotonic()
    assert s.run().cause is Cause.MEMORY
    assert time.monotonic() - begun < 4
    timer.join()


def test_the_time_limit(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "begun", "stall": {"seconds": 30, "after": 4}})
    begun = time.monotonic()
    result = s.run(seconds=0.6)
    assert 0.5 < time.monotonic() - begun < 3
    assert result.cause is Cause.TIMEOUT
    assert s.desk.settled[0][0].counted > 0 and s.desk.settled[0][0].estimated


def test_a_desk_that_breaks_is_not_swallowed(stage: Callable[..., Stage]) -> None:
    s = stage({"hang": 30.0})

    def broken() -> None:
        raise ConnectionError("the daemon is gone")

    s.desk.poll = broken  # type: ignore[assignment]
    with pytest.raises(ConnectionError, match="the daemon is gone"):
        s.run()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"name": "nonesuch", "input": {}}, "unknown tool 'nonesuch'"),
        ({"name": "bash", "input": {}}, "command is missing"),
        ({"name": "bash", "input": '{"command": "tru'}, 'the arguments are no JSON object: {"command": "tru'),
        ({"name": "bash", "input": "[1]"}, "no JSON object: [1]"),
        ({"name": "str_replace_based_edit_tool", "input": {"command": "view", "path": "/etc/passwd"}}, "outside"),
        ({"name": "bash", "input": {"command": "sleep 30", "timeout": 0.2}}, "timed out after 0.2 s"),
        ({"name": "bash", "input": {"command": "kill -9 $PPID; sleep 30"}}, "the tools ended while this ran"),
    ],
)
def test_a_bad_tool_call_is_an_error_result(stage: Callable[..., Stage], call: dict[str, Any], expected: str) -> None:
    s = stage({"tools": [call]}, {"run": ["echo still here"]}, {"text": "ok"})
    result = s.run()
    assert (result.said, result.error) == ("ok", None)
    first = s.calls[1]["messages"][-1]["content"][0]
    assert first["is_error"] is True and expected in first["content"]
    assert s.last_results() == ["still here"]


def test_a_frozen_tool_host_is_killed(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ralph.agents.api_tools.SLACK", 0.2)
    freeze = {"name": "bash", "input": {"command": "kill -STOP $PPID; sleep 30", "timeout": 0.3}}
    s = stage({"tools": [freeze]}, {"run": ["echo still here"]}, {"text": "ok"})
    assert s.run().said == "ok"
    assert "was killed" in s.calls[1]["messages"][-1]["content"][0]["content"]
    assert s.last_results() == ["still here"]


def test_a_thousand_calls_at_once_are_answered(stage: Callable[..., Stage]) -> None:
    s = stage({"run": [f"echo {number}" for number in range(1000)]}, {"text": "ok"})
    assert s.run().said == "ok"
    results = s.last_results()
    assert len(results) == 1000
    assert results[31] == "31" and results[32] == "not run: more than 32 calls at once"


def test_huge_results_of_one_turn_are_cut(stage: Callable[..., Stage]) -> None:
    s = stage({"run": ["head -c 200000 /dev/zero | tr '\\0' x"] * 10}, {"text": "ok"})
    assert s.run().said == "ok"
    assert sum(len(one) for one in s.last_results()) < 420_000


def test_a_cut_answer_is_gone_on_with_and_its_calls_are_not_run(stage: Callable[..., Stage]) -> None:
    s = stage(
        {"text": "first half", "run": ["touch wrong"], "stop_reason": "max_tokens"},
        {"thinking": "only thought", "stop_reason": "max_tokens"},
        {"text": "done"},
    )
    assert s.run().said == "done"
    content = s.calls[1]["messages"][-1]["content"]
    assert content[0]["is_error"] and "cut" in content[0]["content"]
    assert "smaller steps" in content[1]["text"]
    assert not (s.root / "tree" / "wrong").exists()


@pytest.mark.parametrize("turn", [{"text": "x"}, {}])
def test_answers_that_are_always_cut_come_to_an_end(stage: Callable[..., Stage], turn: dict[str, Any]) -> None:
    s = stage(*[{**turn, "stop_reason": "max_tokens"}] * 30)
    result = s.run()
    assert result.error == "5 answers in a row ended with max_tokens"
    assert len(s.calls) == 5


def test_a_pause_is_gone_on_with(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "half", "stop_reason": "pause_turn"}, {"text": "done"})
    assert s.run().said == "done"
    assert [message["role"] for message in s.calls[1]["messages"]] == ["user", "assistant"]
    s = stage(*[{"text": "half", "stop_reason": "pause_turn"}] * 30)
    assert s.run().error == "11 answers in a row ended with pause_turn"


def test_a_refusal_ends_it(stage: Callable[..., Stage]) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "looks like an exploit"}
    s = stage({"text": "no", "stop_reason": "refusal", "stop_details": details})
    result = s.run()
    assert (result.error, result.exit_code, result.wait) == ("the model refused: looks like an exploit", None, None)


@pytest.mark.parametrize(
    "full",
    [
        {"text": "x", "stop_reason": "model_context_window_exceeded"},
        {"text": "ok", "times": 1, "error": {"status": 400, "message": "prompt is too long: 9 tokens > 8 maximum"}},
        {"text": "ok", "times": 1, "error": {"status": 413}},
    ],
)
def test_a_full_context_is_made_smaller_by_cutting_old_results(
    stage: Callable[..., Stage], full: dict[str, Any]
) -> None:
    s = stage({"run": ["seq 3000"]}, {"run": ["seq 3000"]}, full, {"text": "ok"})
    result = s.run()
    assert (result.said, result.error) == ("ok", None)
    old = s.calls[-1]["messages"][2]["content"][0]["content"]
    assert len(old) < 400 and "did not fit" in old
    assert len(s.calls[2]["messages"][2]["content"][0]["content"]) > 10_000


def test_a_context_that_can_not_shrink_ends_it(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "x", "stop_reason": "model_context_window_exceeded"})
    assert s.run().error == "the conversation does not fit into the model's context window"


@pytest.mark.parametrize(
    ("message", "gone"),
    [("thinking.type: adaptive is not supported", "thinking"), ("effort: not permitted", "output_config"),
     ("cache_control: Extra inputs are not permitted", "cache_control")],
)  # fmt: skip
def test_a_parameter_that_a_model_does_not_know_is_left_out(
    stage: Callable[..., Stage], message: str, gone: str
) -> None:
    s = stage({"text": "ok", "times": 1, "error": {"status": 400, "message": message}})
    assert s.run(settings={"effort": "low"}).said == "ok"
    assert gone in s.calls[0] and gone not in s.calls[1]


def test_trouble_in_the_middle_keeps_the_conversation(stage: Callable[..., Stage]) -> None:
    s = stage({"run": ["echo one"]}, {"text": "two", "times": 1, "error": {"status": 529}})
    result = s.run()
    assert (result.said, len(s.calls)) == ("two", 3)
    assert s.calls[1]["messages"] == s.calls[2]["messages"]


def test_the_base_url_may_come_from_the_environment(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "ok"})
    the_job = job(s.root, secrets={"MY_KEY": "k", "ANTHROPIC_BASE_URL": s.server.url})
    agent = ApiAgent("api", Agent(kind="api", api_key_env="MY_KEY"))
    assert agent.run(the_job, s.desk).said == "ok"


FORKED = """
import os, sys
import psutil
import ralph.agents.warm
from pathlib import Path
from ralph.agents.api import ApiAgent
from ralph.config import Agent
from tests.desk import LocalDesk, job

root, url = Path(sys.argv[1]), sys.argv[2]
if os.fork() == 0:
    own = psutil.Process().memory_full_info().uss
    result = ApiAgent("api", Agent(kind="api", base_url=url)).run(job(root), LocalDesk(root / "tree", root / "run"))
    print(result.said, psutil.Process().memory_full_info().uss - own, flush=True)
    os._exit(0)
os.wait()
"""


def test_a_forked_conversation_needs_little_memory_of_its_own(stage: Callable[..., Stage]) -> None:
    s = stage(*[{"text": "look", "run": ["seq 5000"]}] * 10, {"text": "ok"})
    argv = [sys.executable, "-W", "error", "-c", FORKED, str(s.root), s.server.url]
    top = Path(__file__).parents[2]
    done = subprocess.run(argv, cwd=top, env={**os.environ, "PYTHONPATH": str(top)}, capture_output=True, text=True)
    assert done.stdout, done.stderr
    said, size = done.stdout.split()
    assert said == "ok"
    assert int(size) < 25_000_000
