import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.agents.claude_code import judge
from ralph.agents.claude_events import Call, Reader, Retry
from ralph.agents.pricing import price
from ralph.domain import AgentResult, Cause, Usage
from ralph.host.process import Completed

SAMPLES = Path(__file__).parents[1] / "samples"
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
RESETS = 1795190400
"""2026-11-20 16:00 UTC, the reset time in the recorded subscription events."""


def ended(exit_code: int | None = 1, cause: Cause | None = None) -> Completed:
    return Completed(("claude",), exit_code, None, cause, "", 0, Path("agent.log"), 0, "")


def read(name: str) -> tuple[Reader, list[Call | Retry]]:
    reader = Reader()
    lines = (SAMPLES / f"claude_{name}.jsonl").read_bytes().splitlines()
    return reader, [seen for line in lines if (seen := reader.feed(line))]


def judged(name: str, exit_code: int | None = 1, cause: Cause | None = None) -> AgentResult:
    return judge(read(name)[0], ended(exit_code, cause), "", NOW)


ENDINGS = [
    # a run that did its work, whatever it waited for in between
    ("edit", "ok"),
    ("partial", "ok"),
    ("429once", "ok"),
    ("oauthwarn", "ok"),
    ("perm", "ok"),
    # a person has to act
    ("401", "halt: Invalid API key · Fix external API key"),
    ("403", "halt: Failed to authenticate. API Error: 403"),
    ("nokey", "halt: Not logged in · Please run /login"),
    ("402", "halt: Credit balance is too low"),
    ("400credit", "halt: Credit balance is too low"),
    ("400limit", "halt: API Error: 400 You have reached your specified API usage limits."),
    ("429spend", "halt: API Error: Request rejected (429) · You have reached your API usage limits."),
    # the account waits
    ("oauth429", "wait 7200: five hour limit reached"),
    ("429", "guess 60: Request rejected (429)"),
    ("429uni", "guess 60: Request rejected (429)"),
    ("529", "guess 60: API Error: Repeated 529 Overloaded errors."),
    ("500", "guess 60: API Error: 500 Internal server error."),
    ("noconn", "guess 60: API Error: Connection refused"),
    # the attempt failed
    ("toolong", "error: prompt_too_long: Prompt is too long"),
    ("413", "error: image_error: Request too large"),
    ("404", "error: api_error: There's an issue with the selected model"),
    ("refusal", "error: api_error: API Error: Opus 5.5's safeguards flagged this message"),
    ("maxtok", "error: api_error: API Error: Claude's response exceeded"),
    ("ctx", "error: api_error: API Error: The model has reached its context window limit."),
    ("sse", "error: completed: [ede_diagnostic]"),
    ("loop_maxturns", "error: max_turns: Reached maximum number of turns (3)"),
    ("loop_budget", "error: budget_exhausted: Reached maximum budget ($0.07)"),
    ("loop_int", "error: aborted_streaming:"),
    ("loop_term", "error: exit 1 without a result"),
]


def told(result: AgentResult) -> str:
    if result.wait and result.wait.halt:
        return f"halt: {result.wait.reason}"
    if result.wait:
        kind = "guess" if result.wait.guessed else "wait"
        return f"{kind} {result.wait.until - NOW.timestamp():g}: {result.wait.reason}"
    return f"error: {result.error}" if result.error else "ok"


@pytest.mark.parametrize(("name", "expected"), ENDINGS)
def test_recorded_endings(name, expected):
    kind, _, reason = expected.partition(": ")
    said = told(judged(name))
    assert said.partition(": ")[0] == kind
    assert reason in said


@pytest.mark.parametrize("name", [name for name, _ in ENDINGS])
def test_the_exit_code_decides_nothing_where_there_is_a_result(name):
    if name != "loop_term":
        assert told(judged(name, 0)) == told(judged(name, 1)) == told(judged(name, None))


def test_every_recorded_ending_is_listed():
    recorded = {path.stem.removeprefix("claude_") for path in SAMPLES.glob("claude_*.jsonl")}
    assert recorded - {"defretry429"} == {name for name, _ in ENDINGS}


def test_a_cause_wins_over_whatever_the_cli_said():
    result = judged("edit", None, Cause.TIMEOUT)
    assert (result.cause, result.error, result.wait) == (Cause.TIMEOUT, None, None)


def test_a_stated_reset_wins_over_a_guess():
    assert judged("oauth429").wait.until == RESETS


def test_live_tokens_are_those_of_the_final_total_and_of_its_price():
    reader, seen = read("partial")
    calls = [call for call in seen if isinstance(call, Call)]
    assert len(calls) == len({call.id for call in calls}) == 4
    total = sum((call.usage for call in calls), Usage())
    (final,) = reader.ending.totals.values()
    assert (total.input_tokens, total.cache_write_tokens, total.cache_read_tokens, total.output_tokens) == (
        final.input_tokens, final.cache_write_tokens, final.cache_read_tokens, final.output_tokens,
    )  # fmt: skip
    priced = sum(price(call.model, call.raw, {}) for call in calls)
    assert priced == pytest.approx(reader.ending.dollars, rel=1e-9)
    assert reader.rest() == []


def test_tokens_of_a_call_that_is_cut_off_are_kept():
    lines = (SAMPLES / "claude_partial.jsonl").read_bytes().splitlines()
    reader = Reader()
    for line in lines:
        reader.feed(line)
        if reader.live().calls:
            break
    assert reader.live().counted == 3 + 1
    (cut,) = reader.rest()
    assert cut.usage.cache_read_tokens == 12158
    assert reader.rest() == []


def stream(kind: str, thread: str | None = None, **event) -> bytes:
    return json.dumps({"event": {"type": kind, **event}, "parent_tool_use_id": thread, "type": "stream_event"}).encode()


def start(id: str, **usage) -> dict:
    return {"message": {"id": id, "model": "m", "usage": usage}}


def test_interleaved_sub_agents_are_counted_apart():
    reader = Reader()
    reader.feed(stream("message_start", **start("a", input_tokens=1)))
    reader.feed(stream("message_start", "tool-1", **start("b", input_tokens=10)))
    reader.feed(stream("message_delta", usage={"output_tokens": 100}))
    reader.feed(stream("message_delta", "tool-1", usage={"output_tokens": 1000}))
    assert reader.live().counted == 1111
    assert reader.feed(stream("message_stop")).usage.counted == 101
    assert reader.feed(stream("message_stop", "tool-1")).usage.counted == 1010
    assert reader.feed(stream("message_stop")) is None


def test_a_call_that_is_told_twice_counts_once_and_never_less():
    reader = Reader()
    reader.feed(stream("message_start", **start("a", input_tokens=5, output_tokens=1)))
    reader.feed(stream("message_delta", usage={"output_tokens": 50, "input_tokens": -3}))
    reader.feed(stream("message_delta", usage={"output_tokens": 7, "input_tokens": True}))
    assert reader.feed(stream("message_stop")).usage.counted == 55
    reader.feed(stream("message_start", **start("a", input_tokens=5)))
    assert reader.live().counted == 0


def result(**fields) -> bytes:
    return json.dumps({"is_error": False, "result": "done", **fields, "type": "result"}).encode()


def test_a_second_result_never_lowers_the_cost():
    reader = Reader()
    reader.feed(result(total_cost_usd=2.5, modelUsage={"m": {"inputTokens": 7}}))
    reader.feed(result(total_cost_usd=-1, modelUsage={}))
    assert reader.ending.dollars == 2.5
    assert reader.ending.totals["m"].input_tokens == 7


def test_a_result_without_a_plain_no_error_is_an_error():
    for odd in (None, "false", 0):
        reader = Reader()
        reader.feed(result(is_error=odd))
        assert not reader.ending.ok


def test_the_model_saying_the_words_is_no_limit():
    reader = Reader()
    reader.feed(result(result="I changed the text to: You've hit your limit · resets 3am"))
    assert told(judge(reader, ended(0), "", NOW)) == "ok"


def test_a_limit_event_that_was_overcome_does_not_count():
    reader = Reader()
    reader.feed((SAMPLES / "claude_oauth429.jsonl").read_bytes().splitlines()[1])
    reader.feed(result())
    assert told(judge(reader, ended(0), "", NOW)) == "ok"


@pytest.mark.parametrize(
    ("errors", "exit_code", "expected"),
    [
        ("--dangerously-skip-permissions cannot be used with root", 1, "error: exit 1 without a result: --dangerously"),
        ("", 0, "error: ended without a result"),
        ("Error: You've hit your limit · resets 5pm (UTC)", 1, "wait 10800: You've hit your limit"),
        ("Invalid API key · Please run /login", 1, "halt: Invalid API key"),
    ],
)
def test_no_result_at_all(errors, exit_code, expected):
    assert told(judge(Reader(), ended(exit_code), errors, NOW)).startswith(expected)


def test_words_on_stdout_that_are_no_event_are_heard():
    reader = Reader()
    reader.feed("You've hit your weekly limit · resets Nov 22 at 5am (UTC)\n".encode())
    assert told(judge(reader, ended(1), "", NOW)).startswith("wait 140400: You've hit your weekly limit")


def test_pauses_are_announced():
    _, seen = read("defretry429")
    assert seen == [Retry(16245.549, 429, "rate_limit", 1, 300)]


KEYS = st.sampled_from(
    [
        "type",
        "subtype",
        "event",
        "message",
        "usage",
        "id",
        "model",
        "content",
        "result",
        "errors",
        "modelUsage",
        "is_error",
    ]
) | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
TYPES = st.sampled_from(["stream_event", "assistant", "rate_limit_event", "result", "system", "user", "new_thing"])
EVENTS = st.fixed_dictionaries({"type": TYPES}, optional={
    "event": st.fixed_dictionaries(
        {"type": st.sampled_from(["message_start", "message_delta", "message_stop"])},
        optional={"message": JSON, "usage": JSON},
    ) | JSON,
    "message": JSON, "modelUsage": JSON, "total_cost_usd": JSON, "rate_limit_info": JSON, "subtype": JSON,
    "errors": JSON, "result": JSON, "api_error_status": JSON, "error": JSON, "retry_delay_ms": JSON,
})  # fmt: skip


@given(st.lists(EVENTS | JSON, max_size=8))
def test_no_event_breaks_the_reader(events):
    reader = Reader()
    for event in events:
        reader.feed(json.dumps(event).encode())
    assert reader.live().counted >= 0
    reader.rest()
    judge(reader, ended(1), "", NOW)


@given(st.binary(max_size=200))
def test_no_line_breaks_the_reader(line):
    assert Reader().feed(line) is None
