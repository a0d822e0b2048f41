"""Run a test gate on a tree laid aside with coverage measured or only some of its tests, and keep what it showed."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ralph.domain import GateResult, Run, Verdict
from ralph.engine.jails import INSIDE
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.execute import cache_of, environment_of, fresh_tree, run, said
from ralph.errors import RalphError
from ralph.host.files import delete_tree, own_directory, read_beneath, read_regular, write_atomic
from ralph.verify.gates import PlannedGate
from ralph.verify.guards.scope import is_test
from ralph.verify.strength import equipment, selection
from ralph.verify.strength.coverage import MAX_BYTES, Coverage, Unreadable, merge, read
from ralph.verify.strength.equipment import DATA, FOLDER, Batch, Equipment
from ralph.verify.strength.selection import TestMap

_MOST_FILES = 200
"""Data files of one run: each process of it leaves one."""
_SETTINGS = ("pyproject.toml", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "setup.cfg", "tox.ini")
_SETTINGS_BYTES = 200_000
_RESULT_BYTES = 100_000
_SOURCE_BYTES = 2_000_000
MAP_FACTOR = 3
"""A run of all tests with every line counted may take this many times the gate's limit."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One equipped run of a gate."""

    result: GateResult
    coverage: Coverage | None = None
    problem: str = ""
    """Why nothing was measured."""

    @property
    def runs(self) -> tuple[Run, ...]:
        done = self.result
        return (Run(done.execution, done.counts, done.outcomes),) if done.execution else ()


def equipped_run(
    bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path], wanted: Equipment, *, purpose: str
) -> GateResult:
    """Run the gate on ``tree``, which lies in the bench's place, with the files of ``wanted`` in the tree's cache."""
    place = bench.place
    cache = cache_of(place, planned.gate, tree)
    inside = f"{place.inside(cache, INSIDE / 'cache')}/{FOLDER}"
    _write(cache, place.loop, equipment.files(planned, wanted, str(place.directory), inside))
    settings = " ".join(_settings(bench, tree))
    gate = equipment.equipped(planned, wanted, inside, bench.config.workspace.env, settings)
    (result,) = run(bench, [gate], tree, kept, purpose=purpose)
    return result


def measure(bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path], wanted: Equipment) -> Measured:
    """Lay ``tree`` and run the gate on it with coverage."""
    fresh_tree(bench, tree, kept)
    result = equipped_run(bench, planned, tree, kept, wanted, purpose="coverage")
    if result.verdict is Verdict.NOT_RUN:
        return Measured(result, problem=result.reason)
    found = _read(cache_of(bench.place, planned.gate, tree), str(bench.place.directory))
    return Measured(result, found) if isinstance(found, Coverage) else Measured(result, problem=found.reason)


def noted_fates(bench: Bench, planned: PlannedGate, tree: str, batch: Batch) -> dict[int, str]:
    """What a run of many faults noted for each, by number; nothing where that can't be read."""
    folder = cache_of(bench.place, planned.gate, tree) / FOLDER
    try:
        data = None if folder.is_symlink() else read_beneath(folder, equipment.RESULTS, _RESULT_BYTES)
    except RalphError:
        return {}
    return equipment.results(data or b"", batch)


def _write(cache: Path, loop: Path, files: Mapping[str, bytes]) -> None:
    """Make the folder anew: what tests left in its place, a link for example, leads nowhere."""
    cache.mkdir(parents=True, exist_ok=True)
    delete_tree(cache / FOLDER, loop)
    (cache / FOLDER).mkdir()
    for name, data in files.items():
        (cache / FOLDER / name).write_bytes(data)


def _read(cache: Path, root: str) -> Coverage | Unreadable:
    folder = cache / FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return Unreadable("the tests removed what had been measured")
    names = sorted(name for name in os.listdir(folder) if name.startswith(DATA + "."))  # noqa: PTH208 (names only)
    found: list[Coverage] = []
    for name in names[:_MOST_FILES]:
        try:
            one = read(read_beneath(folder, name, MAX_BYTES) or b"", root)
        except RalphError as error:
            return Unreadable(error.message)
        if isinstance(one, Unreadable):
            return one
        found.append(one)
    return merge(found) if found else Unreadable("the tests ran without leaving any coverage data")


def _settings(bench: Bench, tree: str) -> list[str]:
    texts = (bench.workspace.read(tree, name, _SETTINGS_BYTES) for name in _SETTINGS)
    return [text.decode("utf-8", "replace") for text in texts if text]


def shared(bench: Bench) -> Path:
    """A directory of this step that all loops share."""
    root = bench.place.loop.parent.parent / "measured"
    own_directory(root)
    return root


def test_map(
    bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path]
) -> tuple[TestMap | None, tuple[Run, ...]]:
    """Which tests run which functions, measured once a night for each gate and shared by all loops.

    ``tree`` is an accepted one (the base's, a branch's): a candidate could lie about it. The bench's place is laid
    with it where it has to be measured; the execution is given beside the map.
    """
    path = _map_file(bench, planned, tree, kept)
    with open(path.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if path.exists():
            return selection.load(read_regular(path, MAX_BYTES)), ()
        found, measured = _measure_all(bench, planned, tree, kept)
        if not bench.stopped:
            write_atomic(path, found.model_dump_json().encode() if found else b"")
        return found, measured.runs


test_map.__test__ = False  # type: ignore[attr-defined]


def known_map(bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path]) -> TestMap | None:
    """The map where it was measured before; it is not measured now."""
    path = _map_file(bench, planned, tree, kept)
    return selection.load(read_regular(path, MAX_BYTES)) if path.exists() else None


def _map_file(bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path]) -> Path:
    name = "\0".join((bench.place.spec.night, planned.name, *said(planned), environment_of(bench, planned, tree, kept)))
    return shared(bench) / f"{hashlib.sha256(name.encode()).hexdigest()[:20]}.json"


def _measure_all(
    bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path]
) -> tuple[TestMap | None, Measured]:
    omit = [*(f"{equipment.literal(name)}/*" for name in kept), "test_*.py", "*/test_*.py", "tests/*", "*/tests/*"]
    wanted = Equipment(["*"], omit, seconds=planned.gate.timeout * MAP_FACTOR)
    measured = measure(bench, planned, tree, kept, wanted)
    if measured.coverage is None:
        return None, measured
    files = {path: file for path, file in measured.coverage.files.items() if not is_test(path, bench.config)}
    return selection.map_of(tree, replace(measured.coverage, files=files), _sources(bench, tuple(files))), measured


def _sources(bench: Bench, paths: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in paths:
        try:
            found[path] = read_beneath(bench.place.tree, path, _SOURCE_BYTES) or b""
        except RalphError:
            continue  # too large to be parsed: known as a whole
    return found
