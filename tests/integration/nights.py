"""A night for the tests of the engine: real repository, ledger and loops, without a daemon and without workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ralph import notify
from ralph.config import Config
from ralph.core.pick import Pick
from ralph.domain import IterationSpec, Task
from ralph.engine import opening
from ralph.engine.board import Board
from ralph.engine.budget import Budget
from ralph.engine.executor import Link
from ralph.engine.loop_state import LoopState
from ralph.engine.night import Night
from ralph.forge.local import LocalForge
from ralph.host.files import own_directory
from ralph.host.paths import layout
from ralph.host.sandbox import NoSandbox
from ralph.memory.ledger import Ledger
from ralph.memory.tasks import TaskFile
from ralph.vcs.mirror import Mirror
from ralph.vcs.workspace import Workspace

ADA = ("Ada Tester", "ada@example.org")
NIGHT = "2026-01-01-1"


class NoWorkers:
    """An executor that starts nothing."""

    name = "none"

    async def start(self, config: str = "") -> Link:
        raise AssertionError(f"no worker is wanted here ({config})")

    async def close(self) -> None:
        """Nothing runs."""


@contextmanager
def night_on(repo: Path, *tasks: dict[str, Any], loops: int = 1, **tables: Any) -> Iterator[Night]:
    """A night on ``repo`` with its loops at the base; ``tables`` are tables of ralph.toml."""
    rows = [{"title": f"Do {row['id']}", **row} for row in tasks]
    (repo / "tasks.json").write_text(json.dumps({"version": 1, "tasks": rows}))
    agents = {"sh": {"kind": "command", "command": ["true"]}}
    tables = {"agents": agents, **tables, "night": {"loops": loops, **tables.get("night", {})}}
    config = Config.model_validate(tables)
    where = layout(repo)
    own_directory(where.root)
    mirror = Mirror(where.mirror, repo)
    mirror.ensure()
    base = mirror.resolve("main")
    ledger = Ledger(where.ledger)
    night = Night(
        id=NIGHT,
        config=config,
        layout=where,
        ledger=ledger,
        board=Board(ledger.events(kinds=Board.KINDS)),
        tasks_file=TaskFile(where.repo / "tasks.json", where.good_tasks),
        executor=NoWorkers(),
        sandbox=NoSandbox(),
        mirror=mirror,
        notifier=notify.make(config.notify, repo, {}),
        base=base,
        occurrence="once",
        secrets={},
        budget=Budget(config, ledger.events(), NIGHT),
        author=ADA,
    )
    night.sync_tasks()
    for number, table in enumerate(config.loop_list()):
        own_directory(where.loop(table.name))
        space = Workspace(where.loop(table.name), where.mirror)
        space.create(base)
        space.advance(f"refs/heads/ralph/{table.name}", base, "")
        night.loops[table.name] = LoopState(table.name, table, space, base, space.tree_of(base), number)
        night.loops[table.name].at("idle", "nothing is ready")
        night.budget.ensure_loop(table.name)
    try:
        yield night
    finally:
        ledger.close()


def forge_of(night: Night) -> LocalForge:
    return LocalForge(night.layout.prs)


def task(night: Night, id: str) -> Task:
    found = night.task(id)
    assert found
    return found


def begin(night: Night, loop: LoopState, id: str) -> IterationSpec:
    """Begin an iteration as the daemon does, with a worker that is not there."""
    link = Link(0, None, None, -1, -1, None, "0" * 32)  # type: ignore[arg-type]
    chosen = Pick(task(night, id))
    return opening.begin(night, loop, chosen.task, opening.heads(night, loop, chosen), ("sh", link))[0]


def edit(loop: LoopState, start: str, **files: str | None) -> str:
    """Tree of commit ``start`` with files changed (None: removed); dots in names are spelled ``_dot_``."""
    space = loop.workspace
    space.prepare(start)
    for name, text in files.items():
        path = space.tree / name.replace("_dot_", ".")
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
    return space.snapshot()


def ended(night: Night, loop: LoopState, spec: IterationSpec, outcome: str, tree: str | None = None) -> None:
    """Write the iteration's end."""
    data = {"outcome": outcome, "summary": "", "attempt": spec.attempt, "tree": tree, "fingerprint": ""}
    night.record("ended", data, loop=loop.name, task=spec.task.id, iteration=spec.iteration)


def commit(night: Night, loop: LoopState, id: str, **files: str | None) -> str:
    """A whole iteration that ends with a commit on the loop's branch."""
    spec = begin(night, loop, id)
    tree = edit(loop, spec.head, **files)
    made = loop.workspace.commit_object(tree, [spec.head], f"{id}\n", ADA, ADA, 1_700_000_000)
    ref = opening.branch_ref(night, loop, spec.task)
    assert loop.workspace.advance(ref, made, loop.workspace.ref(ref) or "")
    if night.config.night.branch_per == "loop":
        loop.head, loop.head_tree = made, tree
    changes = [{"status": "A", "path": name.replace("_dot_", ".")} for name in files]
    data = {"commit": made, "tree": tree, "branch": ref, "parents": [spec.head], "changes": changes, "kind": "feature"}
    where = {"loop": loop.name, "task": id, "iteration": spec.iteration}
    night.record("committed", data, **where)
    ended(night, loop, spec, "committed", tree)
    night.record("task", {"status": "completed", "reason": "", "by": "daemon"}, task=id)
    return made
