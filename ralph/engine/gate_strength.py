"""How strong the gates are where tonight's tasks work: faults are planted there, and a gate must turn red.

It runs in a worker of its own while the first agents work, in a time box; what it found so far counts when the night
ends before it.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from ralph.config import Gate
from ralph.core import globs
from ralph.core.states import is_open
from ralph.domain import Cause, GateResult, Task, Verdict
from ralph.engine import messages, preflight
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.execute import run_on
from ralph.engine.judge.gates import plan
from ralph.errors import RalphError
from ralph.verify.gates import PlannedGate
from ralph.verify.guards import is_test
from ralph.verify.strength.mutate import Mutation, choose, mutated, mutations

if TYPE_CHECKING:
    from ralph.engine.executor import Link
    from ralph.engine.night import Night

NAME = "strength"
PER_FILE = 6
MOST_FILES = 20
WEAK = 0.5
"""Share of caught faults below which changes in a file have to show more."""
LARGEST = 500_000
_KINDS = frozenset({"tests", "types"})
Tell = Callable[[list[dict[str, Any]], str, bool], None]
"""Gets the files so far, why it stopped, and whether it is over."""


def examine(bench: Bench, tasks: Sequence[Task], base: Sequence[GateResult], seconds: float, tell: Tell) -> None:
    """Plant faults in the files that ``tasks`` own, one tree each, and run the green gates until one turns red."""
    head = bench.place.spec.head
    tree = bench.workspace.tree_of(head)
    kept = bench.keeper.folders(tree)
    green = {result.name: result for result in base if result.verdict is Verdict.PASSED and result.kind in _KINDS}
    planned = [_quick(gate, green[gate.name]) for gate in plan(bench, Task(NAME, NAME), tree, []) if gate.name in green]
    files: dict[str, dict[str, Any]] = {}
    end = monotonic() + seconds
    for fault, blob in _faults(bench, tasks) if planned else ():
        if monotonic() > end or bench.stopped:
            tell(list(files.values()), "the time box is used up", True)
            return
        seeded = bench.workspace.compose(tree, {fault.path: ("100644", blob)})
        caught = any(run_on(bench, [gate], seeded, kept, purpose="mutant")[0].verdict.blocks for gate in planned)
        row = files.setdefault(fault.path, {"path": fault.path, "planted": 0, "caught": 0})
        row["planted"] += 1
        row["caught"] += caught
        row["raised"] = row["caught"] < WEAK * row["planted"]
        tell(list(files.values()), "", False)
    tell(list(files.values()), "" if planned else "no gate with tests or types is green", True)


def _quick(gate: PlannedGate, known: GateResult) -> PlannedGate:
    """The gate, ended at its first failure where the runner can be told so, and soon where it hangs."""
    seconds = known.execution.seconds if known.execution else gate.gate.timeout
    told: dict[str, Any] = {"timeout": min(gate.gate.timeout, 3 * seconds + 10)}
    found = gate.recognised
    if found and found.runner.name == "pytest" and found.at >= 0 and not gate.gate.shell and not found.through:
        told["command"] = shlex.join([*gate.words, "-x"])
    return replace(gate, gate=gate.gate.model_copy(update=told))


def _faults(bench: Bench, tasks: Sequence[Task]) -> Iterator[tuple[Mutation, str]]:
    """Faults and the blobs that hold them, file after file in turn, so that each gets its share of the box."""
    chosen = [_chosen(bench, path) for path in _files(bench, tasks)]
    for number in range(PER_FILE):
        for source, some in chosen:
            if number < len(some) and (data := mutated(source, some[number])) is not None:
                yield some[number], bench.workspace.write_blob(data)


def _chosen(bench: Bench, path: str) -> tuple[bytes, tuple[Mutation, ...]]:
    source = bench.workspace.read(bench.place.spec.head, path, LARGEST) or b""
    found = mutations(path, source, range(1, source.count(b"\n") + 2)) or ()
    return source, choose(found, PER_FILE)


def _files(bench: Bench, tasks: Sequence[Task]) -> list[str]:
    """Python sources that tonight's tasks own; where some task owns none by name, any may be meant."""
    sources = [
        path
        for path in bench.workspace.paths(bench.place.spec.head)
        if path.endswith(".py") and not is_test(path, bench.config)
    ]
    owned = [path for path in sources if any(task.files and globs.matches(task.files, path) for task in tasks)]
    rest = [path for path in sources if path not in owned] if any(not task.files for task in tasks) else []
    return [*owned, *rest][:MOST_FILES]


def serve(order: messages.Probe, bench: Bench, line: Any) -> None:
    """The worker's side."""
    examine(
        bench,
        order.tasks,
        order.base,
        order.seconds,
        lambda files, stopped, over: line.send(messages.Probed(files, stopped, over)),
    )


@dataclass
class Prober:
    """The daemon's side: one probe a night, in the background."""

    night: Night
    weak: frozenset[str] = frozenset()
    """Files in which too few faults were caught: changes there have to show more."""
    link: Link | None = None
    _found: messages.Probed | None = None
    _running: asyncio.Task[None] | None = None
    _key: str = ""

    def start(self) -> None:
        """Begin, unless it is switched off, there is nothing to ask, or the same was found out before."""
        night = self.night
        tasks = tuple(task for task in night.current_tasks() if is_open(task.status))
        loop = next(iter(night.loops.values()))
        base = night.verdicts_of(loop.workspace.tree_of(night.base))
        if not night.config.verify.probe_seconds or not tasks or not any(_tells(gate) for gate in base):
            return
        self._key = _key(night.base, night.config.gates, tasks, night.sandbox.name)
        for event in night.ledger.events(kinds=("gate_strength",)):
            if event.data["key"] == self._key and not event.data["stopped"]:
                self._over(event.data["files"], "", record=event.night != night.id)
                return
        self._running = asyncio.create_task(self._probe(tasks, base))

    async def finish(self) -> None:
        """End it, and keep what it has found."""
        if self._running is None:
            return
        if self.link:
            self.link.kill()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _probe(self, tasks: tuple[Task, ...], base: tuple[GateResult, ...]) -> None:
        night = self.night
        asked = preflight.spec_for(night.layout, night.config, night.id, night.base, night.sandbox.name, tasks, NAME)
        seconds = night.config.verify.probe_seconds
        try:
            self.link = await night.executor.start(asked.spec.config)
            await self._converse(self.link, messages.Probe(asked.spec, tasks, base, seconds))
        except RalphError as error:
            night.record("warning", {"text": f"the gates' strength could not be probed: {error.message}"})
        finally:
            if self.link:
                await self.link.close()
            self.link = None
        found = self._found or messages.Probed([], "", False)
        self._over(found.files, found.stopped if found.over else "the night ended first")

    async def _converse(self, link: Link, order: messages.Probe) -> None:
        if not isinstance(await link.hear(), messages.Ready):
            return
        link.tell(order)
        if self.night.stopping:
            link.tell(messages.Tell(self.night.stopping, stop=True, cause=Cause.STOPPED))
        while (message := await link.hear()) is not None:
            if isinstance(message, messages.Probed):
                self._found = message
                self.weak = _weak(message.files)
            if not isinstance(message, messages.Probed) or message.over:
                return

    def _over(self, files: list[dict[str, Any]], stopped: str, record: bool = True) -> None:
        self.weak = _weak(files)
        if record:
            self.night.record("gate_strength", {"key": self._key, "files": files, "stopped": stopped})


def _weak(files: Collection[dict[str, Any]]) -> frozenset[str]:
    return frozenset(row["path"] for row in files if row.get("raised"))


def _tells(gate: GateResult) -> bool:
    return gate.kind == "tests" and gate.verdict is Verdict.PASSED


def _key(base: str, gates: Sequence[Gate], tasks: Sequence[Task], sandbox: str) -> str:
    digest = hashlib.sha256(f"{base}\0{sandbox}\0{PER_FILE}".encode())
    for gate in gates:
        digest.update(gate.model_dump_json().encode())
    for task in tasks:
        digest.update(repr((task.id, task.files)).encode())
    return digest.hexdigest()[:32]
