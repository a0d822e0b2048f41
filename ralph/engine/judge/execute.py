"""Lay a tree and run commands on exactly that tree; every execution keeps its log and its report."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from ralph.config import Gate
from ralph.domain import Execution, GateResult, Verdict
from ralph.engine.desk import redact_file
from ralph.engine.jails import INSIDE, Place, environment, gate_jail
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.canaries import planted, weighed
from ralph.engine.judge.cores import run_within
from ralph.host.files import delete_tree
from ralph.host.process import Completed, Request
from ralph.verify import gates as rules
from ralph.verify import reports, tools
from ralph.verify.excerpt import read_log
from ralph.verify.gates import PlannedGate

CACHES = 8
"""Trees beside the present one whose caches stay."""


@dataclass(frozen=True, slots=True)
class _Run:
    """One gate about to run: what was planned, its command, and where its log and report will lie."""

    planned: PlannedGate
    request: Request
    folder: Path
    directory: str
    purpose: str
    attempt: int
    environment: str
    canary: str


def run_on(
    bench: Bench, planned: Sequence[PlannedGate], tree: str, kept: Mapping[str, Path], *, purpose: str, attempt: int = 1
) -> list[GateResult]:
    """Lay ``tree`` and run the planned gates on it, for another end than to judge a candidate by them."""
    fresh_tree(bench, tree, kept)
    return run(bench, planned, tree, kept, purpose=purpose, attempt=attempt)


@dataclass(frozen=True, slots=True)
class Job:
    """A gate to run on a tree of its own."""

    bench: Bench
    planned: PlannedGate
    tree: str
    kept: Mapping[str, Path]
    purpose: str
    attempt: int = 1


def run_apart(jobs: Sequence[Job]) -> list[GateResult]:
    """Run gates on different trees, side by side where each has a bench of its own; results in their order."""
    if len({job.bench.place.tree for job in jobs}) < len(jobs):
        return [
            run_on(job.bench, [job.planned], job.tree, job.kept, purpose=job.purpose, attempt=job.attempt)[0]
            for job in jobs
        ]
    for job in jobs:
        fresh_tree(job.bench, job.tree, job.kept)
    if any(job.bench.stopped for job in jobs):
        return [_stopped(job.planned) for job in jobs]
    runs = [_prepare(job.bench, job.planned, job.tree, job.kept, job.purpose, job.attempt) for job in jobs]
    ended = run_within(jobs[0].bench, [one.request for one in runs]) if jobs else []
    judged = [
        _judge(job.bench, one, done, job.tree, job.kept) for job, one, done in zip(jobs, runs, ended, strict=False)
    ]
    return judged + [_stopped(job.planned) for job in jobs[len(ended) :]]


def _stopped(planned: PlannedGate) -> GateResult:
    return GateResult(planned.name, planned.kind, Verdict.NOT_RUN, "stopped before it ran")


def fresh_tree(bench: Bench, tree: str, kept: Mapping[str, Path]) -> None:
    """Lay a tree in a place that remembers nothing of the one before."""
    delete_tree(bench.place.scratch, bench.place.loop)
    _forget_caches(bench.place, tree)
    lay(bench, tree, kept)


def lay(bench: Bench, tree: str, kept: Mapping[str, Path]) -> None:
    """Make the work tree exactly ``tree``; a keep folder that is not one of ``kept`` is of the agent's making."""
    bench.workspace.clean_for_gates(tree, tuple(kept))
    bench.keeper.mount_points({**kept, **(bench.place.scratch_folders() if bench.place.boxed else {})})


def run(
    bench: Bench,
    planned: Sequence[PlannedGate],
    tree: str,
    kept: Mapping[str, Path],
    *,
    purpose: str = "head",
    attempt: int = 1,
) -> list[GateResult]:
    """Run gates on the tree that lies there, side by side where none of them writes into it."""
    together = bench.place.boxed and all(gate.gate.parallel for gate in planned)
    found: list[GateResult] = []
    for group in [planned] if together else [[gate] for gate in planned]:
        found += _run(bench, group, tree, kept, purpose, attempt)
    return found


def cache_of(place: Place, gate: Gate, tree: str) -> Path:
    """Where a gate finds its caches. Types and lint check what they find there against the files and run no code of
    the tree, so theirs outlast it; all others may write anything: each has a place of its own and begins with nothing
    whenever a tree is laid, so that no run tells a later one what it was."""
    if gate.kind in ("types", "lint"):
        return place.loop / "cache" / "kept" / gate.name
    return place.loop / "cache" / "trees" / f"{tree[:16]}-{gate.name}"


def _forget_caches(place: Place, tree: str) -> None:
    """Remove the caches of this tree, and of all but the last others (some of which lie beside it at the moment)."""
    root = place.loop / "cache" / "trees"
    every = sorted(root.iterdir(), key=lambda path: path.stat().st_mtime) if root.is_dir() else []
    others = list(dict.fromkeys(path.name[:16] for path in reversed(every) if path.name[:16] != tree[:16]))[CACHES:]
    for path in every:
        if path.name[:16] in (*others, tree[:16]):
            delete_tree(path, place.loop)


def _run(
    bench: Bench, group: Sequence[PlannedGate], tree: str, kept: Mapping[str, Path], purpose: str, attempt: int
) -> list[GateResult]:
    if not group:
        return []
    if bench.stopped:  # the line wakes once, and gates come one after another
        return [_stopped(gate) for gate in group]
    before = bench.workspace.untracked() if any(map(_runs_tests, group)) else None
    runs = [_prepare(bench, gate, tree, kept, purpose, attempt) for gate in group]
    ended = run_within(bench, [one.request for one in runs])
    judged = [_judge(bench, one, done, tree, kept) for one, done in zip(runs, ended, strict=False)]
    if before is not None:
        bench.workspace.forget_untracked(before)
    return judged + [_stopped(gate) for gate in group[len(ended) :]]


def _runs_tests(planned: PlannedGate) -> bool:
    """Whether it runs what the change wrote, which may leave something that the next one takes for its own."""
    return planned.kind == "tests" or "check-" in planned.name


def _prepare(
    bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path], purpose: str, attempt: int
) -> _Run:
    place, gate = bench.place, planned.gate
    cache = cache_of(place, gate, tree)
    folder = _folder(place, f"{gate.name}-{tree[:8]}")
    for path in (cache, folder):
        path.mkdir(parents=True, exist_ok=True)
    canary = planted(bench, planned, folder.name)
    jail = gate_jail(place, kept, cache, folder, gate, canary.host if canary else None)
    reports_inside = place.inside(folder, INSIDE / "reports")
    base = environment(place, jail, {})
    argv, added = rules.command_of(
        planned,
        str(reports_inside / "junit.xml"),
        caches=str(place.inside(cache, INSIDE / "cache")),
        root=str(place.directory),
        env=base,
        canary=canary.inside if canary else None,
    )
    directory = str(place.directory / gate.cwd)
    limits = bench.config.limits
    request = Request(
        argv=tuple(place.sandbox.wrap(argv, jail, directory)),
        directory="/",
        env={**base, **added},
        log=place.run / f"gate-{folder.name}.log",
        seconds=gate.timeout,
        output_bytes=limits.output_mb * 1_000_000,
        memory_bytes=limits.memory_mb * 1_000_000,
    )
    about = environment_of(bench, planned, tree, kept)
    return _Run(planned, request, folder, directory, purpose, attempt, about, canary.inside.test if canary else "")


def _folder(place: Place, stem: str) -> Path:
    """A place for the report of one execution, and by its name for the log: none is ever written over."""
    root, number = place.run / "reports", 1
    while (folder := root / (stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return folder


def environment_of(bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path]) -> str:
    """Digest of what decides a gate's result besides its command and its tree."""
    place, config = bench.place, bench.config
    folders = bench.keeper.key(tree) if config.workspace.setup else " ".join(sorted(kept))
    parts = (
        place.sandbox.name,
        planned.gate.network,
        planned.gate.cwd,
        folders,
        repr(sorted({**config.workspace.env, **planned.gate.env}.items())),
        os.environ.get("PATH", ""),
        " ".join(config.workspace.keep),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _judge(bench: Bench, one: _Run, done: Completed, tree: str, kept: Mapping[str, Path]) -> GateResult:
    place, planned = bench.place, one.planned
    report = reports.gather(
        planned,
        done,
        junit=one.folder / "junit.xml",
        tree=place.tree,
        into=one.folder / "left",
        redactor=bench.redactor,
    )
    reports.gather_coverage(planned, done, tree=place.tree, into=one.folder / "coverage")
    wrote = [] if planned.gate.parallel and place.boxed else bench.workspace.verify_tree(tree)
    redact_file(done.log, bench.redactor)
    size, digest = done.log.stat().st_size, hashlib.sha256(done.log.read_bytes()).hexdigest()
    shown = replace(done, argv=said(planned), log=Path(done.log.name), log_bytes=size, log_sha256=digest)
    result = rules.judge(
        planned,
        shown,
        report,
        tree,
        bench.base(planned),
        read_log(done.log),
        wrote,
        root=str(place.directory),
        directory=one.directory,
        sandbox=place.sandbox.name,
        redactor=bench.redactor,
        canary=one.canary,
    )
    if wrote or bench.workspace.laid != tree:
        lay(bench, tree, kept)
    result = weighed(bench, planned, result)
    return replace(result, execution=result.execution and _recorded(place, one, result.execution, report, wrote))


def _recorded(place: Place, one: _Run, execution: Execution, report: Path | None, wrote: Sequence[str]) -> Execution:
    """The execution with everything that is needed to judge it again from what is stored."""
    ended = datetime.fromisoformat(execution.started) + timedelta(seconds=execution.seconds)
    return replace(
        execution,
        run=place.spec.iteration,
        commit=place.spec.head if execution.tree == place.spec.head_tree else "",
        tools=tools.of_gate(one.planned, place.spec.tools),
        report=str(report.relative_to(place.run)) if report else "",
        report_sha256=reports.digest(report) if report else "",
        dirty=bool(wrote),
        environment=one.environment,
        ended=ended.isoformat(timespec="milliseconds"),
        attempt=one.attempt,
        purpose=one.purpose,
    )


def said(planned: PlannedGate) -> tuple[str, ...]:
    """The command as the person wrote it: the walls around it are the same for all and stand in `sandbox`."""
    return ("/bin/sh", "-c", planned.gate.command) if planned.gate.shell else tuple(planned.words)
