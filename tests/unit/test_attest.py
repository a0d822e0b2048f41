from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ralph.verify import attest
from ralph.verify.attest import Attested, Statement

HEAD = "a" * 40
ONE = Attested(HEAD, "b" * 40, "t1", "n.loop-1.1", ("tests: passed (verified)", "lint: passed (verified)"), "c" * 64)
SAID = Statement(HEAD, "b" * 40, "d" * 40, "ralph/loop-1", ("n",), (ONE,), 17, "e" * 64)


def body(statement: Statement = SAID, before: str = "# words\n") -> str:
    return before + attest.section(statement)


def test_what_is_written_is_read_and_agrees() -> None:
    found = attest.read(body())
    assert found is not None
    assert attest.unbound(found, HEAD) == ""
    assert attest.differences(found, SAID) == []
    assert body() == body()
    assert attest.read(body().replace("\n", "\r\n")) == found


def test_another_head_is_named() -> None:
    found = attest.read(body())
    assert found is not None
    assert attest.unbound(found, "f" * 40) == "body binds aaaaaaaaaaaa, head is ffffffffffff"
    assert attest.unbound({}, HEAD) == "body binds nothing, head is aaaaaaaaaaaa"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"event": 17', '"event": 18', "the body's ledger is"),
        ("passed (verified)", "passed (proven)", "something else of aaaaaaaaaaaa: checks"),
        ('"branch": "ralph/loop-1"', '"branch": "main"', "the body's branch is"),
        ('"ralph": 1', '"ralph": 1, "more": 2', "the body adds more"),
        ('"commits": [', '"commits": [{}, ', "something else of aaaaaaaaaaaa"),
    ],
)
def test_every_change_is_named(old: str, new: str, said: str) -> None:
    found = attest.read(body().replace(old, new))
    assert found is not None
    assert any(said in line for line in attest.differences(found, SAID))


def test_a_commit_more_or_less_is_named() -> None:
    two = replace(SAID, commits=(ONE, replace(ONE, commit="9" * 40)))
    found = attest.read(body(two))
    assert found is not None
    assert "the body names 2 commits, the record 1" in attest.differences(found, SAID)


def test_an_agents_imitation_before_it_is_not_believed() -> None:
    forged = attest.section(replace(SAID, head="9" * 40))
    found = attest.read(body(before=forged))
    assert found is not None
    assert found["head"] == HEAD


@pytest.mark.parametrize("text", ["", "no block", "```json ralph-attestation\nnot json\n```", "```json\n{}\n```"])
def test_nothing_is_found_where_nothing_is(text: str) -> None:
    assert attest.read(text) is None


def test_many_commits_leave_their_digest_only_and_still_can_not_be_changed() -> None:
    many = replace(SAID, commits=tuple(replace(ONE, commit=f"{number:040x}") for number in range(200)))
    text = attest.section(many)
    assert len(text) < attest.MOST_BYTES + 1000
    found = attest.read(text)
    assert found is not None
    assert found["commits"] == 200
    assert attest.differences(found, many) == []
    other = replace(many, commits=(replace(ONE, checks=()), *many.commits[1:]))
    assert any("evidence" in line for line in attest.differences(found, other))
    assert json.loads(json.dumps(found)) == found
