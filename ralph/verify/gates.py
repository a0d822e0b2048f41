"""Plan the gates of a change and turn each into a command; running them is the caller's, judging is ``judge``'s."""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ralph.config import Config, Gate
from ralph.core import globs
from ralph.domain import GateResult, Task, Verdict
from ralph.verify import canary as canaries
from ralph.verify import runners
from ralph.verify.compare import BaseResult
from ralph.verify.runners import Recognised, Runner
from ralph.verify.verdict import judge

__all__ = ["BaseResult", "PlannedGate", "batches", "caches_in", "command_of", "judge", "plan"]

_KIND_ORDER = {"lint": 0, "types": 1, "security": 2, "other": 3, "tests": 4}


@dataclass(frozen=True, slots=True)
class PlannedGate:
    """A gate with everything about it that is known before it runs."""

    gate: Gate
    batch: int
    """Gates with the same number may run at the same time; lower numbers come first."""
    recognised: Recognised | None = None
    settled: GateResult | None = None
    """The verdict, where none of it depends on a run."""

    @property
    def name(self) -> str:
        return self.gate.name

    @property
    def kind(self) -> str:
        return self.gate.kind

    @property
    def runner(self) -> Runner | None:
        return self.recognised.runner if self.recognised else None

    @property
    def words(self) -> list[str]:
        """The command's words; of a shell command the text as one."""
        return [self.gate.command] if self.gate.shell else shlex.split(self.gate.command)


def plan(
    config: Config, task: Task, changed_paths: Sequence[str], scripts: Mapping[str, str] | None = None
) -> list[PlannedGate]:
    """The gates for a change, in the order of running: cheap ones first, then the task's own checks.

    ``scripts`` are package.json's on the base, to recognise runners behind ``npm test``. Without any gate the plan is
    one result ``not_run``, which blocks.
    """
    gates = sorted(config.gates, key=lambda gate: (gate.cost != "cheap", not gate.parallel, _KIND_ORDER[gate.kind]))
    gates += _checks(task, scripts or {}, {gate.name for gate in gates})
    if not gates:
        nothing = GateResult("gates", "other", Verdict.NOT_RUN, "no gates: nothing would check this change")
        return [PlannedGate(Gate(name="gates", command="true"), 0, settled=nothing)]
    planned: list[PlannedGate] = []
    batch = 0
    for gate in gates:
        alone = not planned or not gate.parallel or gate.cost != planned[-1].gate.cost
        batch += alone
        found = runners.recognise(gate.command, gate.shell, scripts)
        planned.append(PlannedGate(gate, batch - 1, found, _settled(gate, changed_paths)))
    return planned


def batches(planned: Sequence[PlannedGate]) -> list[list[PlannedGate]]:
    """The plan in groups that may run at once."""
    return [list(group) for _, group in groupby(planned, key=lambda one: one.batch)]


def _checks(task: Task, scripts: Mapping[str, str], taken: set[str]) -> list[Gate]:
    gates: list[Gate] = []
    for number, command in enumerate(task.checks, start=1):
        shell = runners.needs_shell(command)
        kind = "tests" if runners.recognise(command, shell, scripts) else "other"
        name = f"check-{number}" if f"check-{number}" not in taken else f"task-check-{number}"
        gates.append(Gate.model_validate({"name": name, "command": command, "kind": kind, "shell": shell}))
    return gates


def _settled(gate: Gate, changed_paths: Sequence[str]) -> GateResult | None:
    if gate.when and not any(globs.matches(gate.when, path) for path in changed_paths):
        return GateResult(gate.name, gate.kind, Verdict.NOT_APPLICABLE, "no changed path matches its `when`")
    if gate.shell and gate.command.strip():
        return None
    try:
        words = shlex.split(gate.command)
    except ValueError as error:
        return GateResult(gate.name, gate.kind, Verdict.NOT_RUN, f"its command can't be read: {error}")
    return None if words else GateResult(gate.name, gate.kind, Verdict.NOT_RUN, "its command is empty")


def command_of(
    planned: PlannedGate,
    junit: str,
    *,
    caches: str = "",
    root: str = "",
    env: Mapping[str, str] | None = None,
    canary: canaries.Canary | None = None,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """What to execute for a gate, and the variables it needs on top of the caller's ``env``.

    All paths are as the command sees them: ``junit`` a fresh file outside the tree for its report, ``caches`` a
    directory outside the tree that belongs to this tree hash, ``root`` the directory of ralph.toml, to which a first
    word with a slash is relative, ``canary`` the failing test to plant. The current directory is the caller's: the
    tree, or ``gate.cwd`` in it.
    """
    gate = planned.gate
    words = planned.words
    told: dict[str, str] = {}
    if planned.recognised and not gate.junit:
        words, told = runners.report_arguments(planned.recognised, words, junit)
    if planned.recognised and canary:
        words, told = canaries.arguments(planned.recognised, canary, words, told)
    if gate.shell:
        words = ["/bin/sh", "-c", gate.command]
    elif root and "/" in words[0] and not words[0].startswith("/"):
        words[0] = posixpath.normpath(posixpath.join(root, words[0]))
    before = {**(env or {}), **gate.env}
    added = {"RALPH_JUNIT": junit, **(caches_in(caches, gate.name, gate.kind) if caches else {}), **gate.env}
    for source in (_pytest_cache(caches), told):
        for name, value in source.items():
            joint = os.pathsep if name == "PYTHONPATH" else " "
            added[name] = before[name] = joint.join(part for part in (before.get(name, ""), value) if part)
    return tuple(words), added


def caches_in(directory: str, gate: str, kind: str) -> dict[str, str]:
    """Variables that move caches out of the tree.

    Tests write no bytecode: stale one after a source swap gives wrong verdicts, and with a place of its own for each
    tree every library would be compiled again each time (pytest alone: 2 s).
    """
    bytecode = {"PYTHONDONTWRITEBYTECODE": "1"} if kind == "tests" else {"PYTHONPYCACHEPREFIX": f"{directory}/bytecode"}
    return {
        **bytecode,
        "COVERAGE_FILE": f"{directory}/coverage-{gate}",
        "XDG_CACHE_HOME": f"{directory}/xdg",
        "MYPY_CACHE_DIR": f"{directory}/mypy",
        "RUFF_CACHE_DIR": f"{directory}/ruff",
    }


def _pytest_cache(caches: str) -> dict[str, str]:
    return {"PYTEST_ADDOPTS": f"-o cache_dir={shlex.quote(caches + '/pytest')}"} if caches else {}
