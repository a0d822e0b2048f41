"""When a task goes round in circles: fingerprints of failures, and what they say together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from ralph.domain import GateResult, GuardResult, Outcome

EQUAL_FAILURES = 3
"""So many equal fingerprints in a row mean stuck."""
WITHOUT_CHANGE = 2
"""So many attempts in a row that changed nothing mean stuck."""
_LINES = 60
_MESSAGE_LINES = 3

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.I), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?\b(?!:)(?:\s?[ap]m\b)?", re.I), "<time>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.I), "<address>"),
    (
        re.compile(r"(?<![\w/])(?:[A-Za-z]:)?(?:~|\.{1,2})?(?:[\\/][\w.@+~-]+)+[\\/]?|\b[\w.@+-]+(?:/[\w.@+-]+)+/?"),
        "<path>",
    ),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", re.I), "<id>"),
    (
        re.compile(
            r"(?<![\w.])[-+]?\d[\d_,]*(?:\.\d+)?(?:e[-+]?\d+)?\s?(?:ns|µs|us|ms|s|sec|secs|seconds?|min|minutes?|h)\b"
        ),
        "<n>",
    ),
    (re.compile(r"\d[\d_,]*(?:\.\d+)*(?:e[-+]?\d+)?"), "<n>"),
    (re.compile(r"(?:<n>[\s:,.]*){2,}"), "<n> "),
    (re.compile(r"([-=_*.#~])\1{2,}"), r"\1\1\1"),
    (re.compile(r"\s+"), " "),
)


def normalised(text: str) -> str:
    """One line without what changes from run to run: paths, numbers, addresses, times, ids, durations."""
    text = _ANSI.sub("", text)
    for pattern, word in _STEPS:
        text = pattern.sub(word, text)
    return text.strip().lower()


def fingerprint(gates: Sequence[GateResult], guards: Sequence[GuardResult], outcome: Outcome, summary: str) -> str:
    """A hash that is equal for two attempts that failed in the same way; 16 hex digits.

    What blocks decides: failing test ids, the rules of guards with their paths, the output of gates that
    report no tests. Where nothing blocks (the agent failed, a limit), it is the outcome with its summary.
    """
    parts = [f"outcome {outcome}"]
    for gate in sorted((gate for gate in gates if gate.blocks), key=lambda gate: gate.name):
        parts += [f"gate {gate.name} {gate.verdict}", *_gate_lines(gate)]
    for guard in sorted((guard for guard in guards if guard.verdict.blocks), key=lambda guard: guard.name):
        parts.append(f"guard {guard.name} {guard.verdict}")
        parts += sorted({f"{found.rule} {found.path} {normalised(found.message)}" for found in guard.findings})
    if len(parts) == 1:
        parts.append(normalised(summary))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _gate_lines(gate: GateResult) -> list[str]:
    if gate.failures:
        return sorted({f"{_test_id(failed.id)} {_first_lines(failed.message)}" for failed in gate.failures})
    return [normalised(gate.reason), *_distinct(gate.excerpt.splitlines()[-_LINES:])]


def _test_id(text: str) -> str:
    return re.sub(r"0x[0-9a-fA-F]+", "<address>", text)


def _first_lines(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return normalised(" ".join(lines[:_MESSAGE_LINES]))


def _distinct(lines: Iterable[str]) -> list[str]:
    """Sorted and without repeats: tools that work in parallel say the same in another order."""
    return sorted({line for line in map(normalised, lines) if line.strip("-=_*.#~ ")})


def is_stuck(fingerprints: Sequence[str], changed: Sequence[bool]) -> bool:
    """Whether the attempts of one agent, oldest first, ended in the same failure or without any change.

    An empty fingerprint (nothing is known) equals none. A third red test with another error is progress.
    """
    last = list(fingerprints[-EQUAL_FAILURES:])
    if len(last) == EQUAL_FAILURES and last[0] and len(set(last)) == 1:
        return True
    return len(changed) >= WITHOUT_CHANGE and not any(changed[-WITHOUT_CHANGE:])
