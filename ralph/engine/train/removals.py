"""Which commits can be taken out of everything that lands: undone without a work tree, then gated."""

from __future__ import annotations

from collections.abc import Sequence

from ralph.core.train_order import Ended
from ralph.engine.train.trials import Trials, fault_in
from ralph.engine.train.values import Candidate, Part, Removal


def removals(trials: Trials, landing: Sequence[Candidate], commit: str) -> tuple[tuple[Removal, ...], str]:
    """Per commit of the branches in ``landing``, which ``commit`` has merged; and why not all were tried."""
    tree = trials.bench.workspace.tree_of(commit)
    parts = [part for candidate in landing for part in candidate.parts]
    found: list[Removal] = []
    for number, part in enumerate(parts):
        try:
            found.append(_without(trials, landing, part, tree))
        except Ended as ended:
            rest = [Removal(other.task, other.commit, "untried", reason=str(ended)) for other in parts[number:]]
            return (*found, *rest), str(ended)
    return tuple(found), ""


def _without(trials: Trials, landing: Sequence[Candidate], part: Part, tree: str) -> Removal:
    others = [one for candidate in landing for one in candidate.parts if one.task != part.task]
    needing = [one.task for one in others if part.task in one.needs]
    left, paths = trials.bench.workspace.carry(tree, part.commit, part.parent)
    if left is None:
        later = [one.task for one in others if set(one.paths) & set(paths)]
        builders = tuple(dict.fromkeys([*needing, *later]))
        return Removal(part.task, part.commit, "conflict", tuple(paths), builders)
    if left == tree:
        return Removal(part.task, part.commit, "gone")
    if needing:
        return Removal(part.task, part.commit, "needed", builders=tuple(needing))
    names = tuple(candidate.branch for candidate in landing)
    asked = left, trials.checks(names, without=part.task), f"everything without {part.task}"
    fault = fault_in(trials.gates(*asked, sure=False))
    if fault and trials.excuse():
        fault = fault_in(trials.gates(*asked, sure=False))
    if fault:
        return Removal(part.task, part.commit, "red", fault.at, reason=fault.reason)
    return Removal(part.task, part.commit, "proven")
