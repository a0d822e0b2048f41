"""The rules of the guard, what allows each of them, and the words in which a finding tells what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ralph.core.claim_words import DECLARED
from ralph.domain import Finding
from ralph.verify.guards.diff import UNJUDGED

DELETE, WEAKEN, SKIP = "delete-test", "weaken-test", "skip-test"
SNAPSHOT, SUPPRESS = "snapshot", "suppress"
PATCHED, DETECTION, SHADOW, LEFTOVER = "patched-assertion", "test-detection", "shadow", "leftover"

ALLOWED_BY = {
    DELETE: DELETE,
    WEAKEN: WEAKEN,
    SKIP: SKIP,
    SNAPSHOT: SNAPSHOT,
    SUPPRESS: SUPPRESS,
    PATCHED: WEAKEN,
    UNJUDGED: WEAKEN,
}
"""Rule to the word in a task's ``allow`` that declares it; a rule that is missing here can't be declared."""

_INSTEAD = {
    DELETE: "restore the test",
    WEAKEN: "restore the assertion",
    SKIP: "let the test run",
    SNAPSHOT: "restore the stored result",
    SUPPRESS: "mend what the check says",
    PATCHED: "leave assertions and runner as they are",
    UNJUDGED: "leave the file as it was",
}


def settled(findings: Iterable[Finding], allow: Collection[str], tests: Collection[str]) -> list[Finding]:
    """The findings once each, the declared ones as notes, the others with what to do; in the order of the files.

    ``tests``: paths of test files, where alone a patched assertion can be declared.
    """
    once = {(one.rule, one.path, one.line, one.message): one for one in findings}
    helpers = {(one.path, one.line) for one in once.values() if one.message.startswith("helper ")}
    once = {
        key: one
        for key, one in once.items()
        if not ((one.path, one.line) in helpers and one.message.startswith("test "))
    }
    ordered = sorted(once.values(), key=lambda one: (one.path, one.line, one.rule, one.message))
    return [_settled(one, allow, tests) for one in ordered]


def _settled(one: Finding, allow: Collection[str], tests: Collection[str]) -> Finding:
    word = ALLOWED_BY.get(one.rule, "")
    if one.rule == SHADOW and f"protected:{one.path}" in allow:
        return replace(one, note=True, message=DECLARED + one.message)
    if one.rule == PATCHED and one.path not in tests:
        word = ""
    if one.note or not word:
        return one
    if word in allow:
        return replace(one, note=True, message=DECLARED + one.message)
    return replace(one, message=f"{one.message}; {_INSTEAD[one.rule]}, or ask for allow = ['{word}']")
