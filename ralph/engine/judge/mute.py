"""Gates that do not report a planted failure although nobody forges anything: found on the base, before the night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ralph.domain import GateResult, Run, Task, Verdict
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.canaries import label
from ralph.engine.judge.execute import run_on
from ralph.engine.judge.gates import plan


def listened(
    bench: Bench, task: Task, tree: str, paths: Sequence[str], kept: Mapping[str, Path], results: Sequence[GateResult]
) -> tuple[tuple[GateResult, ...], tuple[str, ...]]:
    """The results on a trusted tree, and the labels of gates that take no canary: those are run again here without."""
    planned = {gate.name: gate for gate in plan(bench, task, tree, paths)}
    suspects = [result.name for result in results if _doubtful(result) and _carried(result)]
    if not suspects:
        return tuple(results), ()
    quiet = without(bench, [label(bench, planned[name]) for name in suspects])
    again = {one.name: one for one in run_on(quiet, [planned[n] for n in suspects], tree, kept, purpose="base")}
    mute = [name for name in suspects if not _doubtful(again[name])]
    told = tuple(_told(result, again.get(result.name), result.name in mute) for result in results)
    return told, tuple(label(bench, planned[name]) for name in mute)


def _told(first: GateResult, second: GateResult | None, mute: bool) -> GateResult:
    """The result that counts, with the other execution behind it."""
    if second is None:
        return first
    counts, other = (second, first) if mute else (first, second)
    runs = [Run(other.execution, other.counts, other.outcomes)] if other.execution else []
    return replace(counts, runs=(*first.runs, *runs))


def without(bench: Bench, labels: Sequence[str]) -> Bench:
    """The bench on which ``labels`` get no canary either."""
    spec = bench.place.spec
    quiet = replace(spec, uncanaried=tuple(dict.fromkeys((*spec.uncanaried, *labels))))
    return replace(bench, place=replace(bench.place, spec=quiet), asides={})


def _doubtful(result: GateResult) -> bool:
    silent = result.verdict is Verdict.FAILED and "failed" not in result.outcomes.values()
    return result.execution is not None and (result.verdict is Verdict.NOT_RUN or silent)


def _carried(result: GateResult) -> bool:
    """Whether a failing test was planted, in the run itself or in one that was to vouch for it."""
    beside = any(run.execution.purpose == "canary" for run in result.runs)
    return beside or (result.execution is not None and bool(result.execution.canary))
