"""Strength in languages that the project measures itself: by the coverage file of a gate and by a mutation command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ralph.config import Gate
from ralph.domain import Change, GateResult, Mutant, Run, Verdict
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.execute import run_on
from ralph.errors import RalphError
from ralph.host.files import read_beneath
from ralph.verify.excerpt import read_log
from ralph.verify.gates import PlannedGate
from ralph.verify.guards.scope import is_test
from ralph.verify.strength.coverage import MAX_BYTES, Changed, Coverage, Unreadable, of_lines, read
from ralph.verify.strength.lines import changed_lines
from ralph.verify.strength.survivors import survivors

NAME = "mutation"
_SOURCE_BYTES = 2_000_000
_SECONDS = 60.0
_SOURCES = re.compile(
    r"\.([cm]?[jt]sx?|vue|svelte|go|rs|java|kts?|scala|groovy|c|h|cc|cpp|hpp|cs|rb|php|swift|dart|exs?)", re.IGNORECASE
)


@dataclass
class Told:
    """What the project's own programs said about the changed lines."""

    covered: dict[str, Changed] = field(default_factory=dict)
    mutants: list[Mutant] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Why something that is configured showed nothing."""


def lines_elsewhere(bench: Bench, changes: Sequence[Change]) -> dict[str, frozenset[int]]:
    """Changed lines per path of the sources that are not Python and no tests."""
    found: dict[str, frozenset[int]] = {}
    for change in changes:
        if change.status not in "AM" or not change.new_mode.startswith("100") or is_test(change.path, bench.config):
            continue
        if _SOURCES.fullmatch(PurePosixPath(change.path).suffix):
            new = bench.workspace.blob(change.new_blob, _SOURCE_BYTES)
            old = bench.workspace.blob(change.old_blob, _SOURCE_BYTES) if change.status == "M" else None
            if lines := changed_lines(old, new):
                found[change.path] = lines
    return found


def told(
    bench: Bench,
    gates: Sequence[GateResult],
    tree: str,
    kept: Mapping[str, Path],
    changed: Mapping[str, frozenset[int]],
) -> Told:
    """Read the coverage files that gates left, and run the mutation command on ``tree``, laid aside."""
    story = Told()
    if changed:
        _read_coverage(bench, gates, changed, story)
        if bench.config.verify.mutation_command:
            _run_mutation(bench, tree, kept, changed, story)
    return story


def _read_coverage(
    bench: Bench, gates: Sequence[GateResult], changed: Mapping[str, frozenset[int]], story: Told
) -> None:
    leaves = {gate.name for gate in bench.config.gates if gate.coverage}
    for gate in gates:
        if gate.name not in leaves or gate.execution is None or gate.execution.run != bench.place.spec.iteration:
            continue
        found = _coverage(bench, gate.execution.log, changed)
        if isinstance(found, Unreadable):
            story.problems.append(f"{gate.name}: {found.reason}")
            continue
        for path, lines in changed.items():
            if path in found.files:
                story.covered[path] = of_lines(lines, found.files[path])
    if missing := sorted(set(changed) - set(story.covered)) if story.covered else []:
        story.notes.append(f"nothing measures {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""))


def _coverage(bench: Bench, log: str, changed: Mapping[str, frozenset[int]]) -> Coverage | Unreadable:
    """What lies beside the report of the execution that wrote ``log``."""
    folder = log.removeprefix("gate-").removesuffix(".log")
    try:
        data = read_beneath(bench.place.run / "reports", f"{folder}/coverage", MAX_BYTES)
    except RalphError as error:
        return Unreadable(error.message)
    return read(data, str(bench.place.directory), only=changed) if data is not None else Unreadable("no coverage file")


def _run_mutation(
    bench: Bench, tree: str, kept: Mapping[str, Path], changed: Mapping[str, frozenset[int]], story: Told
) -> None:
    """The command is told the changed lines; its errors go nowhere, as every line that it prints has to be one."""
    verify = bench.config.verify
    lines = "\n".join(f"{path}:{','.join(map(str, sorted(numbers)))}" for path, numbers in sorted(changed.items()))
    gate = Gate(
        name=NAME,
        command=f"{{ {verify.mutation_command}\n}} 2>/dev/null",
        shell=True,
        timeout=verify.mutation_seconds or _SECONDS,
        env={"RALPH_CHANGED_LINES": lines[:100_000]},
    )
    (result,) = run_on(bench, [PlannedGate(gate, 0)], tree, kept, purpose="mutant")
    if result.execution:
        story.runs.append(Run(result.execution))
    if result.verdict is not Verdict.PASSED or result.execution is None:
        story.problems.append(f"{NAME}: {result.reason}")
        return
    found = survivors(read_log(bench.place.run / result.execution.log), str(bench.place.directory), changed)
    if isinstance(found, Unreadable):
        story.problems.append(f"{NAME}: {found.reason}")
    else:
        story.mutants += found
        number = f"{len(found)} survivor{'' if len(found) == 1 else 's'}"
        story.notes.append(f"the mutation command names {number} on changed lines")
