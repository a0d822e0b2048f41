"""The story of validation: guards, gates beside the base, then what else a green change has to show."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from ralph.engine.judge.base import Base, beside
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.case import Assessment, Case, Check
from ralph.engine.judge.first import first
from ralph.engine.judge.flaky import again
from ralph.engine.judge.gates import check_diff, last_word, run_gates
from ralph.engine.judge.proof import prove
from ralph.engine.judge.review import review
from ralph.engine.judge.strength import strength
from ralph.engine.judge.vouch import voucher

__all__ = ["Assessment", "Case", "assess"]

Steps = Callable[[str], AbstractContextManager[None]]
"""Tells the daemon which step begins, and measures it."""

FURTHER: tuple[tuple[str, Check], ...] = (("proof", prove), ("strength", strength), ("review", review))
"""By name of the step, in order; each runs only where nothing before it blocks."""


def assess(bench: Bench, case: Case, step: Steps) -> Assessment:
    """Judge a candidate; what is found is told as it is found. Raises SetupFailed from ``case.kept``."""
    base = Base(bench, case.task, case.head_tree, case.base_kept, case.known_base)
    found = Assessment(case, base, case.base_kept)
    with step("guards"):
        found.guards = check_diff(bench, case.task, case.changes, case.tree)
    if found.blocked:
        return found
    with step("gates"):
        found.kept = case.kept()
        settle = last_word(again(bench, case, base, found.kept), voucher(bench, case.tree, found.kept))
        early = first(bench, case, base, found.kept)
        stands = (case.task, case.tree, case.paths, found.kept, case.known)
        found.gates = run_gates(beside(bench, base), *stands, settle, first=early)
    for name, check in FURTHER:
        if found.blocked or bench.stopped:
            break
        with step(name):
            more = check(bench, found)
            bench.told(case.tree, (), more)
            found.gates += more
    return found
