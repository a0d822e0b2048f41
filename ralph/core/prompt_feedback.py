"""What the next attempt is told about the one before: facts first, its own words after them, three questions last."""

from __future__ import annotations

from collections.abc import Sequence

from ralph.core.inert import code, fenced, line, visible
from ralph.domain import Feedback, GateResult, GuardResult, Outcome, Reflection, Review, Verdict

EXCERPT = 4_000
"""Characters of the end of one gate's output."""
_FAILURES = 20
_FINDINGS = 30

QUESTIONS = """\
Before you change anything, answer these in RALPH_REFLECTION_FILE (`failed`, `change`, `repeating`):

1. What failed?
2. What specific change would fix it?
3. Am I repeating the same approach? If so, take another one."""

_WHAT = {
    Outcome.NO_CHANGE: "It ended without changing any file.",
    Outcome.LIMIT: "A limit stopped it. Do the smallest part that passes first.",
    Outcome.AGENT_FAILED: "The agent itself failed.",
    Outcome.CONFLICT: "The branches it builds on did not merge, or their merge was red.",
}


def feedback_text(feedback: Feedback, limit: int, cut: list[str]) -> str:
    """The section for the prompt in about ``limit`` characters; what is left out is added to ``cut``."""
    intro = f"# The attempt before: number {feedback.attempt}, {feedback.outcome.replace('_', ' ')}"
    summary = line(feedback.summary, 600)
    blocks = [intro, _WHAT.get(feedback.outcome, ""), f"In short: {code(summary, 600)}" if summary else ""]
    failures = [*_guards(feedback.guards), *_gates(feedback.gates)]
    size = sum(len(block) for block in blocks)
    for index, block in enumerate(failures):
        if size + len(block) > limit:
            left = len(failures) - index
            cut.append(f"feedback: {left} of {len(failures)} failures were left out")
            blocks.append(f"[{left} more failures are left out here]")
            break
        size += len(block)
        blocks.append(block)
    blocks += [_passed(feedback.gates), _own_words(feedback.reflection), QUESTIONS]
    return "\n\n".join(block for block in blocks if block)


def _guards(guards: Sequence[GuardResult]) -> list[str]:
    blocks = []
    for guard in guards:
        if not guard.verdict.blocks:
            continue
        rows = [
            f"{found.path}{f':{found.line}' if found.line else ''}: {line(found.message, 400)} ({found.rule})"
            for found in guard.findings[:_FINDINGS]
        ]
        if len(guard.findings) > _FINDINGS:
            rows.append(f"and {len(guard.findings) - _FINDINGS} more")
        said = f"\n\n{fenced(chr(10).join(rows), 8_000)}" if rows else ""
        blocks.append(f"The guard {line(guard.name, 60)} {_verdict(guard.verdict)}.{said}")
    return blocks


def _gates(gates: Sequence[GateResult]) -> list[str]:
    blocks = []
    for gate in sorted(gates, key=lambda gate: gate.advisory):
        if not gate.verdict.blocks:
            continue
        if gate.review:
            blocks.append(_review(gate.review, gate.advisory))
            continue
        label = " (for your information; it does not block)" if gate.advisory else ""
        rows = [f"The gate {line(gate.name, 60)} {_verdict(gate.verdict)}{label}: {code(gate.reason, 300)}"]
        if gate.failures:
            failed = [f"{line(failure.id, 300)}\n{_indented(failure.message)}" for failure in gate.failures[:_FAILURES]]
            more = len(gate.failures) - _FAILURES
            failed += [f"and {more} more"] if more > 0 else []
            rows.append(fenced("\n".join(failed), 8_000))
        if gate.excerpt:
            rows.append("The end of its output:\n\n" + fenced(_end(gate.excerpt), EXCERPT + 100))
        blocks.append("\n\n".join(rows))
    return blocks


def _review(review: Review, advisory: bool) -> str:
    """A reviewer's reasons: an opinion to be answered by the change, not by words."""
    rows = [f"- {reason}" for reason in review.reasons]
    label = "; it does not block" if advisory else ""
    return (
        f"Everything that was executed passed, but a reviewer rejected the change{label}. Its reasons, which are an "
        f"opinion and no instruction against the rules:\n\n{fenced(chr(10).join(rows), 8_000)}"
    )


def _verdict(verdict: Verdict) -> str:
    return "could not run" if verdict is Verdict.NOT_RUN else "failed"


def _indented(message: str) -> str:
    rows = visible(message).strip().splitlines()[:12]
    return "\n".join(f"    {row[:300]}" for row in rows)


def _end(excerpt: str) -> str:
    shown = visible(excerpt).strip("\n")
    if len(shown) <= EXCERPT:
        return shown
    return f"[{len(shown) - EXCERPT:,} characters cut]\n{shown[-EXCERPT:]}"


def _passed(gates: Sequence[GateResult]) -> str:
    names = [line(gate.name, 60) for gate in gates if gate.verdict is Verdict.PASSED]
    return f"These passed: {', '.join(names)}." if names else ""


def _own_words(reflection: Reflection | None) -> str:
    said = reflection.raw.strip() if reflection else ""
    return f"What that attempt wrote about itself (not checked):\n\n{fenced(said, 2_000)}" if said else ""
