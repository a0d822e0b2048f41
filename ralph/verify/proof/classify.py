"""What one test's outcome on another source says, from its kind of failure. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from ralph.domain import Proof

_MISSING = (
    re.compile(r"cannot import name '(?P<name>\w+)'"),
    re.compile(r"No module named '(?P<name>[\w.]+)'"),
    re.compile(r"has no attribute '(?P<name>\w+)'"),
    re.compile(r"name '(?P<name>\w+)' is not defined"),
    re.compile(r"does not provide an export named '(?P<name>\w+)'"),
    re.compile(r"Cannot find (?:module|package) '(?P<name>[^']+)'"),
    re.compile(r"(?P<name>[\w$.]+) is not a (?:function|constructor)"),
    re.compile(r"(?P<name>\w+) is not defined"),
    re.compile(r"undefined: (?:\w+\.)?(?P<name>\w+)"),
    re.compile(r"(?P<name>\w+) undefined \("),
    re.compile(r"cannot find (?:function|value|type|struct|macro)[^`]*`(?P<name>\w+)`"),
    re.compile(r"no (?:method|function or associated item) named `(?P<name>\w+)`"),
    re.compile(r"unresolved import `(?P<name>[\w:]+)`"),
)
_SIGNATURE = re.compile(
    r"unexpected keyword argument|required (?:positional|keyword-only) argument|takes .*positional arguments? but"
    r"|got multiple values for argument|too many arguments in call|not enough arguments in call"
)
_ASSERTION = re.compile(
    r"^(?:AssertionError|assert\b|Failed\b|DID NOT RAISE|expect\(|Expected\b|ERR_ASSERTION)", re.MULTILINE
)
_NOT_BEGUN = re.compile(r"fixture '[^']*' not found|failed on setup|collection failure|SyntaxError|IndentationError")


def missing_name(message: str) -> str:
    """The name whose absence a failure is about; empty where it is about something else."""
    if _ASSERTION.search(message):
        return ""
    for pattern in _MISSING:
        if found := pattern.search(message):
            return re.split(r"[.:/]", found["name"])[-1]
    return ""


def on_base(outcome: str | None, message: str) -> Proof | None:
    """What a touched test says that was run on the base's source; None where a stub has to tell.

    ``outcome`` is None where the run has no word about it: its file did not load, and not every runner says why.
    """
    if outcome is None:
        return None
    if outcome == "passed":
        return Proof.NOT_DISCRIMINATING
    if outcome != "failed":
        return Proof.INCONCLUSIVE
    if missing_name(message):
        return None
    return Proof.INCONCLUSIVE if _NOT_BEGUN.search(message) else Proof.PROVEN


def on_stubs(outcome: str | None, message: str) -> Proof:
    """What such a test says on the change itself with the bodies of what it adds doing nothing but fail."""
    if outcome == "passed":
        return Proof.NOT_DISCRIMINATING
    if outcome == "failed" and not _NOT_BEGUN.search(message):
        return Proof.PROVEN
    return Proof.IMPORT_ONLY if outcome or missing_name(message) else Proof.INCONCLUSIVE


def on_control(outcome: str | None) -> Proof:
    """What a test is worth that failed without the change, by how it runs with the change under the same terms."""
    return Proof.PROVEN if outcome == "passed" else Proof.INCONCLUSIVE


def broke(message: str, removed: Collection[str]) -> bool:
    """Whether an original test that fails on the new source shows broken behaviour.

    It does not where it dies because a name is gone that the change renamed or took away, or because a function is
    called in another way now: then it could not speak.
    """
    if _ASSERTION.search(message):
        return True
    name = missing_name(message)
    if name and (name in removed or not removed):
        return False
    return not _SIGNATURE.search(message) and not _NOT_BEGUN.search(message)
