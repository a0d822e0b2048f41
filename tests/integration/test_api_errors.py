"""The built-in agent and whatever goes wrong with the model API: retried, waited for, halted or given up."""

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from ralph.agents.api import ApiAgent, Patience
from ralph.config import Agent
from tests.api_stage import QUICK, Stage, stages
from tests.desk import LocalDesk, job

stage = pytest.fixture(stages)


@pytest.mark.parametrize(
    ("turn", "calls", "kind", "text"),
    [
        ({"error": {"status": 401, "message": "invalid x-api-key"}}, 1, "halt", "401 authentication_error"),
        ({"error": {"status": 402}}, 1, "halt", "402 billing_error"),
        ({"error": {"status": 403}}, 1, "halt", "403 permission_error"),
        ({"error": {"status": 404, "message": "model: nope"}}, 1, "fail", "model: nope"),
        ({"error": {"status": 400, "message": "bad request"}}, 1, "fail", "bad request"),
        ({"error": {"status": 400, "message": "Your credit balance is too low."}}, 1, "halt", "credit"),
        ({"error": {"status": 400, "message": "You have reached your specified API usage limits. You will regain "
                    "access on 2031-12-01 at 00:00 UTC."}}, 1, "halt", "specified API usage limits"),
        ({"error": {"status": 429, "error_code": "enforced_spend_limit_reached"}}, 1, "halt", "enforced_spend_limit"),
        ({"error": {"status": 429, "error_code": "contract_spend_limit_reached"}}, 1, "halt", "contract_spend_limit"),
        ({"error": {"status": 402, "error_code": "linked_organization_spend_limit_reached"}}, 1, "halt", "linked_org"),
        ({"error": {"status": 413}}, 1, "fail", "413 request_too_large"),
        ({"error": {"status": 400, "message": "prompt is too long: 9 tokens > 8 maximum"}}, 1, "fail", "too long"),
        ({"error": {"status": 429}}, 5, "wait", "429 rate_limit_error"),
        ({"error": {"status": 429, "headers": {"x-should-retry": "false"}}}, 1, "wait", "429 rate_limit_error"),
        ({"error": {"status": 429, "error_code": "ramp_limit_exceeded"}}, 5, "wait", "ramp_limit_exceeded"),
        ({"error": {"status": 500}}, 3, "wait", "500 api_error"),
        ({"error": {"status": 504}}, 3, "wait", "504 timeout_error"),
        ({"error": {"status": 503}}, 2, "wait", "503"),
        ({"error": {"status": 529}}, 2, "wait", "529 overloaded_error"),
        ({"raw": {"status": 502, "body": "<html>bad gateway</html>"}}, 3, "wait", "502"),
        ({"raw": {"status": 200, "headers": {"content-type": "text/html"}, "body": "<html>hi</html>"}}, 3, "wait",
         "does not speak the Messages API: no event"),
        ({"raw": {"status": 307, "headers": {"location": "http://127.0.0.1:9/"}}}, 1, "fail", "307"),
        ({"raw": {"headers": {"content-type": "text/event-stream", "content-encoding": "gzip"}, "body": "x"}}, 3,
         "wait", "packed"),
        ({"raw": {"headers": {"content-type": "text/event-stream"}, "body": "event: message_start\ndata: {oops\n\n"}},
         3, "wait", "JSONDecodeError"),
        ({"raw": {"headers": {"content-type": "text/event-stream"},
                  "body": "event: content_block_delta\ndata: {\"type\": \"content_block_delta\", \"index\": 7, "
                          "\"delta\": {\"type\": \"text_delta\", \"text\": \"x\"}}\n\n"}}, 3, "wait", "IndexError"),
        ({"error": {"type": "overloaded_error", "after": 0}}, 2, "wait", "overloaded_error"),
        ({"text": "abc", "error": {"type": "overloaded_error", "after": 2}}, 2, "wait", "overloaded_error"),
        ({"error": {"type": "api_error", "after": 1}}, 3, "wait", "api_error"),
        ({"error": {"type": "invalid_request_error", "after": 0}}, 1, "fail", "invalid_request_error"),
        ({"drop": True}, 4, "wait", "no answer from 127.0.0.1"),
        ({"text": "abc", "cut": 0}, 4, "wait", "no answer from 127.0.0.1"),
        ({"text": "abc", "cut": 1}, 4, "wait", "no answer from 127.0.0.1"),
        ({"text": "abc" * 500, "cut": 900}, 4, "wait", "no answer from 127.0.0.1"),
    ],
)  # fmt: skip
def test_every_row_of_the_error_table(
    stage: Callable[..., Stage], turn: dict[str, Any], calls: int, kind: str, text: str
) -> None:
    s = stage(turn)
    begun = time.time()
    result = s.run()
    assert len(s.calls) == calls
    assert len(s.desk.asked) == len(s.desk.settled) == calls
    assert result.exit_code is None and result.cause is None
    assert result.error is not None and text in result.error
    assert len(s.desk.waits) == calls - 1
    if kind == "halt":
        assert result.wait is not None and result.wait.halt and text in result.wait.reason
    elif kind == "fail":
        assert result.wait is None
    else:
        assert result.wait is not None and not result.wait.halt and result.wait.guessed
        assert begun + 60 <= result.wait.until <= begun + 90


@pytest.mark.parametrize(
    "turn",
    [{"error": {"status": 529}}, {"error": {"status": 429}}, {"error": {"status": 500}}, {"drop": True}, {"cut": 1},
     {"error": {"type": "overloaded_error", "after": 2}}, {"raw": {"body": "what?"}}, {"stall": {"seconds": 9}}],
)  # fmt: skip
def test_a_short_trouble_is_waited_out(stage: Callable[..., Stage], turn: dict[str, Any]) -> None:
    s = stage({**turn, "times": 1, "text": "fine"})
    result = s.run(Patience(retries=2.0, idle=0.4, scale=0.001))
    assert (result.said, result.error, result.exit_code) == ("fine", None, 0)
    assert len(s.calls) == len(s.desk.asked) == len(s.desk.settled) == result.usage.calls == 2
    assert len(s.desk.waits) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3600", 3600), ("1e9", 6 * 3600), ("30", 60), ("-1", None), ("soon", None), ("nan", None), ("date", 1800)],
)
def test_a_long_retry_after_becomes_the_accounts_wait(
    stage: Callable[..., Stage], header: str, seconds: float | None
) -> None:
    if header == "date":
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=1801), usegmt=True)
    s = stage({"error": {"status": 429, "headers": {"retry-after": header}}})
    begun = time.time()
    result = s.run()
    assert result.wait is not None and not result.wait.halt
    assert len(s.calls) == (5 if seconds is None else 1)
    assert result.wait.guessed == (seconds is None)
    assert begun + (seconds or 60) - 1 <= result.wait.until <= begun + (seconds or 60) + 30


@pytest.mark.parametrize("headers", [{"retry-after": "0"}, {"retry-after-ms": "300"}, {"retry-after": "0.3"}])
def test_a_short_retry_after_is_kept_by_the_agent_itself(stage: Callable[..., Stage], headers: dict[str, str]) -> None:
    s = stage({"text": "fine", "times": 1, "error": {"status": 429, "headers": headers}})
    begun = time.time()
    assert s.run().said == "fine"
    asked = 0.0 if headers.get("retry-after") == "0" else 0.3
    gap = s.server.messages()[1].at - s.server.messages()[0].at
    assert asked <= gap < asked + 1
    until, reason = s.desk.waits[0]
    assert begun + asked <= until < begun + asked + 3
    assert "429" in reason


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings = Agent(kind="api", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")
        desk = LocalDesk(tmp_path / "tree", tmp_path / "run")
        result = ApiAgent("api", settings, patience=QUICK).run(job(tmp_path), desk)
    desk.close()
    assert result.wait is not None and result.wait.guessed
    assert result.error is not None and "ConnectError" in result.error
    assert [usage.counted for usage, _ in desk.settled] == [0, 0, 0, 0]
    assert result.usage.dollars == 0


def test_without_a_key_nothing_is_called(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "x"})
    result = s.run(secrets={})
    assert result.wait is not None and result.wait.halt
    assert result.wait.reason == "ANTHROPIC_API_KEY is not set"
    assert not s.calls


def test_silence_ends_a_call_also_where_keep_alives_come(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "x", "stall": {"seconds": 30, "after": 1, "ping": 0.02}})
    begun = time.monotonic()
    result = s.run(Patience(retries=1.0, idle=0.3, scale=0.001))
    assert time.monotonic() - begun < 5
    assert result.error == "the model was silent for 0.3 s"
    assert result.wait is not None and result.wait.guessed


def test_a_call_may_take_longer_than_one_silence(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "slow but alive", "hang": 0.4, "stall": {"seconds": 0.4, "after": 2}})
    assert s.run(Patience(retries=0, idle=0.6)).said == "slow but alive"
    assert len(s.calls) == 1


def test_an_endless_body_is_cut_off(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ralph.agents.api_call.MAX_BYTES", 300_000)
    body = "data: " + "x" * 65_000
    s = stage({"raw": {"headers": {"content-type": "text/event-stream"}, "body": body, "repeat": 1000}})
    result = s.run()
    assert result.error is not None and "larger than 300000 bytes" in result.error


def test_a_cut_stream_is_charged_what_was_seen(stage: Callable[..., Stage]) -> None:
    s = stage({"text": "word " * 2000, "cut": 6000, "usage": {"input_tokens": 700}})
    result = s.run()
    first = s.desk.settled[0][0]
    assert first.input_tokens == 700
    assert first.cache_write_tokens > 0
    assert 1000 < first.output_tokens < 2500
    assert first.estimated and first.dollars is not None and first.dollars > 0
    assert result.usage.calls == 4


def test_an_error_without_an_answer_costs_nothing(stage: Callable[..., Stage]) -> None:
    s = stage({"error": {"status": 529}})
    assert s.run().usage.counted == 0
    assert [usage.calls for usage, _ in s.desk.settled] == [1, 1]
