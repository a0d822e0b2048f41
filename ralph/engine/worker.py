"""The arm of an iteration in its own process: prepare, implement, snapshot, validate; ends with a result.

A worker writes only to its run directory and its loop's workspace; every ref and every record is the daemon's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import monotonic

from ralph.config import Config, load
from ralph.core.secrets import Redactor
from ralph.domain import AgentResult, Cause, Change, GateResult, GuardResult, IterationResult, IterationSpec, Outcome
from ralph.engine import preflight
from ralph.engine.implement import implement
from ralph.engine.jails import NOTES, Place
from ralph.engine.judge.assess import Case, assess
from ralph.engine.judge.bench import Bench, Kept
from ralph.engine.judge.gates import red_merge
from ralph.engine.keep import Keeper, SetupFailed
from ralph.engine.line import Line, LineClosed
from ralph.engine.messages import (
    AgentEnded,
    Broken,
    Check,
    Checked,
    Done,
    Down,
    Go,
    Judged,
    Known,
    Measure,
    Measured,
    Probe,
    Ready,
    RunTrain,
    Snapshot,
    Step,
    TrainRan,
)
from ralph.errors import RalphError
from ralph.host import sandbox
from ralph.host.alive import boot_id, create_time, lock_workspace, own_memory, set_worker_protection
from ralph.host.files import delete_tree, read_beneath
from ralph.host.process import Shim
from ralph.memory.knowledge import parse_reflection
from ralph.vcs.workspace import Workspace

NOTE_LIMIT = 16 * 1024


def main(line_fd: int, lifeline_fd: int, tag: str, config: str = "") -> None:
    """Live through one iteration; started by an Executor with the two descriptors it inherits.

    ``tag`` marks every process that is started here. The shim stands, and the configuration at path ``config`` is
    read, before the first word comes.
    """
    set_worker_protection(os.getppid())
    line = Line(line_fd)
    shim = Shim.start(lifeline_fd, tag)
    if config:
        policy(config)
    try:
        line.send(Ready(os.getpid(), create_time(os.getpid()) or 0, boot_id()))
        go = line.await_go()
        _work(line, shim, go)
        shim.close()
    except LineClosed:
        os._exit(1)


@cache
def policy(path: str) -> Config:
    """The night's frozen configuration, which never changes."""
    return load(Path(path))


def _work(line: Line, shim: Shim, go: Down) -> None:
    try:
        if isinstance(go, Check):
            with lock_workspace(Path(go.spec.loop_dir)):
                found = preflight.examine(go.spec, go.key, go.tasks, shim, [(line.fileno(), line.look)])
            line.send(Checked(found.as_data()))
        elif isinstance(go, Measure):
            with lock_workspace(Path(go.spec.loop_dir)):
                gates = preflight.measure(go.spec, shim, [(line.fileno(), line.look)])
            line.send(Measured(gates))
        elif isinstance(go, Probe):
            from ralph.engine import gate_strength

            with lock_workspace(Path(go.spec.loop_dir)):
                gate_strength.serve(go, preflight.bench_for(go.spec, shim, [(line.fileno(), line.look)]), line)
        elif isinstance(go, RunTrain):
            from ralph.engine.train.examine import serve

            with lock_workspace(Path(go.plan.spec.loop_dir)):
                line.send(TrainRan(serve(go.plan, shim, line)))
        elif isinstance(go, Go):
            with lock_workspace(Path(go.spec.loop_dir)):
                result = Worker(line, go.spec, go.secrets, shim).run()
            line.send(Done(result))
        else:
            raise LineClosed("the first word was not go")
    except LineClosed:
        raise
    except RalphError as error:
        line.send(Broken(error.message, error.hint))
    except Exception as error:  # noqa: BLE001 - the iteration's boundary: whatever breaks here is not the task's fault
        import traceback

        clean = Redactor(go.secrets.values() if isinstance(go, Go) else ()).text
        said = f"{type(error).__name__}: {error}"[:500]
        line.send(Broken(clean(said), clean(traceback.format_exc()[-4000:])))


@dataclass
class Found:
    """What an iteration has brought to light so far."""

    agent: AgentResult = AgentResult()
    tree: str | None = None
    changes: tuple[Change, ...] = ()
    guards: tuple[GuardResult, ...] = ()
    gates: tuple[GateResult, ...] = ()


class Worker:
    """Runs the steps of one iteration and times each."""

    def __init__(self, line: Line, spec: IterationSpec, secrets: dict[str, str], shim: Shim) -> None:
        self.line, self.spec, self.secrets = line, spec, secrets
        self.config = policy(spec.config)
        self.place = Place(spec, self.config, sandbox.make(spec.sandbox))
        self.redactor = Redactor(secrets.values())
        self.seconds: dict[str, float] = {}
        self.place.make()
        self.shim = shim
        self.workspace = Workspace(self.place.loop, Path(spec.mirror))
        self.keeper = Keeper(self.place, self.shim, self.workspace)
        self.bench = Bench(
            self.place,
            self.config,
            self.shim,
            self.workspace,
            self.keeper,
            self.redactor,
            [(line.fileno(), line.look)],
            tuple(secrets.values()),
            self._told,
            line=line,
        )

    def _told(self, tree: str, guards: tuple[GuardResult, ...], gates: tuple[GateResult, ...]) -> None:
        self.line.send(Judged(tree, guards, gates))

    @contextmanager
    def step(self, name: str, detail: str = "") -> Iterator[None]:
        """Tell the daemon where we are and measure it in wall seconds."""
        self.line.send(Step(name, detail))
        begun = monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0) + monotonic() - begun

    def run(self) -> IterationResult:
        """Go through the steps until one ends the iteration."""
        keep = tuple(self.config.workspace.keep)
        with self.step("prepare"):
            start = self.spec.start_tree
            self.workspace.prepare(self.spec.head, start_tree=start, keep=keep)
            kept = self._folders(start)
        if self.spec.gate_base:
            with self.step("base"):
                red = red_merge(self.bench, self.spec.task, self.workspace.tree_of(self.spec.head), kept)
            if red:
                return self._ended(Outcome.CONFLICT, red)
        if self.line.look() and self.line.stop:
            return self._ended(Outcome.STOPPED, self.line.stop.text)
        agent = AgentResult()
        if not self.spec.validate_only:
            agent = self._implement(kept)
        with self.step("snapshot"):
            tree = self.workspace.snapshot(keep=keep)
        self.line.send(Snapshot(tree))
        known = self.line.await_known()
        if early := self._early(agent, tree):
            return self._ended(*early, Found(agent, tree))
        return self._validated(tree, agent, known, kept)

    def _folders(self, start: str | None) -> Kept:
        """The kept folders of the tree that the agent starts from; of its head, where that tree breaks setup."""
        head_tree = self.workspace.tree_of(self.spec.head)
        try:
            return self.keeper.folders(start or head_tree)
        except SetupFailed:
            if start is None or not self.keeper.has(head_tree):
                raise
            return self.keeper.folders(head_tree)

    def _implement(self, kept: Kept) -> AgentResult:
        begun = monotonic()
        with self.step("implement", self.spec.agent):
            agent = self._redacted(implement(self, kept))
            self.shim.sweep(grace=0)
        self.line.send(AgentEnded(agent, monotonic() - begun))
        return agent

    def _redacted(self, agent: AgentResult) -> AgentResult:
        """What an agent says goes into ledger, prompt and report: without secrets."""
        wait = agent.wait and replace(agent.wait, reason=self.redactor.text(agent.wait.reason))
        error = agent.error and self.redactor.text(agent.error)
        return replace(agent, said=self.redactor.text(agent.said), error=error, wait=wait)

    def _early(self, agent: AgentResult, tree: str) -> tuple[Outcome, str] | None:
        """Outcomes that need no validation, because the agent did not finish or changed nothing."""
        if agent.wait:
            return (Outcome.HALTED if agent.wait.halt else Outcome.WAITING), agent.wait.reason
        if agent.cause in (Cause.STOPPED, Cause.LIFELINE):
            return Outcome.STOPPED, agent.error or "stopped"
        if agent.cause:
            return Outcome.LIMIT, agent.error or f"stopped by the limit: {agent.cause}"
        if agent.error:
            return Outcome.AGENT_FAILED, agent.error
        head_tree = self.workspace.tree_of(self.spec.head)
        untouched = tree == self.spec.start_tree and self.spec.start_refused and not self.spec.validate_only
        if tree == head_tree or untouched:
            return Outcome.NO_CHANGE, "the agent ended without a change"
        return None

    def _validated(self, tree: str, agent: AgentResult, known: Known, kept: Kept) -> IterationResult:
        head_tree = self.workspace.tree_of(self.spec.head)
        found = Found(agent, tree, tuple(self.workspace.changes(head_tree, tree)))

        def kept_of_candidate() -> Kept:
            same = not self.config.workspace.setup or self.keeper.key(tree) == self.keeper.key(head_tree)
            return kept if same else self.keeper.folders(tree)

        spec = self.spec
        case = Case(
            spec.task, spec.head, head_tree, tree, found.changes, kept, kept_of_candidate, known.gates, known.base
        )
        try:
            shown = assess(self.bench, case, self.step)
        except SetupFailed as failed:
            return self._ended(Outcome.REJECTED, failed.message, found)
        found.guards, found.gates = shown.guards, shown.gates
        if self.line.stop:
            return self._ended(Outcome.STOPPED, self.line.stop.text, found)
        if shown.blocked:
            return self._ended(Outcome.REJECTED, shown.blocked, found)
        return self._ended(Outcome.COMMITTED, "all guards and gates passed", found)

    def _ended(self, outcome: Outcome, summary: str, found: Found | None = None) -> IterationResult:
        found = found or Found()
        notes = {name: self._note(name) for name in NOTES}
        delete_tree(self.place.notes, self.place.run)
        return IterationResult(
            iteration=self.spec.iteration,
            ready=outcome is Outcome.COMMITTED,
            outcome=outcome,
            summary=self.redactor.text(summary),
            tree=found.tree,
            agent=found.agent,
            changes=found.changes,
            guards=found.guards,
            gates=found.gates,
            reflection=parse_reflection(notes["reflection"]) if notes["reflection"] else None,
            handoff=notes["handoff"],
            seconds={name: round(value, 4) for name, value in self.seconds.items()},
            memory=own_memory(),
        )

    def _note(self, name: str) -> str:
        """A file the agent left, read without following links; what is too long or no text is dropped."""
        try:
            data = read_beneath(self.place.notes, f"{name}.txt", NOTE_LIMIT)
        except RalphError:
            return ""
        return self.redactor.text(data.decode("utf-8", "replace")) if data else ""


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
