"""Gates that do not report a planted failure although nobody forges anything: found on the base, before the night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ralph.domain import GateResult, Task, Verdict
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.canaries import label
from ralph.engine.judge.gates import plan, run_on


def listened(
    bench: Bench, task: Task, tree: str, paths: Sequence[str], kept: Mapping[str, Path], results: Sequence[GateResult]
) -> tuple[tuple[GateResult, ...], tuple[str, ...]]:
    """The results on a trusted tree, and the labels of gates that take no canary: those are run again here without."""
    planned = {gate.name: gate for gate in plan(bench, task, tree, paths)}
    suspects = [result.name for result in results if _doubtful(result) and _carried(result)]
    if not suspects:
        return tuple(results), ()
    quiet = without(bench, [label(bench, planned[name]) for name in suspects])
    again = run_on(quiet, [planned[name] for name in suspects], tree, kept, purpose="base")
    mute = {result.name: result for result in again if not _doubtful(result)}
    return tuple(mute.get(result.name, result) for result in results), tuple(label(bench, planned[n]) for n in mute)


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
