"""Guards on the diff and gates on the candidate: which run, in which order, and whose verdict counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ralph.domain import Change, Finding, GateResult, GuardResult, Task, Verdict
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.execute import environment_of, fresh_tree, lay, run, said
from ralph.verify import gates as rules
from ralph.verify import guards as guard_rules
from ralph.verify.feedback import LEFT_OUT
from ralph.verify.gates import PlannedGate
from ralph.verify.runners import package_scripts

BLOB_LIMIT = 20_000_000
Settle = Callable[[PlannedGate, GateResult], GateResult]
"""Judges a fresh verdict further, e.g. beside the base's."""
First = Callable[[PlannedGate], GateResult | None]
"""Runs a part of a gate on the tree that lies there; a red verdict spares the whole."""


def last_word(*each: Settle) -> Settle:
    """One after another."""

    def settle(planned: PlannedGate, result: GateResult) -> GateResult:
        for one in each:
            result = one(planned, result)
        return result

    return settle


def check_diff(bench: Bench, task: Task, changes: Sequence[Change], tree: str) -> tuple[GuardResult, ...]:
    """Run all guards on the diff; the secrets of this iteration are looked for by value."""
    spec, space = bench.place.spec, bench.workspace
    tracked = space.paths_before(changes, tree)
    found = guard_rules.check(
        task,
        changes,
        read_blob=lambda blob: bench.workspace.blob(blob, BLOB_LIMIT),
        tracked=space.paths(spec.head) if tracked is None else tracked,
        config=bench.config,
        shared_files=spec.shared_files,
        known_secrets=bench.known_secrets,
    )
    results = (*found, *_left_out(bench, changes))
    bench.told(tree, results, ())
    return results


def _left_out(bench: Bench, changes: Sequence[Change]) -> list[GuardResult]:
    """What lies in the work tree and is no part of the change: said to the agent, never a verdict."""
    ignored = bench.workspace.newly_ignored(bench.place.spec.head, changes)
    notes = [*bench.workspace.oddities, *(Finding("ignored", path, "ignored since your change") for path in ignored)]
    told = tuple(replace(finding, note=True) for finding in notes)
    return [GuardResult(LEFT_OUT, Verdict.PASSED, told)] if told else []


def plan(bench: Bench, task: Task, tree: str, paths: Sequence[str]) -> list[PlannedGate]:
    """The gates for a change to ``paths``, and the task's checks."""
    return rules.plan(bench.config, task, paths, _scripts(bench, tree))


def run_gates(
    bench: Bench,
    task: Task,
    tree: str,
    paths: Sequence[str],
    kept: Mapping[str, Path],
    known: Sequence[GateResult] = (),
    settle: Settle | None = None,
    purpose: str = "head",
    first: First | None = None,
) -> tuple[GateResult, ...]:
    """Run every gate on ``tree``, independent ones side by side; all results are kept, also after a red one.

    ``known`` are verdicts that were executed on this very tree before: they are taken over, not run again. ``settle``
    has the last word on each fresh verdict; what ``first`` finds red is not run as a whole.
    """
    fresh_tree(bench, tree, kept)
    before = {result.name: result for result in known}
    results: list[GateResult] = []
    for batch in rules.batches(plan(bench, task, tree, paths)):
        fresh: list[GateResult] = []
        waiting: list[PlannedGate] = []
        for gate in batch:
            taken = gate.settled or _same(bench, before.get(gate.name), gate, tree, kept)
            if taken is None:
                waiting.append(gate)
            else:
                fresh.append(taken)
        early = {gate.name: found for gate in waiting if (found := _early(gate, first, settle))}
        fresh += early.values()
        if first and not bench.place.boxed:
            lay(bench, tree, kept)
        waiting = [gate for gate in waiting if gate.name not in early]
        for gate, result in zip(waiting, run(bench, waiting, tree, kept, purpose=purpose), strict=True):
            fresh.append(settle(gate, result) if settle else result)
        if settle and waiting and not bench.place.boxed:
            lay(bench, tree, kept)  # settling may have laid another tree in the one place there is
        bench.told(tree, (), tuple(fresh))
        results += fresh
    return tuple(results)


def _early(gate: PlannedGate, first: First | None, settle: Settle | None) -> GateResult | None:
    """A red verdict on a part of the gate that stays red when it is looked at again."""
    found = first(gate) if first else None
    found = settle(gate, found) if found and settle else found
    return found if found and found.blocks else None


def _same(
    bench: Bench, known: GateResult | None, gate: PlannedGate, tree: str, kept: Mapping[str, Path]
) -> GateResult | None:
    """The known verdict, where it is one of the very command beside the very base: checks of all tasks share names."""
    if known is None or known.execution is None or known.execution.argv != said(gate):
        return None
    if known.execution.environment not in ("", environment_of(bench, gate, tree, kept)):
        return None
    if known.comparison is None and known.outcomes and known.execution.purpose == "base":
        return None  # it was run as a base itself, beside nothing: what is gone since then was not looked at
    there = known.comparison.base_tree if known.comparison else ""
    return known if there in ("", bench.place.spec.head_tree) else None


def _scripts(bench: Bench, tree: str) -> dict[str, str]:
    """package.json's scripts, where a gate may stand behind one."""
    if not any(word in gate.command for gate in bench.config.gates for word in ("npm", "yarn", "bun")):
        return {}
    data = bench.workspace.read(tree, "package.json", 1_000_000)
    return package_scripts(data) if data else {}


def red_merge(bench: Bench, task: Task, tree: str, kept: Mapping[str, Path]) -> str:
    """Gate the merge of the dependencies before an agent is paid for; empty where it is green."""
    plain = replace(task, checks=())
    results = run_gates(bench, plain, tree, bench.workspace.paths(tree), kept)
    red = [result for result in results if result.blocks]
    return f"the dependencies' branches are red together: {red[0].name}: {red[0].reason}" if red else ""
