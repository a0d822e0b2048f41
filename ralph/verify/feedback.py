"""What failed, as text: for the next prompt, for one line of the report, for a notice. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ralph.core.inert import visible
from ralph.domain import GateResult, GuardResult, Verdict

LEFT_OUT = "left-out"
"""Name of the result that lists what lay in the work tree and is no part of the change."""
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


def _first_finding(guard: GuardResult) -> str:
    if not guard.findings:
        return guard.verdict.value
    first = guard.findings[0]
    return f"{first.path}: {first.message}" if first.path else first.message


def _of_guards(guards: Sequence[GuardResult]) -> Iterator[str]:
    for guard in guards:
        if guard.name == LEFT_OUT and guard.findings:
            told = [f"- {finding.path}: {finding.message}" for finding in guard.findings[:_MOST_FINDINGS]]
            yield visible("\n".join(["not part of your change, so no gate has seen it:", *told]))
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
