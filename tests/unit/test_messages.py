"""Messages between daemon and worker: what is sent arrives as it was, what is no message is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from ralph.domain import (
    AgentResult,
    Cause,
    Change,
    Execution,
    Feedback,
    Finding,
    GateResult,
    GuardResult,
    IterationResult,
    IterationSpec,
    Outcome,
    Reflection,
    Task,
    TestCounts,
    TestFailure,
    Usage,
    Verdict,
    Wait,
)
from ralph.domain.task import Budget
from ralph.engine import messages
from ralph.engine.messages import decode_down, decode_up, encode_down, encode_up, plain

words = st.text(max_size=12)
numbers = st.integers(0, 10**12)
floats = st.floats(0, 1e12, allow_nan=False, allow_infinity=False)
money = st.none() | floats
lines = st.lists(words, max_size=3).map(tuple)


def table(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(words, values, max_size=3)


usages = st.builds(Usage, numbers, numbers, numbers, numbers, money, money, numbers, st.booleans())
waits = st.builds(Wait, floats, words, st.booleans(), st.booleans())
causes = st.none() | st.sampled_from(Cause)
agents = st.builds(
    AgentResult,
    st.none() | st.integers(0, 255),
    st.none() | words,
    causes,
    st.none() | waits,
    usages,
    st.booleans(),
    words,
)
executions = st.builds(
    Execution, lines, words, words, words, floats, st.none() | st.integers(0, 255), st.none() | numbers, causes
)
counts = st.builds(TestCounts, numbers, numbers, numbers, numbers)
gates = st.builds(
    GateResult,
    words,
    words,
    st.sampled_from(Verdict),
    words,
    st.none() | executions,
    st.none() | counts,
    st.lists(st.builds(TestFailure, words, words), max_size=2).map(tuple),
    words,
    advisory=st.booleans(),
    outcomes=table(st.sampled_from(["passed", "failed"])),
)
guards = st.builds(
    GuardResult,
    words,
    st.sampled_from(Verdict),
    st.lists(st.builds(Finding, words, words, words, numbers), max_size=2).map(tuple),
)
reflections = st.none() | st.builds(Reflection, words, words, words, st.booleans(), words)
outcomes = st.sampled_from(Outcome)
several_gates = st.lists(gates, max_size=2).map(tuple)
several_guards = st.lists(guards, max_size=2).map(tuple)
feedback = st.none() | st.builds(Feedback, numbers, outcomes, words, several_guards, several_gates, reflections)
tasks = st.builds(
    Task, words, words, words, lines, lines, lines, lines, st.integers(), budget=st.builds(Budget, numbers, floats)
)
specs = st.builds(
    IterationSpec,
    task=tasks,
    attempt=numbers,
    start_tree=st.none() | words,
    tracked_by_base=table(st.lists(words, max_size=2)),
    feedback=feedback,
    handoffs=table(words),
    dollars_left=floats,
    seconds_left=floats,
    shared_files=lines,
    **dict.fromkeys(
        ["night", "iteration", "loop", "tag", "run_dir", "loop_dir", "mirror", "checkout", "head", "agent", "config"],
        words,
    ),
    **dict.fromkeys(["validate_only", "gate_base"], st.booleans()),
)
results = st.builds(
    IterationResult,
    words,
    st.booleans(),
    outcomes,
    words,
    st.none() | words,
    agents,
    st.lists(st.builds(Change, *[words] * 6), max_size=2).map(tuple),
    several_guards,
    several_gates,
    reflections,
    words,
    table(floats),
    numbers,
)
ups = st.one_of(
    st.builds(messages.Ready, numbers, floats, words),
    st.builds(messages.Step, words, words),
    st.builds(messages.Ask, numbers, numbers, money),
    st.builds(messages.Spent, numbers, words, usages),
    st.builds(messages.AgentWaits, floats, words),
    st.builds(messages.AgentEnded, agents, floats),
    st.builds(messages.Snapshot, words),
    st.builds(messages.Judged, words, several_guards, several_gates),
    st.builds(messages.Done, results),
    st.builds(messages.Broken, words, words),
    st.builds(messages.Checked, table(words | numbers | st.none())),
)
downs = st.one_of(
    st.builds(messages.Go, specs, table(words)),
    st.builds(messages.Check, specs, words, st.lists(tasks, max_size=2).map(tuple)),
    st.builds(messages.Granted, numbers, st.booleans(), words, causes),
    st.builds(messages.Known, several_gates),
    st.builds(messages.Tell, words, st.booleans(), causes),
)


@given(ups)
def test_what_a_worker_says_arrives(message: messages.Up) -> None:
    line = encode_up(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_up(line) == message


@given(downs)
def test_what_the_daemon_says_arrives(message: messages.Down) -> None:
    line = encode_down(message)
    assert line.count(b"\n") == 1
    assert decode_down(line) == message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_refused(line: bytes) -> None:
    for decode in (decode_up, decode_down):
        with pytest.raises(ValidationError):
            decode(line + b"\n")


@given(ups, st.data())
def test_a_message_with_a_wrong_field_is_refused(message: messages.Up, data: st.DataObject) -> None:
    body = json.loads(encode_up(message))
    field = data.draw(st.sampled_from([name for name in body if name != "type"]))
    body[field] = {"an": ["object"], "of": {"another": "shape"}}
    assume(not isinstance(message, messages.Checked))
    with pytest.raises(ValidationError):
        decode_up(json.dumps(body).encode())


@given(ups)
def test_a_cut_message_is_refused(message: messages.Up) -> None:
    with pytest.raises(ValidationError):
        decode_up(encode_up(message)[:-2])


@given(downs)
def test_a_worker_can_not_speak_as_the_daemon(message: messages.Down) -> None:
    with pytest.raises(ValidationError):
        decode_up(encode_down(message))


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"done","result":{"iteration":"i","ready":"yes please","outcome":"committed","summary":""}}',
        b'{"type":"done","result":{"iteration":"i","ready":true,"outcome":"completed","summary":""}}',
        b'{"type":"snapshot"}',
        b'{"type":"spent","id":1,"model":"m","usage":{"input_tokens":"many"}}',
        b'{"type":"\\u0064one"}',
        b"[" * 100_000,
        b'{"tree":"x"}',
        b"",
    ],
)
def test_forged_messages_are_refused(line: bytes) -> None:
    with pytest.raises(ValidationError):
        decode_up(line)


@given(agents)
def test_plain_data_is_json(agent: AgentResult) -> None:
    data = plain(agent)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert messages.adapter(AgentResult).validate_python(data) == agent
