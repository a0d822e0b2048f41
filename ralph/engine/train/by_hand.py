"""Trains and undoing from the command line, also beside a daemon: in directories of their own, recorded where they may.

The daemon is the only writer of the ledger while it runs; then what was found stands in the run directory alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ralph.config import Config, freeze
from ralph.domain import GateResult, GuardResult, Task
from ralph.engine.board import Board
from ralph.engine.judge.bench import Bench
from ralph.engine.lock import lock_repository
from ralph.engine.messages import adapter, plain
from ralph.engine.train.examine import bench_for, examine
from ralph.engine.train.gather import base_now, candidates, plan_of
from ralph.engine.train.trials import Say
from ralph.engine.train.values import Plan, Train
from ralph.errors import DaemonError, RalphError, SandboxError, TasksError
from ralph.host import sandbox
from ralph.host.alive import lock_workspace
from ralph.host.files import own_directory, write_atomic
from ralph.host.paths import Layout
from ralph.host.process import Shim
from ralph.memory.ledger import Ledger
from ralph.memory.tasks import TaskFile
from ralph.vcs.mirror import Mirror

BY_HAND = "by-hand"
"""Stands for the night where a person runs something."""


@dataclass
class Standing:
    """Where the repository's branches stand, read without writing anything."""

    where: Layout
    config: Config
    ledger: Ledger
    night: str
    board: Board
    rows: tuple[Task, ...]
    base: str
    """Commit that the base is at now."""
    pinned: str
    """Commit that the last night started from."""
    frozen: Path
    box: str
    verdicts: list[tuple[str, GateResult]] = field(default_factory=list)
    """What was executed here, with its tree."""

    def told(self, tree: str, _guards: tuple[GuardResult, ...], gates: tuple[GateResult, ...]) -> None:
        self.verdicts += [(tree, gate) for gate in gates]

    def known(self, tree: str) -> list[GateResult]:
        """Verdicts of the last night on a tree."""
        rows = self.ledger.events(night=self.night, kinds=("gate",))
        return [_gate(event.data) for event in rows if event.data.get("tree") == tree]


@contextmanager
def standing(where: Layout, config: Config) -> Iterator[Standing]:
    """Read the state of the last night. Raises RalphError where there was none or no sandbox starts."""
    probe = sandbox.probe(config.sandbox.mode)
    if probe.sandbox is None:
        raise SandboxError(f"no sandbox works here: {probe.detail}", "run `ralph doctor`")
    ledger = Ledger.read_only(where.ledger)
    try:
        night = ledger.last_night()
        started = list(ledger.events(kinds=("night_started",)))
        if night is None or not started:
            raise RalphError("no night has run here yet", "run `ralph start`, or `ralph demo` to see one")
        pinned = str(started[-1].data.get("base_commit", ""))
        own_directory(where.nights)
        frozen = where.frozen(BY_HAND)
        write_atomic(frozen, freeze(config).encode())
        yield Standing(
            where=where,
            config=config,
            ledger=ledger,
            night=night,
            board=Board(ledger.events(kinds=Board.KINDS)),
            rows=_rows(where),
            base=base_now(Mirror(where.mirror, where.repo), config.night.base, pinned),
            pinned=pinned,
            frozen=frozen,
            box=probe.name,
        )
    finally:
        ledger.close()


@contextmanager
def at_work(here: Standing, plan: Plan, needed: tuple[tuple[Path, str], ...] = ()) -> Iterator[Bench]:
    """A bench for ``plan`` that nobody else uses. Raises RalphError where somebody does."""
    with lock_workspace(Path(plan.spec.loop_dir)), Shim.start(-1, plan.spec.tag) as shim:
        yield bench_for(plan, shim, (), here.told, needed)


def train(where: Layout, config: Config, minutes: float, say: Say) -> tuple[Train, bool]:
    """Run a train over what stands on the branches now; and whether it could be recorded."""
    with standing(where, config) as here:
        some = candidates(where, here.board.tasks, here.rows, here.base, _landed(here.board))
        names = (config.night.base, here.base, here.pinned)
        plan = plan_of(where, BY_HAND, here.frozen, here.box, names, some, minutes, BY_HAND)
        with at_work(here, plan) as bench:
            found = examine(plan, bench, here.known, say)
        return found, record(here, plan.spec.iteration, "train", plain(found))


def record(here: Standing, iteration: str, kind: str, data: dict[str, object], task: str = "") -> bool:
    """Keep what was found in the run directory, and in the ledger unless a daemon writes it; whether it could."""
    write_atomic(here.where.run(iteration) / f"{kind}.json", json.dumps(data, indent=2).encode())
    where = {"iteration": iteration, "task": task}  # the night's own rows are complete, and exported
    try:
        with lock_repository(here.where):
            ledger = Ledger(here.where.ledger)
            try:
                with ledger.together():
                    for tree, gate in here.verdicts:
                        ledger.append("gate", {"tree": tree, **plain(gate)}, **where)
                    ledger.append(kind, data, **where)
            finally:
                ledger.close()
    except DaemonError:
        return False
    return True


def _rows(where: Layout) -> tuple[Task, ...]:
    """The tasks as they stand; a file that can't be read costs their checks and dependencies, nothing else."""
    try:
        return TaskFile(where.repo / "tasks.json", where.good_tasks).load().tasks
    except TasksError:
        return ()


def _landed(board: Board) -> set[str]:
    return {id for id, state in board.tasks.items() if state.commit and not state.loop}


def _gate(data: dict[str, object]) -> GateResult:
    found: GateResult = adapter(GateResult).validate_python({key: data[key] for key in data if key != "tree"})
    return found
