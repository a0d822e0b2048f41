"""Before a night: are the gates green on the base, do the tasks' checks make sense, and would a fault be seen?

The result is stored under a key of the base's tree and everything that could change it, so the same
question is never executed twice.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ralph.config import Config, freeze
from ralph.core import globs
from ralph.core.secrets import Redactor
from ralph.domain import GateResult, IterationSpec, Task, Verdict
from ralph.engine.executor import Executor
from ralph.engine.jails import Place
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.gates import plan, run_gates
from ralph.engine.judge.mute import listened, without
from ralph.engine.judge.tools import versions
from ralph.engine.judge.vouch import voucher
from ralph.engine.keep import Keeper
from ralph.engine.messages import Broken, Check, Checked, adapter, plain
from ralph.errors import RalphError
from ralph.host import sandbox
from ralph.host.files import own_directory
from ralph.host.paths import Layout
from ralph.host.process import Shim, Wake
from ralph.memory.ledger import Ledger
from ralph.vcs.workspace import Workspace

NAME = "preflight"
_FAULTS = {
    ".py": "\n\nraise RuntimeError('planted by the liveness probe')\n",
    ".js": "\nthrow new Error('planted by the liveness probe');\n",
    ".mjs": "\nthrow new Error('planted by the liveness probe');\n",
    ".cjs": "\nthrow new Error('planted by the liveness probe');\n",
    ".ts": "\nthrow new Error('planted by the liveness probe');\n",
    ".tsx": "\nthrow new Error('planted by the liveness probe');\n",
    ".go": '\nfunc init() { panic("planted by the liveness probe") }\n',
    ".rs": '\ncompile_error!("planted by the liveness probe");\n',
    ".java": "\nplanted by the liveness probe\n",
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A task's own check on the base."""

    task: str
    command: str
    verdict: Verdict
    """passed: green already, so vacuous or done; not_run: it can't run, a bad specification."""
    reason: str


@dataclass(frozen=True, slots=True)
class Liveness:
    """Whether a planted fault turned a gate red."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found on the base."""

    key: str
    tree: str
    gates: tuple[GateResult, ...]
    checks: tuple[CheckResult, ...] = ()
    liveness: Liveness = Liveness(Verdict.NOT_RUN, "not probed")
    uncanaried: tuple[str, ...] = ()
    """Gates by name, checks by command, that report no planted failure although nobody forges anything here."""
    tools: dict[str, str] = field(default_factory=dict)
    """Program to version, of those that gates start."""

    def red(self) -> list[GateResult]:
        return [gate for gate in self.gates if gate.verdict is Verdict.FAILED]

    def not_run(self) -> list[GateResult]:
        return [gate for gate in self.gates if gate.verdict is Verdict.NOT_RUN]

    def settled(self) -> bool:
        """Whether it need not be asked again: what is red or can't run may be the machine's, which a person repairs."""
        return not (self.red() or self.not_run() or any(check.verdict is Verdict.NOT_RUN for check in self.checks))

    @staticmethod
    def red_ids(gate: GateResult) -> list[str]:
        return sorted(id for id, outcome in gate.outcomes.items() if outcome == "failed")

    def warnings(self) -> list[str]:
        """What a person should know before going to bed, one line each."""
        return [text for _, text in self.remarks()]

    def remarks(self) -> list[tuple[str, str]]:
        """The same, each with the code of the doubt that says it in the report; empty where none does."""
        lines = [
            ("red_base", f"gate {gate.name} does not run on the base ({gate.reason}); it blocks every task")
            for gate in self.not_run()
        ]
        for check in self.checks:
            its = f"task {check.task}: its check `{check.command}`"
            if check.verdict is Verdict.PASSED:
                lines.append(("vacuous_checks", f"{its} is green before any work: vacuous or done"))
            elif check.verdict is Verdict.NOT_RUN:
                lines.append(("", f"{its} can't run: {check.reason}"))
        for name in self.uncanaried:
            lines.append(("", f"`{name}` does not report a failing test that is planted in it: its word counts less"))
        if self.liveness.verdict is Verdict.FAILED:
            lines.append(("gates_blind", f"your gates do not look at this: {self.liveness.reason}"))
        return lines

    def as_data(self) -> dict[str, Any]:
        return dict(plain(self))


async def remote(
    executor: Executor,
    where: Layout,
    config: Config,
    night: str,
    base: str,
    box: str,
    tasks: Sequence[Task],
    ledger: Ledger,
    *,
    anew: bool = False,
) -> Preflight:
    """Run the preflight in a worker of its own, or take it from the ledger where nothing has changed since.

    ``anew``: run it in any case.
    """
    spec = spec_for(where, config, night, base, box, tasks)
    for event in () if anew else ledger.events(kinds=("preflight",)):
        if event.data.get("key") == spec.key and (found := _read(event.data)).settled():
            return found
    link = await executor.start()
    try:
        if await link.greet() is None:
            raise RalphError("the preflight's worker did not start", "see `ralph logs --daemon`")
        link.tell(Check(spec.spec, spec.key, tuple(tasks)))
        while (message := await link.hear()) is not None:
            if isinstance(message, Checked):
                return _read(message.found)
            if isinstance(message, Broken):
                raise RalphError(f"the preflight broke: {message.reason}", message.detail[-300:])
        raise RalphError("the preflight's worker died", "see `ralph logs --daemon`")
    finally:
        await link.close()


def _read(data: dict[str, Any]) -> Preflight:
    found: Preflight = adapter(Preflight).validate_python(data)
    return found


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be found out, and the key under which the answer is kept."""

    spec: IterationSpec
    key: str


def spec_for(
    where: Layout, config: Config, night: str, base: str, box: str, tasks: Sequence[Task], name: str = NAME
) -> Question:
    """The pseudo iteration in which the preflight runs, or another question ``name`` about the base."""
    own_directory(where.root / name / "loop")
    own_directory(where.nights)
    frozen = where.frozen(night)
    if not frozen.exists():
        frozen.write_text(freeze(config), encoding="utf-8")
    digest = hashlib.sha256()
    for part in (base, box, freeze(config), os.environ.get("PATH", ""), _programs(where, config)):
        digest.update(part.encode() + b"\0")
    for task in tasks:
        digest.update(repr((task.id, task.checks, task.files)).encode())
    spec = IterationSpec(
        night=night,
        iteration=f"{night}.{name}",
        loop=name,
        task=Task(name, name),
        attempt=0,
        tag=secrets.token_hex(16),
        run_dir=str(where.run(f"{night}.{name}")),
        loop_dir=str(where.root / name / "loop"),
        mirror=str(where.mirror),
        checkout=str(where.repo),
        head=base,
        start_tree=None,
        validate_only=True,
        gate_base=False,
        agent="",
        config=str(frozen),
        sandbox=box,
    )
    return Question(spec, digest.hexdigest()[:32])


def _programs(where: Layout, config: Config) -> str:
    """The files behind the first words of the gates, with the time of their last change: an upgrade is a new question.

    Programs of kept folders are covered by the inputs of `setup`, where there is one.
    """
    folders = [str(where.repo / name / "bin") for name in config.workspace.keep]
    search = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    found = (shutil.which((gate.command.split() or ["-"])[0], path=search) for gate in config.gates)
    return " ".join(f"{path}:{os.stat(path).st_mtime_ns}" for path in found if path)  # noqa: PTH116 - which gives text


def here(where: Layout, config: Config, base: str, box: str, tasks: Sequence[Task]) -> Preflight:
    """Run the preflight in this process, for `ralph doctor`."""
    question = spec_for(where, config, "doctor", base, box, tasks)
    where.frozen("doctor").write_text(freeze(config), encoding="utf-8")
    with Shim.start(-1, question.spec.tag) as shim:
        return examine(question.spec, question.key, tasks, shim, ())


def examine(spec: IterationSpec, key: str, tasks: Sequence[Task], shim: Shim, wakes: Sequence[Wake]) -> Preflight:
    """Execute everything on the base: gates, checks, then the probe with a planted fault."""
    bench = bench_for(spec, shim, wakes)
    workspace = bench.workspace
    tree = workspace.tree_of(spec.head)
    kept = bench.keeper.folders(tree)
    paths = workspace.paths(spec.head)
    used = versions(bench, [gate for task in (spec.task, *tasks) for gate in plan(bench, task, tree, paths)], kept)
    bench = replace(bench, place=replace(bench.place, spec=replace(spec, head_tree=tree, tools=used)))
    gates = run_gates(bench, spec.task, tree, paths, kept, settle=voucher(bench, tree, kept), purpose="base")
    gates, mute = listened(bench, spec.task, tree, paths, kept, gates)
    bench = without(bench, mute)
    checks, mute_checks = _checks(bench, tasks, tree, kept)
    liveness = Liveness(Verdict.NOT_RUN, "no gate is green on the base")
    if any(gate.verdict is Verdict.PASSED for gate in gates):
        liveness = _probe(bench, tasks, kept, gates)
    workspace.prepare(spec.head)
    return Preflight(key, tree, gates, checks, liveness, uncanaried=mute + mute_checks, tools=used)


def measure(spec: IterationSpec, shim: Shim, wakes: Sequence[Wake]) -> tuple[GateResult, ...]:
    """Run the gates with tests once on the base, for their sake only."""
    bench = bench_for(spec, shim, wakes)
    tests = [gate for gate in bench.config.gates if gate.kind == "tests"]
    bench = replace(bench, config=bench.config.model_copy(update={"gates": tests}))
    tree = bench.workspace.tree_of(spec.head)
    paths = bench.workspace.paths(spec.head)
    return run_gates(bench, spec.task, tree, paths, bench.keeper.folders(tree), purpose="idle")


def bench_for(spec: IterationSpec, shim: Shim, wakes: Sequence[Wake]) -> Bench:
    """The base checked out, and everything that is needed to judge it."""
    from ralph.config import load

    config = load(Path(spec.config))
    place = Place(spec, config, sandbox.make(spec.sandbox))
    place.make()
    workspace = Workspace(place.loop, Path(spec.mirror))
    workspace.create(spec.head)
    keeper = Keeper(place, shim, workspace)
    return Bench(place, config, shim, workspace, keeper, Redactor(), wakes, (), lambda _tree, _guards, _gates: None)


def _checks(
    bench: Bench, tasks: Sequence[Task], tree: str, kept: dict[str, Path]
) -> tuple[tuple[CheckResult, ...], tuple[str, ...]]:
    """Each task's own checks on the base, without the project's gates; and which of them take no canary."""
    found: list[CheckResult] = []
    mute: list[str] = []
    alone = replace(bench, config=bench.config.model_copy(update={"gates": []}))
    for task in tasks:
        if task.checks:
            results = run_gates(alone, task, tree, [], kept, settle=voucher(alone, tree, kept))
            results, silent = listened(alone, task, tree, [], kept, results)
            mute += silent
            for command, result in zip(task.checks, results, strict=False):
                found.append(CheckResult(task.id, command, result.verdict, result.reason))
    return tuple(found), tuple(mute)


def _probe(bench: Bench, tasks: Sequence[Task], kept: dict[str, Path], gates: Sequence[GateResult]) -> Liveness:
    """Plant a fault in a file that tonight's tasks own; a gate that was green must turn red."""
    target = _target(bench, tasks)
    if target is None:
        return Liveness(Verdict.NOT_RUN, "tonight's tasks own no source file that a fault could be planted in")
    bench.workspace.prepare(bench.place.spec.head)
    path = bench.place.tree / target
    path.write_bytes(path.read_bytes() + _FAULTS[path.suffix].encode())
    broken = bench.workspace.snapshot(keep=tuple(bench.config.workspace.keep))
    green = {gate.name for gate in gates if gate.verdict is Verdict.PASSED}
    some = [gate for gate in bench.config.gates if gate.name in green]
    fewer = replace(bench, config=bench.config.model_copy(update={"gates": some}))
    results = run_gates(fewer, bench.place.spec.task, broken, [target], kept)
    red = [result.name for result in results if result.verdict is Verdict.FAILED]
    if red:
        return Liveness(Verdict.PASSED, f"a fault planted in {target} turned {', '.join(red)} red")
    return Liveness(Verdict.FAILED, f"a fault planted in {target} turned no gate red")


def _target(bench: Bench, tasks: Sequence[Task]) -> str | None:
    """A source file, no test, preferably one that a task owns."""
    from ralph.verify.guards import is_test

    sources = [
        path
        for path in bench.workspace.paths(bench.place.spec.head)
        if Path(path).suffix in _FAULTS and not is_test(path, bench.config) and (bench.place.tree / path).is_file()
    ]
    owned = [path for path in sources if any(task.files and globs.matches(task.files, path) for task in tasks)]
    return next(iter(sorted(owned)), None) or (
        None if any(task.files for task in tasks) else next(iter(sorted(sources)), None)
    )
