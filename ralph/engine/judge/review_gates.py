"""The project's gates as commands that a reviewer can run by name, on the tree that it can't write."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from ralph.engine.jails import Place
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.case import Assessment
from ralph.engine.judge.gates import plan
from ralph.host.jail import Jail
from ralph.verify import gates as rules
from ralph.verify.gates import PlannedGate


def caches(place: Place, jail: Jail) -> dict[str, str]:
    """Variables that keep every tool's caches out of the tree, and out of what gates ever read."""
    folder = place.sandbox.tmp_of(jail) / "caches"
    pytest = f"-o cache_dir={shlex.quote(str(folder / 'pytest'))}"
    return {**rules.caches_in(str(folder), "review", "other"), "PYTEST_ADDOPTS": pytest}


def write(bench: Bench, place: Place, found: Assessment, folder: Path, env: Mapping[str, str]) -> list[tuple[str, str]]:
    """Write a script ``gate-<name>`` for each gate; (what to type, the command behind it)."""
    written = []
    for planned in plan(bench, found.case.task, found.case.tree, found.case.paths):
        if planned.settled is None:
            path = folder / f"gate-{planned.name}"
            path.write_text(_script(place, planned, env), encoding="utf-8")
            path.chmod(0o755)
            written.append((path.name, planned.gate.command))
    return written


def _script(place: Place, planned: PlannedGate, env: Mapping[str, str]) -> str:
    tmp = env["TMPDIR"]
    argv, added = rules.command_of(
        planned,
        f"{tmp}/junit-{planned.name}.xml",
        caches=f"{tmp}/caches",
        root=str(place.directory),
        env=env,
    )
    told = [f"export {name}={shlex.quote(value)}" for name, value in added.items()]
    directory = shlex.quote(str(place.directory / planned.gate.cwd))
    return "\n".join(["#!/bin/sh", f"cd -- {directory} || exit 126", *told, f"exec {shlex.join(argv)}", ""])
