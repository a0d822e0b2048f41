"""The step in which the daemon judges a tree: guards on the diff, then gates on exactly that tree."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ralph.config import Config
from ralph.core.secrets import Redactor
from ralph.domain import Change, GateResult, GuardResult, Task, Verdict
from ralph.engine.desk import redact_file
from ralph.engine.jails import INSIDE, Place, environment, gate_jail
from ralph.engine.keep import Keeper
from ralph.host.files import delete_tree
from ralph.host.process import Completed, Request, Shim, Wake
from ralph.vcs.workspace import Workspace
from ralph.verify import gates as rules
from ralph.verify import guards as guard_rules
from ralph.verify import reports
from ralph.verify.excerpt import read_log
from ralph.verify.gates import BaseResult, PlannedGate
from ralph.verify.runners import package_scripts

BLOB_LIMIT = 20_000_000
CACHES = 3
"""Trees beside the present one whose caches stay."""


@dataclass
class Bench:
    """What judging a tree needs."""

    place: Place
    config: Config
    shim: Shim
    workspace: Workspace
    keeper: Keeper
    redactor: Redactor
    wakes: Sequence[Wake]
    """Descriptors that may end a running gate: the line to the daemon."""
    known_secrets: Sequence[str]
    """Values that must never stand in a change."""
    told: Callable[[str, tuple[GuardResult, ...], tuple[GateResult, ...]], None]
    """Gets verdicts as they are reached: the tree they are about, guards, gates."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One gate about to run: what was planned, its command, and where its report will lie."""

    planned: PlannedGate
    request: Request
    report: Path
    directory: str


def check_diff(bench: Bench, task: Task, changes: Sequence[Change], tree: str) -> tuple[GuardResult, ...]:
    """Run all guards on the diff; the secrets of this iteration are looked for by value."""
    spec = bench.place.spec
    found = guard_rules.check(
        task,
        changes,
        read_blob=lambda blob: bench.workspace.blob(blob, BLOB_LIMIT),
        tracked=bench.workspace.paths(spec.head),
        config=bench.config,
        shared_files=spec.shared_files,
        known_secrets=bench.known_secrets,
    )
    results = tuple(found)
    bench.told(tree, results, ())
    return results


def run_gates(
    bench: Bench,
    task: Task,
    tree: str,
    paths: Sequence[str],
    kept: Mapping[str, Path],
    known: Sequence[GateResult] = (),
) -> tuple[GateResult, ...]:
    """Run every gate on ``tree``, independent ones side by side; all results are kept, also after a red one.

    ``known`` are verdicts that were executed on this very tree before: they are taken over, not run again.
    """
    delete_tree(bench.place.scratch, bench.place.loop)
    _forget_caches(bench.place, tree)
    _lay(bench, tree, kept)
    planned = rules.plan(bench.config, task, paths, _scripts(bench, tree))
    before = {result.name: result for result in known}
    results: list[GateResult] = []
    for batch in rules.batches(planned):
        fresh: list[GateResult] = []
        waiting: list[PlannedGate] = []
        for gate in batch:
            settled = gate.settled or _same(before.get(gate.name), gate)
            if settled is None:
                waiting.append(gate)
            else:
                fresh.append(settled)
        together = bench.place.boxed and all(gate.gate.parallel for gate in waiting)
        for group in [waiting] if together else [[gate] for gate in waiting]:
            fresh += _run(bench, group, tree, kept)
        bench.told(tree, (), tuple(fresh))
        results += fresh
    return tuple(results)


def _lay(bench: Bench, tree: str, kept: Mapping[str, Path]) -> None:
    """Make the work tree exactly ``tree``; a keep folder that is not one of ``kept`` is of the agent's making."""
    bench.workspace.clean_for_gates(tree, tuple(kept))
    bench.keeper.mount_points({**kept, **(bench.place.scratch_folders() if bench.place.boxed else {})})


def _same(known: GateResult | None, gate: PlannedGate) -> GateResult | None:
    """The known verdict, where it is one of the very command: names of checks are the same in every task."""
    return known if known and known.execution and known.execution.argv == _said(gate) else None


def _forget_caches(place: Place, tree: str) -> None:
    """Remove the caches of all but the last trees."""
    root = place.loop / "cache"
    others = [path for path in root.iterdir() if path.name != tree[:16]] if root.is_dir() else []
    for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-CACHES]:
        delete_tree(path, place.loop)


def _run(bench: Bench, group: Sequence[PlannedGate], tree: str, kept: Mapping[str, Path]) -> list[GateResult]:
    if not group:
        return []
    if any(look() for _, look in bench.wakes):  # the line wakes once, and gates come one after another
        return [GateResult(gate.name, gate.kind, Verdict.NOT_RUN, "stopped before it ran") for gate in group]
    runs = [_prepare(bench, gate, tree, kept) for gate in group]
    requests = [run.request for run in runs]
    ended = bench.shim.run_many(requests, wakes=bench.wakes)
    return [_judge(bench, run, done, tree, kept) for run, done in zip(runs, ended, strict=True)]


def _prepare(bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path]) -> _Run:
    place, gate = bench.place, planned.gate
    cache = place.loop / "cache" / tree[:16]
    folder = place.run / "reports" / gate.name
    for path in (cache, folder):
        path.mkdir(parents=True, exist_ok=True)
    jail = gate_jail(place, kept, cache, folder, gate)
    reports_inside = place.inside(folder, INSIDE / "reports")
    base = environment(place, jail, {})
    argv, added = rules.command_of(
        planned,
        str(reports_inside / "junit.xml"),
        caches=str(place.inside(cache, INSIDE / "cache")),
        root=str(place.directory),
        env=base,
    )
    directory = str(place.directory / gate.cwd)
    limits = bench.config.limits
    request = Request(
        argv=tuple(place.sandbox.wrap(argv, jail, directory)),
        directory="/",
        env={**base, **added},
        log=place.run / f"gate-{gate.name}-{tree[:8]}.log",
        seconds=gate.timeout,
        output_bytes=limits.output_mb * 1_000_000,
        memory_bytes=limits.memory_mb * 1_000_000,
    )
    return _Run(planned, request, folder / "junit.xml", directory)


def _judge(bench: Bench, run: _Run, done: Completed, tree: str, kept: Mapping[str, Path]) -> GateResult:
    place, planned = bench.place, run.planned
    report = reports.gather(planned, done, junit=run.report, tree=place.tree, into=run.report.parent / "left")
    wrote = [] if planned.gate.parallel and place.boxed else bench.workspace.verify_tree(tree)
    redact_file(done.log, bench.redactor)
    size, digest = done.log.stat().st_size, hashlib.sha256(done.log.read_bytes()).hexdigest()
    shown = replace(done, argv=_said(planned), log=Path(done.log.name), log_bytes=size, log_sha256=digest)
    result = rules.judge(
        planned,
        shown,
        report,
        tree,
        _base(place, planned),
        read_log(done.log),
        wrote,
        root=str(place.directory),
        directory=run.directory,
        sandbox=place.sandbox.name,
        redactor=bench.redactor,
    )
    shutil.rmtree(run.report.parent / "left", ignore_errors=True)
    if wrote:
        _lay(bench, tree, kept)
    return result


def _said(planned: PlannedGate) -> tuple[str, ...]:
    """The command as the person wrote it: the walls around it are the same for all and stand in `sandbox`."""
    return ("/bin/sh", "-c", planned.gate.command) if planned.gate.shell else tuple(planned.words)


def _base(place: Place, planned: PlannedGate) -> BaseResult | None:
    red = place.spec.tracked_by_base.get(planned.name)
    advisory = planned.name in place.spec.advisory_gates
    return BaseResult(frozenset(red or ()), advisory) if red or advisory else None


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
