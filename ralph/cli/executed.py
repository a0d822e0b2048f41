"""What `ralph doctor` finds out by running it: agents and gates, outside and inside the sandbox."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ralph.cli.checks import Row
from ralph.cli.programs import PROGRAMS, program_of

if TYPE_CHECKING:
    from ralph.config import Config
    from ralph.domain import GateResult, Task
    from ralph.engine.preflight import Preflight
    from ralph.host.paths import Layout
    from ralph.host.sandbox import Sandbox

PATIENCE = 30.0
"""Seconds for a program to say its version."""


def programs(layout: Layout, config: Config) -> Iterator[Row]:
    """Each agent's CLI says its version outside and inside the sandbox. A command of the user's own is not run."""
    from ralph.host.sandbox import probe

    sandbox = probe(config.sandbox.mode).sandbox
    for name, table in config.agents.items():
        program = program_of(table, layout.repo)
        if table.kind not in PROGRAMS or program is None:
            continue
        what = f"agent {name}"
        outside, said = _run([program, "--version"])
        if not outside:
            yield Row("fail", what, f"`{program} --version` fails: {said}", "install it again")
        elif sandbox is None:
            yield Row("warn", what, f"{said}; not tried inside a sandbox, because none starts")
        else:
            yield _inside(what, program, said, sandbox, layout, config)


def _inside(what: str, program: str, version: str, sandbox: Sandbox, layout: Layout, config: Config) -> Row:
    from ralph.host.sandbox import Jail

    with tempfile.TemporaryDirectory(prefix="ralph-doctor-") as name:
        root = Path(name).resolve()
        shown = [Path(program), *(Path(path).expanduser() for path in config.sandbox.read)]
        jail = Jail(
            tree=root / "tree",
            at=layout.repo,
            home=root / "home",
            tmp=root / "tmp",
            read_only=tuple((path, path) for path in shown),
            hidden=(layout.root,),
        )
        for folder in (jail.tree, jail.home, jail.tmp):
            folder.mkdir()
        well, said = _run(sandbox.wrap([program, "--version"], jail, str(sandbox.path_of(jail, jail.tree))))
    if well:
        return Row("ok", what, f"{said or version}, outside and inside the sandbox")
    fix = "bind what it misses: [sandbox] read = [...]"
    return Row("fail", what, f"`{program} --version` works outside, but inside the sandbox: {said}", fix)


def _run(argv: list[str]) -> tuple[bool, str]:
    """Whether it ended well, and the last line it said."""
    try:
        done = subprocess.run(
            argv, capture_output=True, cwd="/", stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer in {PATIENCE:g} s"
    except OSError as error:
        return False, error.strerror or str(error)
    lines = (done.stdout if done.returncode == 0 else done.stderr).decode(errors="replace").strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else f"exit {done.returncode}"


def gates(layout: Layout, config: Config) -> Iterator[Row]:
    """Each gate on the base as a night would run it; one that does not pass is run outside the sandbox as well."""
    from ralph.host.sandbox import probe
    from ralph.memory.tasks import TaskFile

    box = probe(config.sandbox.mode)
    if not config.gates or box.sandbox is None:
        return
    tasks = [task for task in TaskFile(layout.repo / "tasks.json", layout.good_tasks).load().tasks if _open(task)]
    inside = _preflight(layout, config, box.name, tasks)
    bad = [gate.name for gate in inside.gates if gate.verdict.blocks]
    outside = _preflight(layout, _only(config, bad), "none", []).gates if bad and box.name != "none" else ()
    there = {gate.name: gate for gate in outside}
    for gate in inside.gates:
        yield gate_row(gate, there.get(gate.name))
    yield from preflight_rows(inside)


def _preflight(layout: Layout, config: Config, box: str, tasks: Sequence[Task]) -> Preflight:
    from ralph.engine import preflight
    from ralph.vcs.mirror import Mirror

    mirror = Mirror(layout.mirror, layout.repo)
    mirror.ensure()
    return preflight.here(layout, config, mirror.resolve(config.night.base), box, tasks)


def _only(config: Config, names: Sequence[str]) -> Config:
    return config.model_copy(update={"gates": [gate for gate in config.gates if gate.name in names]})


def _open(task: Task) -> bool:
    from ralph.core.states import is_open

    return is_open(task.status)


def gate_row(inside: GateResult, outside: GateResult | None) -> Row:
    """One gate on the base: well where it passes inside; the difference is named where only outside passes."""
    from ralph.domain import Verdict

    what = f"gate {inside.name}"
    if inside.verdict in (Verdict.PASSED, Verdict.NOT_APPLICABLE):
        return Row("ok", what, inside.reason or str(inside.verdict))
    if outside is not None and outside.verdict is Verdict.PASSED:
        detail = f"passes outside the sandbox, inside: {inside.reason}"
        fix = 'give it what it misses: [sandbox] read or write, [workspace] setup and keep, or network = "host"'
        return Row("fail", what, detail, fix, inside.excerpt)
    if inside.verdict is Verdict.NOT_RUN:
        fix = "install what the command needs, or mend the command in ralph.toml"
        return Row("fail", what, f"could not run on the base: {inside.reason}", fix, inside.excerpt)
    fix = "mend the base, or set [night] allow_red_base"
    return Row("fail", what, f"red on the base: {inside.reason}", fix, inside.excerpt)


def preflight_rows(found: Preflight) -> Iterator[Row]:
    """Checks of tasks on the base, and whether a planted fault turns a gate red."""
    from ralph.domain import Verdict

    for check in found.checks:
        what = f"task {check.task}"
        if check.verdict is Verdict.PASSED:
            said = f"its check `{check.command}` is green before any work: vacuous, or done already"
            yield Row("warn", what, said, "give it a check that only the work turns green")
        elif check.verdict is Verdict.NOT_RUN:
            yield Row("fail", what, f"its check `{check.command}` can't run: {check.reason}", "mend the check")
    for name in found.uncanaried:
        said = "a failing test that was planted in it was not reported: its results count as observed only"
        yield Row("warn", f"gate {name}", said, "let its Python see PYTHONPATH (no `-I`, no `-E`)")
    match found.liveness.verdict:
        case Verdict.PASSED:
            yield Row("ok", "liveness", found.liveness.reason)
        case Verdict.FAILED:
            yield Row("warn", "liveness", found.liveness.reason, "add a gate that looks at this file")
        case _:
            yield Row("ok", "liveness", f"not probed: {found.liveness.reason}")
