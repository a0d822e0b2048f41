"""What follows from the proof for a change of this kind. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ralph.domain import Proof, ProofResult, Verdict

_BEST_FIRST = (Proof.PROVEN, Proof.INCONCLUSIVE, Proof.IMPORT_ONLY, Proof.NOT_DISCRIMINATING)
_SAID = {
    Proof.PROVEN: "fails without the change and passes with it",
    Proof.NOT_DISCRIMINATING: "passes without the change as well",
    Proof.IMPORT_ONLY: "dies without the change before it checks anything",
    Proof.INCONCLUSIVE: "could not be run without the change, or fails with it too when run alone, comments aside",
}


def graded(tests: Mapping[str, Proof], turned: Sequence[str]) -> ProofResult:
    """The grade of a change: the best that one of its tests earned; what turned green on its own counts as proof."""
    if turned or Proof.PROVEN in tests.values():
        grade = Proof.PROVEN
    else:
        grade = next((one for one in _BEST_FIRST if one in tests.values()), Proof.NOT_PROVABLE)
    return ProofResult(grade, dict(sorted(tests.items())), tuple(turned))


def verdict(result: ProofResult, demand: str, broken: Sequence[str]) -> tuple[Verdict, str]:
    """Verdict and reason, by what ``[verify.policy]`` demands; ``broken``: originals that fail on the new source."""
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        said = f"the original {broken[0]}{more} fails on the new source"
        return Verdict.FAILED, f"{said}; keep what it checks, or have the task allow 'weaken-test'"
    if demand == "unchanged" and result.turned:
        said = f"{result.turned[0]} was red on the base and is green now"
        return Verdict.FAILED, f"{said}, but a task of this kind changes nothing that tests see"
    if result.grade is Proof.PROVEN or demand != "proven":
        return Verdict.PASSED, _shown(result)
    if result.grade is Proof.NOT_PROVABLE:
        return (
            Verdict.FAILED,
            "no test was added or altered, and none that was red turned green: add one that fails without the change",
        )
    count = Counter(result.tests.values())
    worst = next(identity for identity, proof in result.tests.items() if proof is result.grade)
    others = f" (so do {count[result.grade] - 1} more)" if count[result.grade] > 1 else ""
    return Verdict.FAILED, f"{worst} {_SAID[result.grade]}{others}: no test proves the change"


def _shown(result: ProofResult) -> str:
    proven = [identity for identity, proof in result.tests.items() if proof is Proof.PROVEN]
    if proven:
        more = f" and {len(proven) - 1} more" if len(proven) > 1 else ""
        return f"{proven[0]}{more} fails without the change and passes with it"
    if result.turned:
        return f"red on the base and green now: {', '.join(result.turned[:3])}"
    return f"not demanded: {result.grade.value.replace('_', ' ')}"
