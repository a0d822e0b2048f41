"""Execute a commit's commands once more, in the sandbox and on exactly its tree, and compare test by test."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from ralph.config import load
from ralph.core.secrets import Redactor
from ralph.domain import GateResult, IterationSpec, Task
from ralph.engine import frozen
from ralph.engine.audit.book import Book, Told
from ralph.engine.audit.findings import Findings
from ralph.engine.audit.rejudge import planned_of
from ralph.engine.jails import Place
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.execute import run_on
from ralph.engine.keep import Keeper
from ralph.errors import RalphError, SandboxError
from ralph.host import sandbox
from ralph.host.alive import lock_workspace
from ralph.host.files import delete_tree, own_directory
from ralph.host.paths import Layout
from ralph.host.process import Shim
from ralph.memory.ledger import Event, Ledger
from ralph.vcs.mirror import Mirror
from ralph.vcs.workspace import Workspace
from ralph.verify.gates import PlannedGate
from ralph.verify.runners import package_scripts

NAME = "verify"


def rerun_commits(where: Layout, ledger: Ledger, commits: Sequence[str], found: Findings) -> None:
    """Run the gates of each commit again. Raises RalphError where no sandbox works or a commit can't be had."""
    rows = {str(event.data["commit"]): event for event in ledger.events(kinds=("committed",))}
    for commit in commits:
        if commit in rows:
            _rerun(where, Book(ledger, rows[commit].night), rows[commit], found)


def _rerun(where: Layout, book: Book, made: Event, found: Findings) -> None:
    commit, tree = str(made.data["commit"]), str(made.data["tree"])
    starts = [event for event in (*book.by_kind["night_started"], *book.by_kind["configured"]) if event.seq < made.seq]
    digest = str(starts[-1].data.get("config_sha256", "")) if starts else ""
    path = frozen.path_of(where, made.night, digest)
    told = [one for one in book.of(made.iteration) if one.tree == tree and one.result.execution]
    if path is None:
        found.remark(f"{commit[:12]} can't be run again: the night's configuration is gone")
        return
    mirror = Mirror(where.mirror, where.repo)
    mirror.ensure()
    mirror.fetch([commit])
    own_directory(where.root / NAME / "loop")
    with lock_workspace(where.root / NAME / "loop"):
        spec = _spec(where, made, path, _box(path, book, found))
        with Shim.start(-1, spec.tag) as shim:
            bench = _bench(spec, shim)
            pairs = [(one, plan) for one in told if (plan := _planned(bench, book, one))]
            again = run_on(bench, [plan for _, plan in pairs], tree, bench.keeper.folders(tree), purpose=NAME)
    for (one, _), result in zip(pairs, again, strict=True):
        found.checked["reruns"] += 1
        _compare(one, result, found)


def _box(path: Path, book: Book, found: Findings) -> str:
    probe = sandbox.probe(load(path).sandbox.mode)
    if probe.sandbox is None:
        raise SandboxError(f"no sandbox works here: {probe.detail}", "run `ralph doctor`")
    before = {str(event.data.get("sandbox")) for event in book.by_kind["night_started"]}
    if probe.name not in before:
        found.remark(f"run again with sandbox {probe.name}; the night had {', '.join(sorted(before))}")
    return probe.sandbox.name


def _spec(where: Layout, made: Event, config: Path, box: str) -> IterationSpec:
    """The pseudo iteration in which a commit is run again; its directory is kept as long as a night's."""
    name = f"{date.today().isoformat()}.{NAME}.{str(made.data['commit'])[:12]}"
    delete_tree(where.run(name), where.root)
    return IterationSpec(
        night=made.night,
        iteration=name,
        loop=NAME,
        task=Task(made.task, made.task),
        attempt=0,
        tag=secrets.token_hex(16),
        run_dir=str(where.run(name)),
        loop_dir=str(where.root / NAME / "loop"),
        mirror=str(where.mirror),
        checkout=str(where.repo),
        head=str(made.data["commit"]),
        start_tree=None,
        validate_only=True,
        gate_base=False,
        agent="",
        config=str(config),
        sandbox=box,
    )


def _bench(spec: IterationSpec, shim: Shim) -> Bench:
    config = load(Path(spec.config))
    place = Place(spec, config, sandbox.make(spec.sandbox))
    place.make()
    workspace = Workspace(place.loop, Path(spec.mirror))
    workspace.create(spec.head)
    keeper = Keeper(place, shim, workspace)
    return Bench(place, config, shim, workspace, keeper, Redactor(), (), (), lambda _tree, _guards, _gates: None)


def _planned(bench: Bench, book: Book, told: Told) -> PlannedGate | None:
    try:
        data = bench.workspace.read(told.tree, "package.json", 1_000_000)
    except RalphError:
        data = None
    return planned_of(bench.config, told, book, package_scripts(data) if data else {})


def _compare(told: Told, again: GateResult, found: Findings) -> None:
    before, now = told.result, again
    if not (before.outcomes and now.outcomes):
        if before.verdict is not now.verdict:
            was, is_ = (f"{one.verdict.value} ({one.reason})" for one in (before, now))
            found.wrong("rerun", told.name, f"it was {was}, run again it is {is_}")
        return
    names = sorted({*before.outcomes, *now.outcomes})
    other = [name for name in names if before.outcomes.get(name) != now.outcomes.get(name)]
    if other:
        was, is_ = (one.outcomes.get(other[0], "absent") for one in (before, now))
        more = f", and {len(other) - 1} more tests differ" if len(other) > 1 else ""
        found.wrong("rerun", told.name, f"{other[0]} was {was}, run again it is {is_}{more}")
