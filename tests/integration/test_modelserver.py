"""The scripted model server over real HTTP, with the official client and with plain sockets."""

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from ralph.errors import RalphError
from ralph.modelserver import Script, Server, serve

SCRIPT: dict[str, Any] = {
    "tasks": {
        "greet": [
            [{"thinking": "hm", "text": "first", "write": {"a.txt": "hello\n"}, "run": ["ls"]}, {"text": "second"}],
            [{"text": "again"}],
        ],
        "greet-2": [[{"text": "other task"}]],
    },
    "scenarios": {
        "busy": [[{"error": {"status": 429, "headers": {"retry-after": "7"}}}]],
        "once": [[{"text": "fine", "error": {"status": 529}, "times": 1}]],
        "spend": [[{"error": {"status": 429, "error_code": "enforced_spend_limit_reached"}}]],
        "mid": [[{"text": "x", "error": {"type": "overloaded_error", "after": 2}}]],
        "cut": [[{"text": "x" * 5000, "cut": 900}]],
        "silent": [[{"text": "x", "stall": {"seconds": 30, "ping": 0.01}}]],
        "html": [[{"raw": {"status": 502, "body": "<html>bad gateway</html>"}}]],
        "gone": [[{"drop": True}]],
    },
    "default": [[{"text": "who?"}]],
}
TOOLS = [
    {"type": "bash_20250124", "name": "bash"},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
]


@pytest.fixture
def server() -> Any:
    with serve(Script.parse(SCRIPT)) as running:
        yield running


def ask(server: Server, prompt: str, path: str = "", **more: Any) -> anthropic.types.Message:
    with anthropic.Anthropic(api_key="k-1234", base_url=server.url + path, max_retries=0) as client:
        return client.messages.create(
            model="claude-sonnet-5-5", max_tokens=100, messages=[{"role": "user", "content": prompt}], **more
        )


def text(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Task: greet\nAttempt: 1\n\nlog: attempt 7", "first"),
        ("Task: greet\nAttempt: 2\n\nFeedback on attempt 1", "again"),
        ("old notes\n\nTask: greet\nAttempt: 5", "again"),
        ("Task: greet-2\nAttempt: 1\n\nBuilds on: greet", "other task"),
        ("Task: other\nAttempt: 1\n\nBuilds on: greet", "who?"),
        ("please do greet-2, attempt 1", "other task"),
        ("please do greet (attempt 2 of 8)", "again"),
        ("nothing known", "who?"),
    ],
)
def test_the_answer_is_chosen_by_task_and_attempt_in_the_prompt(server: Server, prompt: str, expected: str) -> None:
    assert text(ask(server, prompt)) == expected


def test_the_answer_depends_on_the_request_alone(server: Server) -> None:
    first, second = ask(server, "Task greet", tools=TOOLS), ask(server, "Task greet", tools=TOOLS)
    assert first.model_dump() == second.model_dump()


def test_streamed_and_whole_answers_are_the_same(server: Server) -> None:
    whole = ask(server, "Task greet", tools=TOOLS)
    with (
        anthropic.Anthropic(api_key="k", base_url=server.url) as client,
        client.messages.stream(
            model="claude-sonnet-5-5", max_tokens=100, tools=TOOLS, messages=[{"role": "user", "content": "Task greet"}]
        ) as stream,
    ):
        streamed = stream.get_final_message()
    assert streamed.model_dump(exclude={"parsed_output"}) == whole.model_dump()
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert whole.stop_reason == "tool_use"


def test_the_conversation_goes_on_by_counting_answers(server: Server) -> None:
    first = ask(server, "Task greet", tools=TOOLS)
    calls = [block.id for block in first.content if block.type == "tool_use"]
    messages: Any = [
        {"role": "user", "content": "Task greet"},
        first.to_param(),
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "ok"} for id in calls]},
    ]
    with anthropic.Anthropic(api_key="k", base_url=server.url) as client:
        second = client.messages.create(model="m", max_tokens=9, tools=TOOLS, messages=messages)
        assert text(second) == "second"
        messages[1]["content"][0] = {**messages[1]["content"][0].model_dump(), "thinking": "altered"}
        with pytest.raises(anthropic.BadRequestError, match="thinking blocks cannot be modified"):
            client.messages.create(model="m", max_tokens=9, tools=TOOLS, messages=messages)
        messages[1:] = [messages[1], {"role": "user", "content": "no results"}]
        messages[1]["content"] = messages[1]["content"][1:]
        with pytest.raises(anthropic.BadRequestError, match="without `tool_result`"):
            client.messages.create(model="m", max_tokens=9, tools=TOOLS, messages=messages)


def test_usage_is_bytes_over_four_with_cache_fields(server: Server) -> None:
    plain = ask(server, "Task greet " + "x" * 4000).usage
    assert 1000 < plain.input_tokens < 1100
    assert plain.cache_creation_input_tokens == 0
    cached = ask(server, "Task greet " + "x" * 4000, cache_control={"type": "ephemeral"}).usage
    assert cached.input_tokens < 10
    assert cached.cache_creation_input_tokens is not None and cached.cache_creation_input_tokens > 1000
    assert plain.output_tokens > 0


@pytest.mark.parametrize(
    ("path", "raised"),
    [
        ("/s/busy", anthropic.RateLimitError),
        ("/s/spend", anthropic.RateLimitError),
        ("/s/once", anthropic.APIStatusError),
        ("/s/html", anthropic.InternalServerError),
        ("/s/gone", anthropic.APIConnectionError),
    ],
)
def test_errors_arrive_as_the_client_names_them(server: Server, path: str, raised: type[Exception]) -> None:
    with pytest.raises(raised) as caught:
        ask(server, "hi", path)
    if path == "/s/busy":
        assert isinstance(caught.value, anthropic.APIStatusError)
        assert caught.value.response.headers["retry-after"] == "7"
    if path == "/s/spend":
        assert getattr(caught.value, "error_code", "") == "enforced_spend_limit_reached"
    if path == "/s/once":
        assert text(ask(server, "hi", path)) == "fine"


def test_errors_inside_a_stream(server: Server) -> None:
    def run(path: str) -> None:
        with (
            anthropic.Anthropic(api_key="k", base_url=server.url + path, max_retries=0) as client,
            client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream,
        ):
            stream.until_done()

    with pytest.raises(anthropic.APIStatusError) as caught:
        run("/s/mid")
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")
    with pytest.raises(httpx2.RemoteProtocolError):
        run("/s/cut")


def test_a_stall_is_left_as_soon_as_the_server_closes() -> None:
    async def run() -> None:
        with serve(Script.parse(SCRIPT)) as server:
            async with anthropic.AsyncAnthropic(
                api_key="k", base_url=server.url + "/s/silent", max_retries=0
            ) as client:
                with pytest.raises(TimeoutError):
                    async with (
                        asyncio.timeout(0.3),
                        client.messages.stream(
                            model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
                        ) as stream,
                    ):
                        await stream.until_done()

    asyncio.run(asyncio.wait_for(run(), 5))


def request(url: str, headers: dict[str, str], data: object = None) -> tuple[int, Any]:
    body = None if data is None else json.dumps(data).encode()
    asked = urllib.request.Request(url, data=body, headers=headers, method="POST" if body else "GET")
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_both_kinds_of_key_are_accepted_and_a_wrong_one_is_not() -> None:
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    with serve(Script(), key="secret-key") as server:
        url = server.url + "/v1/messages"
        assert request(url, {"authorization": "Bearer secret-key"}, body)[0] == 200
        assert request(url, {"x-api-key": "secret-key"}, body)[0] == 200
        assert request(url, {"x-api-key": "other--key"}, body)[0] == 401
        assert request(url, {}, body)[0] == 401
        assert [one.auth for one in server.requests] == ["bearer", "x-api-key", "x-api-key", ""]
        assert "secret-key" not in repr(server.requests)


def test_what_the_api_would_refuse_is_refused() -> None:
    with serve(Script()) as server:
        url, key = server.url + "/v1/messages", {"x-api-key": "k"}
        user = {"role": "user", "content": "hi"}
        for body in ({}, {"messages": [user]}, {"max_tokens": 1, "messages": [user], "temperature": 1}, [1]):
            status, answer = request(url, key, body)
            assert status == 400
            assert answer["error"]["type"] == "invalid_request_error"


def test_models_tokens_and_hello(server: Server) -> None:
    with anthropic.Anthropic(api_key="k", base_url=server.url) as client:
        assert client.models.retrieve("claude-opus-5-5").max_tokens == 128_000
        assert "claude-sonnet-5-5" in [model.id for model in client.models.list()]
        counted = client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "x" * 400}])
        assert counted.input_tokens > 100
    hello = urllib.request.Request(server.url + "/api/hello", method="HEAD")
    with urllib.request.urlopen(hello, timeout=5) as answer:
        assert answer.status == 200


def test_run_as_a_program_logs_requests_and_ends_with_its_input(tmp_path: Path) -> None:
    script, log = tmp_path / "script.json", tmp_path / "log.jsonl"
    script.write_text(json.dumps(SCRIPT))
    argv = [sys.executable, "-m", "ralph.modelserver", "--script", str(script), "--log", str(log), "--until-eof"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        url = process.stdout.readline().strip()
        body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Task greet"}]}
        status, answer = request(url + "/v1/messages", {"x-api-key": "k-abcd"}, body)
        assert (status, answer["content"][-1]["text"]) == (200, "first")
        process.stdin.close()
        assert process.wait(5) == 0
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(one["path"], one["key_tail"]) for one in logged] == [("/v1/messages", "abcd")]


def test_a_script_may_be_python_and_mistakes_name_their_place(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text("SCRIPT = {'tasks': {f't{n}': [[{'text': str(n)}]] for n in range(3)}}")
    assert Script.load(path).turn("", "Task t2", 0)[1].text == "2"
    path = tmp_path / "script.json"
    path.write_text('{"tasks": {"a": [[{"txet": "x"}]]}}')
    with pytest.raises(RalphError, match=r"tasks\.a\.0\.0\.txet"):
        Script.load(path)
    with pytest.raises(RalphError, match="can't be read"):
        Script.load(tmp_path / "absent.json")
