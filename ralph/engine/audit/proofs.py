"""A proof graded again: from what the stored runs say about each touched test, and what turned green on its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ralph.config import Config
from ralph.domain import GateResult, Proof, Verdict
from ralph.engine.audit.book import Book, Told
from ralph.engine.audit.findings import Findings
from ralph.engine.audit.rejudge import read_again
from ralph.engine.audit.stored import Files
from ralph.verify.proof import classify
from ralph.verify.proof.verdict import graded, verdict
from ralph.verify.select import file_of


def check(told: Told, book: Book, config: Config, files: Files, scripts: Mapping[str, str], found: Findings) -> None:
    """Grade a recorded proof again. What the originals of altered tests showed can only have made it worse."""
    proof = told.result.proof
    if proof is None:
        return
    again = _runs(told, config, files, scripts)
    if again is None:
        return
    found.checked["proofs"] += 1
    tests = {identity: _grade(identity, again) for identity in proof.tests}
    other = next((name for name, grade in sorted(tests.items()) if grade is not proof.tests[name]), None)
    if other:
        said = f"{other} is {proof.tests[other].value} on record, {tests[other].value} by the stored runs"
        found.wrong("verdict", told.name, said)
        return
    if unknown := [name for name in proof.turned if not _turned(name, told, book)]:
        found.wrong("verdict", told.name, f"{unknown[0]} is said to have turned green, but nothing on record shows it")
    regraded = graded(tests, proof.turned)
    if regraded.grade is not proof.grade:
        said = f"the grade on record is {proof.grade.value}, by the stored runs {regraded.grade.value}"
        found.wrong("verdict", told.name, said)
    elif (
        told.result.verdict is Verdict.PASSED
        and verdict(regraded, _demand(told, book, config), ())[0] is not Verdict.PASSED
    ):
        found.wrong("verdict", told.name, f"it passed, but {proof.grade.value} is not enough for a task of this kind")


def _runs(told: Told, config: Config, files: Files, scripts: Mapping[str, str]) -> dict[str, list[GateResult]] | None:
    """What the runs on the base's source and on stubs say, by purpose; None where bytes are missing."""
    found: dict[str, list[GateResult]] = {"fail-to-pass": [], "stub": [], "control": []}
    for run in told.result.runs:
        if run.execution.purpose in found:
            result = read_again(told, run.execution, config, files, scripts)
            if result is None:
                return None
            found[run.execution.purpose].append(result)
    return found


def _grade(identity: str, runs: Mapping[str, list[GateResult]]) -> Proof:
    """As the step itself grades it: by the run that knows most about the test."""
    grades = []
    for base in runs["fail-to-pass"] or ():
        said = _messages(base)
        grade = classify.on_base(base.outcomes.get(identity), said(identity))
        if grade is None:
            stubs = runs["stub"]
            outcomes = [(stub.outcomes.get(identity), _messages(stub)(identity)) for stub in stubs]
            known = [one for one in outcomes if one[0] is not None] or outcomes or [(None, said(identity))]
            grade = classify.on_stubs(*known[0])
        controls = [one for one in runs["control"] if _argv(one) == _argv(base)] if grade is Proof.PROVEN else []
        grades.append(classify.on_control(controls[0].outcomes.get(identity)) if controls else grade)
    known_first = sorted(grades, key=lambda grade: grade is Proof.INCONCLUSIVE)
    return known_first[0] if known_first else Proof.INCONCLUSIVE


def _argv(result: GateResult) -> tuple[str, ...]:
    return result.execution.argv if result.execution else ()


def _messages(result: GateResult) -> Callable[[str], str]:
    said = {failure.id: failure.message for failure in result.failures}

    def of(identity: str) -> str:
        fallback = "" if identity in result.outcomes else result.excerpt
        return said.get(identity) or said.get(file_of(identity)) or fallback

    return of


def _turned(name: str, told: Told, book: Book) -> bool:
    """Whether a comparison of this iteration, or a check that was red on the base, shows it."""
    own = [one for one in book.of(told.event.iteration) if one.result.kind != "proof"]
    if any(one.result.comparison and name in one.result.comparison.newly_passing for one in own):
        return True
    check = next((one for one in own if one.result.name == name and one.tree == told.tree), None)
    began = book.began.get(told.event.iteration)
    if check is None or began is None or check.result.verdict is not Verdict.PASSED:
        return False
    there = book.on_base(Told(told.event, check.result), str(began.data.get("head_tree", "")))
    return there is not None and there.verdict is Verdict.FAILED


def _demand(told: Told, book: Book, config: Config) -> str:
    began = book.began.get(told.event.iteration)
    own = book.of(told.event.iteration)
    if began is None or not any(one.result.kind == "tests" and one.result.outcomes for one in own):
        return "any"
    demand = str(getattr(config.verify.policy, str(began.data.get("kind", "feature"))))
    return "any" if demand == "unchanged" and began.data.get("checks") else demand
