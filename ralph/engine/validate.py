"""The step in which the daemon judges a tree: guards on the diff, then gates on exactly that tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ralph.config import Config
from ralph.core.secrets import Redactor
from ralph.domain import Change, GateResult, GuardResult, Task
from ralph.engine.jails import Place
from ralph.engine.keep import Keeper
from ralph.host.process import Shim, Wake
from ralph.vcs.workspace import Workspace
from ralph.verify import guards as guard_rules

BLOB_LIMIT = 20_000_000


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
    told: Callable[[str, GuardResult | GateResult], None]
    """Gets each verdict as it is reached, with the tree it is about."""


def guards(bench: Bench, task: Task, changes: Sequence[Change], tree: str) -> tuple[GuardResult, ...]:
    """Check the diff; all guards run, whatever the first ones say."""
    spec = bench.place.spec
    results = guard_rules.check(
        task,
        changes,
        read_blob=lambda blob: bench.workspace.blob(blob, BLOB_LIMIT),
        tracked=bench.workspace.paths(spec.head),
        config=bench.config,
        shared_files=spec.shared_files,
    )
    for result in results:
        bench.told(tree, result)
    return tuple(results)
