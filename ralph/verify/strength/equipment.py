"""What a test gate gets besides its own command so that a run measures coverage or runs only some of its tests."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from ralph.verify import runners
from ralph.verify.gates import PlannedGate
from ralph.verify.strength.selection import Selection

FOLDER = "strength"
"""Directory in the cache of a tree that holds the files of a run and what it wrote."""
DATA = "data"
RESULTS = "results"
FATES = frozenset(("killed", "survived", "timeout", "untested"))
_INSIDE = Path(__file__).with_name("inside")
_QUIET = (
    "already-imported,couldnt-parse,include-ignored,module-not-imported,module-not-measured,module-not-python,"
    "no-ctracer,no-data-collected,no-sysmon,dynamic-conflict,trace-changed"
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A file with a fault in it, and the tests to ask; None: all of them."""

    number: int
    path: str
    data: bytes
    selection: Selection | None
    label: str = ""
    """Heads its part of the log."""


@dataclass(frozen=True, slots=True)
class Batch:
    mutants: Sequence[Planted]
    control: Planted
    """A file without a fault, and tests that pass on it: where they fail nevertheless, all the rest means nothing."""
    each: float
    """Seconds that one of them may take."""
    box: float
    """Seconds for all of them; the first is tried in any case."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """How a run differs from the gate's own."""

    include: Sequence[str] | None = None
    """Paths or patterns below the tree to measure; None: nothing is measured."""
    omit: Sequence[str] = ()
    selection: Selection | None = None
    """Tests to run; None: all."""
    first_failure: bool = False
    """End with the first failing test."""
    batch: Batch | None = None
    """Faults to try one after another within the run; pytest only."""
    seconds: float = 600


def measurable(planned: PlannedGate) -> bool:
    """Whether a gate runs Python tests in a way that can be measured."""
    return planned.kind == "tests" and planned.runner is not None and planned.runner.name in ("pytest", "unittest")


def files(planned: PlannedGate, wanted: Equipment, root: str, folder: str) -> dict[str, bytes]:
    """The files of a run by name; ``root`` is the tree's path and ``folder`` theirs, both as the run sees them."""
    found = {path.name: path.read_bytes() for path in _INSIDE.glob("*.py")}
    if wanted.include is not None:
        found["coverage.ini"] = _configuration(planned, wanted, root).encode("utf-8", "surrogateescape")
    if wanted.selection is not None:
        found["select.json"] = json.dumps(wanted.selection.as_data(root)).encode()
    return {**found, **_batch(wanted.batch, root, folder)} if wanted.batch else found


def _batch(batch: Batch, root: str, folder: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def row(one: Planted, name: str) -> dict[str, int | str]:
        found[f"{name}.py.txt"] = one.data
        if one.selection:
            found[f"{name}.json"] = json.dumps(one.selection.as_data(root)).encode()
        select = f"{folder}/{name}.json" if one.selection else ""
        file = f"{folder}/{name}.py.txt"
        return {"number": one.number, "path": one.path, "file": file, "select": select, "label": one.label}

    told = {
        "root": root,
        "results": f"{folder}/{RESULTS}",
        "each": batch.each,
        "box": batch.box,
        "control": row(batch.control, "control"),
        "mutants": [row(one, f"m{one.number}") for one in batch.mutants],
    }
    return {**found, "mutants.json": json.dumps(told).encode()}


def results(data: bytes, batch: Batch) -> dict[int, str]:
    """Fates by number, as the run noted them; what is no fate is left out."""
    known = {str(one.number): one.number for one in batch.mutants}
    rows = [row.split(" ") for row in data.decode("utf-8", "replace").splitlines()]
    return {known[row[0]]: row[1] for row in rows if len(row) == 2 and row[0] in known and row[1] in FATES}


def _configuration(planned: PlannedGate, wanted: Equipment, root: str) -> str:
    def patterns(paths: Sequence[str]) -> str:
        return "".join(f"\n    {_literal(root)}/{path}" for path in paths)

    lines = ["[run]", "parallel = True", "context = ${RALPH_STRENGTH_TEST-}", f"disable_warnings = {_QUIET}"]
    lines += [f"include ={patterns(wanted.include or ())}"]
    lines += [f"omit ={patterns(wanted.omit)}"] if wanted.omit else []
    if planned.runner and planned.runner.name == "unittest":
        lines.append("dynamic_context = test_function")
    return "\n".join(lines) + "\n"


def literal(path: str) -> str:
    """A path as a pattern that matches it alone; empty where there is none."""
    return "" if "\n" in path or "\r" in path else _literal(path)


def _literal(path: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", path).replace("$", "$$")


def equipped(
    planned: PlannedGate, wanted: Equipment, folder: str, env: Mapping[str, str], settings: str
) -> PlannedGate:
    """The gate with another environment, and where it must be another command; ``env`` is what it has without.

    ``settings`` is the text of the project's configuration files: pytest-cov would measure instead of us.
    """
    gate = planned.gate
    before = {**env, **gate.env}
    added = {"PYTHONPATH": ":".join(path for path in (folder, before.get("PYTHONPATH", "")) if path)}
    if wanted.include is not None:
        added["RALPH_COVERAGE_RC"] = f"{folder}/coverage.ini"
        added["RALPH_COVERAGE_AT"] = _coverage()
        added["COVERAGE_FILE"] = f"{folder}/{DATA}"  # it outranks what is configured
    if wanted.selection is not None:
        added["RALPH_STRENGTH_SELECT"] = f"{folder}/select.json"
    if wanted.batch is not None:
        added["RALPH_STRENGTH_MUTANTS"] = f"{folder}/mutants.json"
    words = _without_coverage(planned)
    if planned.runner and planned.runner.name == "pytest":
        options = ["-p", "ralph_strength"] + ["-x"] * wanted.first_failure
        options += ["-p", "ralph_mutants"] * (wanted.batch is not None)
        options += ["--no-cov"] * ("--cov" in settings or "--cov" in gate.command)
        added["RALPH_STRENGTH_OPTIONS"] = " ".join(options)
        added["PYTEST_ADDOPTS"] = " ".join(part for part in (before.get("PYTEST_ADDOPTS", ""), *options) if part)
    elif wanted.first_failure and planned.recognised and planned.recognised.at >= 0:
        words = [*words, "-f"]
    command = gate.command if gate.shell else shlex.join(words)
    changed = gate.model_copy(update={"command": command, "env": {**gate.env, **added}, "timeout": wanted.seconds})
    return PlannedGate(changed, planned.batch, _recognised(planned, changed.command), planned.settled)


def _recognised(planned: PlannedGate, command: str) -> runners.Recognised | None:
    return planned.recognised if command == planned.gate.command else runners.recognise(command)


def _without_coverage(planned: PlannedGate) -> list[str]:
    """The command's words without a ``coverage run``, which would measure instead of us."""
    words, at = planned.words, planned.recognised.at if planned.recognised else -1
    start = next((n for n, word in enumerate(words[: max(at, 0)]) if PurePosixPath(word).name == "coverage"), -1)
    if planned.gate.shell or start < 0 or words[start + 1 : start + 2] != ["run"]:
        return words
    before = words[: start - 1] if start > 1 and words[start - 1] == "-m" else [*words[:start], "python"]
    return [*before, "-m", *words[at:]]


def _coverage() -> str:
    """The directory in which this interpreter finds coverage.py: for projects that have none of their own."""
    spec = find_spec("coverage")
    return str(Path(spec.origin).parent.parent) if spec and spec.origin else ""
