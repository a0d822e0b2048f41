"""The train's story: order the branches, merge them, gate the whole, narrow down what is wrong, try what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from ralph.config import load
from ralph.core.secrets import Redactor
from ralph.core.train_order import Assembly, Branch, Fault, Left, assemble, order
from ralph.domain import GateResult, GuardResult
from ralph.engine.jails import Place
from ralph.engine.judge.bench import Bench
from ralph.engine.keep import Keeper
from ralph.engine.line import Line
from ralph.engine.messages import Judged, Snapshot, Step, plain
from ralph.engine.train.couplings import Couplings
from ralph.engine.train.removals import removals
from ralph.engine.train.trials import Known, Say, Trials
from ralph.engine.train.values import Candidate, Landing, LeftOut, Plan, Train
from ralph.host import sandbox
from ralph.host.files import delete_tree
from ralph.host.process import Shim, Wake
from ralph.vcs.workspace import Workspace

ALONE = "only one branch, and its head was gated as it is"


Told = Callable[[str, tuple[GuardResult, ...], tuple[GateResult, ...]], None]


def bench_for(
    plan: Plan, shim: Shim, wakes: Sequence[Wake], told: Told, needed: Sequence[tuple[Path, str]] = ()
) -> Bench:
    """A bench in the plan's own directory that has the base, every head, and what is ``needed`` of git directories."""
    spec = plan.spec
    config = load(Path(spec.config))
    place = Place(spec, config, sandbox.make(spec.sandbox))
    place.make()
    workspace = Workspace(place.loop, Path(spec.mirror))
    if plan.candidates:
        delete_tree(workspace.git_dir, place.loop)  # combinations of earlier nights are of no use
    workspace.lay_git_dir()
    for git_dir, commit in (*needed, *((Path(one.git_dir), one.head) for one in plan.candidates)):
        workspace.fetch_from(git_dir, commit)
    workspace.prepare(spec.head)
    keeper = Keeper(place, shim, workspace)
    return Bench(place, config, shim, workspace, keeper, Redactor(), wakes, (), told)


def examine(plan: Plan, bench: Bench, known: Known, say: Say) -> Train:
    """Run the train. Writes objects and logs in the plan's own directory only; no ref moves."""
    begun, base = monotonic(), plan.spec.head
    couplings = Couplings(bench.workspace, base, {one.branch: one.head for one in plan.candidates})
    there = {one.branch: one for one in plan.candidates if couplings.brings(one.branch)}
    branches = order([Branch(one.branch, one.files, frozenset(one.after), one.first) for one in there.values()])
    merged = assemble(branches, couplings.conflict)
    trials = Trials(bench, couplings, there, known, say, plan.minutes)
    skipped = _skipped(there, couplings)
    gated, ground = Assembly(merged.land), ""
    if not skipped:
        gated, ground = _gated(trials, [one for one in branches if one.name in merged.land])
    landing = [there[name] for name in gated.land]
    commit = couplings.of(gated.land) if landing else ""
    assert not isinstance(commit, Fault)
    out, unfinished = removals(trials, landing, commit) if commit else ((), "")
    return Train(
        base=plan.base,
        base_commit=base,
        moved=base != plan.pinned,
        land=tuple(Landing(one.branch, one.head, one.tasks) for one in landing),
        left=tuple(_left(one, there) for one in (*merged.left, *gated.left)) + _untried(gated, there),
        commit=commit,
        tree=bench.workspace.tree_of(commit) if commit else "",
        removals=out,
        skipped=skipped,
        stopped=gated.stopped or unfinished,
        ground=ground,
        flaky=tuple(trials.flaky),
        trials=trials.count,
        seconds=round(monotonic() - begun, 3),
    )


def serve(plan: Plan, shim: Shim, line: Line) -> dict[str, Any]:
    """Run the train for the daemon at the other end of ``line``: known verdicts are asked for, fresh ones told."""

    def known(tree: str) -> tuple[GateResult, ...]:
        line.send(Snapshot(tree))
        return line.await_known().gates

    def told(tree: str, guards: tuple[GuardResult, ...], gates: tuple[GateResult, ...]) -> None:
        line.send(Judged(tree, guards, gates))

    bench = bench_for(plan, shim, [(line.fileno(), line.look)], told)
    return dict(plain(examine(plan, bench, known, lambda text: line.send(Step("train", text)))))


def _skipped(there: Mapping[str, Candidate], couplings: Couplings) -> str:
    if not there:
        return "no branch has anything that the base does not have"
    (name, *others) = there
    return ALONE if not others and couplings.of((name,)) == there[name].head else ""


def _gated(trials: Trials, branches: Sequence[Branch]) -> tuple[Assembly, str]:
    """What lands by its gates, and what is wrong with the base itself: that is no branch's fault."""
    found = assemble(branches, trials.of)
    if found.ground is None:
        return found, ""
    return assemble(branches, trials.of) if trials.excuse() else found, found.ground.reason


def _left(left: Left, there: Mapping[str, Candidate]) -> LeftOut:
    one, fault = there[left.name], left.fault
    if fault is None:
        return LeftOut(one.branch, one.head, one.tasks, "behind", (left.behind,))
    return LeftOut(one.branch, one.head, one.tasks, fault.kind, left.beside, fault.at, fault.reason)


def _untried(found: Assembly, there: Mapping[str, Candidate]) -> tuple[LeftOut, ...]:
    """Nothing is known of these; where a set is known to be red that was not narrowed down, they say at which test."""
    names, fault = found.open or ((), None)
    return tuple(
        LeftOut(
            name,
            there[name].head,
            there[name].tasks,
            "untried",
            tuple(other for other in names if other != name) if name in names else (),
            fault.at if fault and name in names else (),
            found.stopped or (found.ground.reason if found.ground else ""),
        )
        for name in found.untried
    )
