"""Run all guards over one change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ralph.config import Config, Gate
from ralph.domain import Change, Finding, GuardResult, Task, Verdict
from ralph.errors import RalphError
from ralph.verify.guards import policy, protected, scope, secrets, tampering
from ralph.verify.guards.diff import Diff, result


def check(
    task: Task,
    changes: Sequence[Change],
    *,
    read_blob: Callable[[str], bytes],
    tracked: Collection[str],
    config: Config,
    shared_files: Sequence[str] = (),
    gate_configuration: Collection[str] | None = None,
    known_secrets: Sequence[str] = (),
) -> list[GuardResult]:
    """The result of each guard; all run, whatever the first ones say.

    ``tracked`` are the paths of the base; ``shared_files`` paths or globs that other loops hold; ``gate_configuration``
    further paths that configure a gate (default: those that the commands of gates, checks and setup name). A guard
    whose blobs can't be read is ``not_run``, which blocks.
    """
    paths = frozenset(tracked)
    diff = Diff(task, changes, read_blob, paths, config)
    if gate_configuration is None:
        further = [Gate(name="further", command=one) for one in (*task.checks, config.workspace.setup) if one]
        gate_configuration = protected.gate_configuration([*config.gates, *further], paths)
    configured = frozenset(gate_configuration)
    guards: list[tuple[str, Callable[[], list[Finding]]]] = [
        ("scope", lambda: scope.findings(diff, tuple(shared_files))),
        ("protected", lambda: protected.findings(diff, configured)),
        ("secrets", lambda: secrets.findings(diff, known_secrets)),
        ("diff-policy", lambda: policy.findings(diff)),
        ("tampering", lambda: tampering.findings(diff)),
    ]
    return [_run(name, guard) for name, guard in guards]


def _run(name: str, guard: Callable[[], list[Finding]]) -> GuardResult:
    try:
        return result(name, guard())
    except RalphError as error:
        return GuardResult(name, Verdict.NOT_RUN, (Finding("unreadable", "", error.message),))
    except RecursionError:
        return GuardResult(name, Verdict.NOT_RUN, (Finding("unreadable", "", "code nested too deeply to be judged"),))
