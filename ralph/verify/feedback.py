"""What failed, as text: for the next prompt, for one line of the report, for a notice. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ralph.core.inert import visible
from ralph.domain import GateResult, GuardResult, Verdict

_MOST_FINDINGS = 20
_MOST_FAILURES = 12


def text(guards: Sequence[GuardResult], gates: Sequence[GateResult], limit: int = 16_000) -> str:
    """All that blocks: step, command, exit code, failing tests, trimmed output; at most ``limit`` characters.

    Every failure gets its share of the room; what was cut is said. Empty where nothing blocks.
    """
    parts = [*_of_guards(guards), *_of_gates(gates)]
    if not parts:
        return ""
    share = max(400, (limit - 2 * len(parts)) // len(parts))
    return _cut("\n\n".join(_cut(part, share) for part in parts), limit)


def summary(guards: Sequence[GuardResult], gates: Sequence[GateResult]) -> str:
    """One line: the first thing that blocks, and how many more do."""
    lines = [f"guard {guard.name}: {_first_finding(guard)}" for guard in guards if guard.verdict.blocks]
    lines += [f"gate {gate.name}: {gate.reason}" for gate in gates if gate.blocks]
    if not lines:
        return "all guards and gates passed"
    return lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else "")


def first_assertion(gates: Sequence[GateResult]) -> str:
    """The first failing test with the first line of what it said; else the last line of the first red gate's output."""
    for gate in gates:
        if gate.blocks and gate.failures:
            failure = gate.failures[0]
            said = failure.message.strip().split("\n", 1)[0]
            return f"{failure.id}: {said}" if said else failure.id
    for gate in gates:
        if gate.blocks:
            lines = [line for line in gate.excerpt.splitlines() if line.strip()]
            return lines[-1].strip() if lines else gate.reason
    return ""


def _first_finding(guard: GuardResult) -> str:
    if not guard.findings:
        return guard.verdict.value
    first = guard.findings[0]
    return f"{first.path}: {first.message}" if first.path else first.message


def _of_guards(guards: Sequence[GuardResult]) -> Iterator[str]:
    for guard in guards:
        if not guard.verdict.blocks:
            continue
        lines = [f"guard {guard.name}: {guard.verdict.value}"]
        for finding in guard.findings[:_MOST_FINDINGS]:
            where = f"{finding.path}:{finding.line}" if finding.line else finding.path
            lines.append(f"- {where}: {finding.message}" if where else f"- {finding.message}")
        if len(guard.findings) > _MOST_FINDINGS:
            lines.append(f"- and {len(guard.findings) - _MOST_FINDINGS} more")
        yield visible("\n".join(lines))


def _of_gates(gates: Sequence[GateResult]) -> Iterator[str]:
    for gate in gates:
        if gate.blocks:
            yield visible("\n".join(_of_gate(gate)))


def _of_gate(gate: GateResult) -> Iterator[str]:
    verdict = "failed" if gate.verdict is Verdict.FAILED else "not run, which blocks like a failure"
    yield f"gate {gate.name} ({gate.kind}): {verdict}: {gate.reason}"
    if gate.execution:
        code = gate.execution.exit_code
        yield f"command: {' '.join(gate.execution.argv)}"
        yield f"exit code: {code if code is not None else 'none'}"
    if gate.failures:
        yield "failing tests:"
    for failure in gate.failures[:_MOST_FAILURES]:
        yield f"- {failure.id}"
        yield from (f"    {line}" for line in failure.message.splitlines())
    if len(gate.failures) > _MOST_FAILURES:
        yield f"- and {len(gate.failures) - _MOST_FAILURES} more"
    if gate.excerpt:
        yield "output:"
        yield gate.excerpt


def _cut(part: str, limit: int) -> str:
    """Head and tail of a part that is too long: the tail of an output says most."""
    if len(part) <= limit:
        return part
    head = limit // 3
    tail = limit - head - 40
    return f"{part[:head]}\n[... {len(part) - head - tail} characters cut ...]\n{part[-tail:]}"
