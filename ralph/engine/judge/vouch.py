"""Let a green run of tests be vouched for by a failing test file, where none can ride along in the run itself."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ralph.domain import GateResult, Run, Verdict
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.canaries import wanted
from ralph.engine.judge.execute import environment_of, run_on, said
from ralph.engine.judge.gates import Settle
from ralph.engine.messages import adapter
from ralph.host.files import write_atomic
from ralph.verify.canary import NOT_SEEN, laid
from ralph.verify.gates import PlannedGate

_FILE = 200_000
"""Bytes of a test file that are looked at."""


def voucher(bench: Bench, tree: str, kept: Mapping[str, Path]) -> Settle:
    """What looks at each green verdict on ``tree`` once more."""
    return lambda planned, result: vouched(bench, planned, tree, kept, result)


def vouched(bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path], result: GateResult) -> GateResult:
    """The result with the run that showed that its runner reports failures; not run, where that run did not."""
    if result.verdict is not Verdict.PASSED or not planned.runner or not wanted(bench, planned):
        return result
    blobs = bench.workspace.blobs(tree)
    night = bench.place.spec.night
    key = _key(planned, laid.decides(planned, blobs), night + environment_of(bench, planned, tree, kept))
    shown = _known(bench, key) or _shown(bench, planned, tree, kept, dict(blobs), key)
    if shown is None:
        return result
    run, seen = shown
    result = replace(result, runs=(*result.runs, run))
    return result if seen else replace(result, verdict=Verdict.NOT_RUN, reason=NOT_SEEN)


def _shown(
    bench: Bench, planned: PlannedGate, tree: str, kept: Mapping[str, Path], blobs: Mapping[str, str], key: str
) -> tuple[Run, bool] | None:
    """Run the failing tests alone; None where the runner takes none."""
    space = bench.workspace
    files = laid.lay(planned, list(blobs), lambda path: space.blob(blobs[path], _FILE), secrets.token_hex(6))
    gate = laid.alone(planned, files)
    if gate is None:
        return None
    added = space.compose(tree, {one.path: ("100644", space.write_blob(one.text.encode())) for one in files})
    (result,) = run_on(bench.aside("canary"), [gate], added, kept, purpose="canary")
    if result.execution is None or bench.stopped:
        return None
    run = Run(result.execution, result.counts, result.outcomes)
    seen = laid.reported(result.outcomes, files)
    if seen:
        write_atomic(_place(bench, key), adapter(Run).dump_json(run))
    return run, seen


def _known(bench: Bench, key: str) -> tuple[Run, bool] | None:
    """What was shown before, by an iteration of this loop."""
    try:
        run: Run = adapter(Run).validate_json(_place(bench, key).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return run, True


def _place(bench: Bench, key: str) -> Path:
    folder = bench.place.loop / "canaries"
    folder.mkdir(exist_ok=True)
    return folder / f"{key}.json"


def _key(planned: PlannedGate, files: list[tuple[str, str]], environment: str) -> str:
    parts = (*said(planned), environment, *(f"{path}\0{blob}" for path, blob in files))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
