"""Step ``proof``: the change's tests on the base's source, and the base's tests on the change's source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ralph.domain import Change, GateResult, Grade, Proof, Run, Verdict
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.case import Assessment
from ralph.engine.judge.execute import Job, run_apart, run_on
from ralph.engine.judge.gates import BLOB_LIMIT, plan
from ralph.verify.gates import PlannedGate
from ralph.verify.guards import gate_configuration, is_test
from ralph.verify.proof import classify, stubs
from ralph.verify.proof.retold import retold
from ralph.verify.proof.splice import inner_tests, splice
from ralph.verify.proof.touched import TestFile, Touched, is_data, touched
from ralph.verify.proof.verdict import graded, verdict
from ralph.verify.select import file_of, select

NAME = "proof"
Edits = dict[str, tuple[str, str] | None]


@dataclass
class _Shown:
    """What the tests of one gate showed about the change."""

    tests: dict[str, Proof]
    broken: list[str]
    turned: list[str]
    runs: list[Run]


def prove(bench: Bench, found: Assessment) -> tuple[GateResult, ...]:
    """The proof of a change, as one result; none where the project has no test that is known by its id."""
    case, shown = found.case, _Shown({}, [], [], [])
    planned = {gate.name: gate for gate in plan(bench, case.task, case.tree, case.paths)}
    suites = [gate for gate in found.gates if gate.kind == "tests" and gate.outcomes and gate.name in planned]
    checks = [gate for gate in found.gates if gate.verdict is Verdict.PASSED and _is_check(planned, gate)]
    if not suites and not checks:
        return _unseen(found) if _demand(bench, found) == "proven" else ()
    for suite in suites:
        _prove(bench, found, planned[suite.name], suite, shown)
    shown.turned += [gate.name for gate in checks if _was_red(found, planned[gate.name])]
    result = graded(shown.tests, tuple(dict.fromkeys(shown.turned)))
    demand = _demand(bench, found) if suites else "any"
    broken = [] if {"weaken-test"} & set(case.task.allow) else shown.broken
    ruling, reason = verdict(result, demand, broken)
    first = shown.runs[0].execution if shown.runs else (suites or checks)[0].execution
    grade = Grade.VERIFIED if first else Grade.NOT_RUN
    return (GateResult(NAME, "proof", ruling, reason, first, grade=grade, runs=tuple(shown.runs), proof=result),)


def _demand(bench: Bench, found: Assessment) -> str:
    """By the policy; a task with checks of its own may be there to turn them green."""
    demand = str(getattr(bench.config.verify.policy, found.case.task.kind.value))
    return "any" if demand == "unchanged" and found.case.task.checks else demand


def _unseen(found: Assessment) -> tuple[GateResult, ...]:
    """A change beside everything that tests look at has to be proven like any other."""
    asleep = [gate for gate in found.gates if gate.kind == "tests"]
    if not asleep or any(gate.verdict is not Verdict.NOT_APPLICABLE for gate in asleep):
        return ()
    reason = f"no path of the change is one that {asleep[0].name} looks at: nothing proves it"
    nothing = graded({}, ())
    return (GateResult(NAME, "proof", Verdict.FAILED, reason, grade=Grade.NOT_RUN, proof=nothing),)


def _is_check(planned: Mapping[str, PlannedGate], gate: GateResult) -> bool:
    return gate.name in planned and "check-" in gate.name and gate.execution is not None


def _was_red(found: Assessment, planned: PlannedGate) -> bool:
    """Whether a check of the task ran on the base and failed there, by what the change did not write itself."""
    return (
        not gate_configuration([planned.gate], found.case.paths)
        and found.base.result(planned).verdict is Verdict.FAILED
    )


def _prove(bench: Bench, found: Assessment, planned: PlannedGate, suite: GateResult, shown: _Shown) -> None:
    """Run what the change touched in one test gate on the other side's source, both sides at once."""
    there = found.base.result(planned)
    changes = [change for change in found.case.changes if is_test(change.path, bench.config)]
    inside = [one for change in found.case.changes if (one := _inside(bench, change))]
    files = [*(_test_file(bench, change) for change in changes), *(one.tests for one in inside)]
    tests = touched(files, there.outcomes, suite.outcomes, suite.comparison)
    shown.turned += suite.comparison.newly_passing if suite.comparison else ()
    jobs = list(_jobs(bench, found, planned, changes, inside, tests))
    results = dict(zip([job.purpose for job in jobs], run_apart(jobs), strict=True))
    shown.runs += [run for result in results.values() for run in _as_runs(result)]
    if base := results.get("fail-to-pass"):
        _on_base(bench, found, planned, base, tests, shown)
        _under_the_same_terms(bench, found, planned, tests, shown)
    elif tests.here:
        shown.tests |= dict.fromkeys(tests.here, Proof.NOT_DISCRIMINATING)  # nothing but tests was changed
    if replay := results.get("replay"):
        removed = _removed(bench, found)
        said = _messages(replay)
        originals = _known_as_original(tests, found)
        shown.broken += [one for one in originals if _fails(replay, one) and classify.broke(said(one), removed)]


def _jobs(
    bench: Bench,
    found: Assessment,
    planned: PlannedGate,
    changes: Sequence[Change],
    inside: Sequence[_Inside],
    tests: Touched,
) -> Iterable[Job]:
    case = found.case
    here = {one.path: _new(one) for one in changes} | {one.tests.path: one.base for one in inside if one.base}
    tree = bench.workspace.compose(case.head_tree, here)
    if tests.here and tree != case.tree:
        gate = select(planned, tests.here) or planned
        yield Job(bench.aside("proof"), gate, tree, case.base_kept, "fail-to-pass")
    if tests.replaced:
        kept = "snapshot" in case.task.allow
        originals = [one for one in changes if not (kept and one.status == "M" and is_data(one.path))]
        there = {one.path: _old(one) for one in originals} | {one.tests.path: one.head for one in inside if one.head}
        tree = bench.workspace.compose(case.tree, there)
        gate = select(planned, tests.replaced) or planned
        yield Job(bench.aside("replay"), gate, tree, found.kept, "replay")


@dataclass(frozen=True, slots=True)
class _Inside:
    """A changed source file that holds tests: them, and the file with its tests from the other side (mode, blob)."""

    tests: TestFile
    base: tuple[str, str] | None
    """The base's source with the change's tests."""
    head: tuple[str, str] | None
    """The change's source with the base's tests."""


def _inside(bench: Bench, change: Change) -> _Inside | None:
    """None where the file holds no tests or leaves them as they were."""
    old, new = _bytes(bench, change.old_blob, change.old_mode), _bytes(bench, change.new_blob, change.new_mode)
    before, after = inner_tests(old, change.path), inner_tests(new, change.path)
    if is_test(change.path, bench.config) or (before or b"") == (after or b""):
        return None

    def spliced(source: bytes | None, tests: bytes | None) -> tuple[str, str] | None:
        made = splice(source, tests) if source is not None and tests is not None else None
        return (change.new_mode, bench.workspace.write_blob(made)) if made is not None else None

    return _Inside(TestFile(change.path, before, after), spliced(old, after), spliced(new, before))


def _on_base(
    bench: Bench, found: Assessment, planned: PlannedGate, base: GateResult, tests: Touched, shown: _Shown
) -> None:
    """Grade each touched test; those that die for want of a name are asked again with the name there and empty."""
    said = _messages(base)
    unclear: list[str] = []
    for identity in tests.here:
        proof = classify.on_base(_outcome(base, identity), said(identity))
        if proof is None:
            unclear.append(identity)
        else:
            shown.tests[identity] = proof
    if not unclear:
        return
    result = _on_stubs(bench, found, planned, tests)
    shown.runs += _as_runs(result) if result else ()
    again = _messages(result) if result else said
    for identity in unclear:
        outcome = _outcome(result, identity) if result else None
        shown.tests[identity] = classify.on_stubs(outcome, again(identity))


def _under_the_same_terms(bench: Bench, found: Assessment, planned: PlannedGate, tests: Touched, shown: _Shown) -> None:
    """Run what counts as proof as it ran on the base, but on the change, whose text alone differs from the candidate's.

    What fails here as well told the runs apart by their selection or place, or the source by its text.
    """
    proven = [one for one in tests.here if shown.tests.get(one) is Proof.PROVEN]
    if not proven:
        return
    gate = select(planned, tests.here) or planned
    tree = bench.workspace.compose(found.case.tree, _edited(bench, found, lambda _, new, path: retold(new, path)))
    (result,) = run_on(bench.aside("proof"), [gate], tree, found.kept, purpose="control")
    shown.runs += _as_runs(result)
    shown.tests |= {one: classify.on_control(result.outcomes.get(one)) for one in proven}


def _on_stubs(bench: Bench, found: Assessment, planned: PlannedGate, tests: Touched) -> GateResult | None:
    """The change itself with everything that it adds made useless; None where nothing could be."""
    edits = _edited(bench, found, stubs.stub)
    if not edits:
        return None
    tree = bench.workspace.compose(found.case.tree, edits)
    gate = select(planned, tests.here) or planned
    return run_on(bench.aside("proof"), [gate], tree, found.kept, purpose="stub")[0]


def _edited(bench: Bench, found: Assessment, edit: Callable[[bytes | None, bytes, str], bytes | None]) -> Edits:
    """The changed sources as ``edit`` makes them of their old and new bytes, where it makes something of them."""
    edits: Edits = {}
    for change in found.case.changes:
        if change.status != "D" and change.new_mode.startswith("100") and not is_test(change.path, bench.config):
            new = bench.workspace.blob(change.new_blob, BLOB_LIMIT)
            if (made := edit(_bytes(bench, change.old_blob, change.old_mode), new, change.path)) is not None:
                edits[change.path] = (change.new_mode, bench.workspace.write_blob(made))
    return edits


def _known_as_original(tests: Touched, found: Assessment) -> list[str]:
    """Original tests that the task did not give up."""
    return [] if "delete-test" in found.case.task.allow else list(tests.replaced)


def _removed(bench: Bench, found: Assessment) -> frozenset[str]:
    """Names that the change took out of the source."""
    gone: set[str] = set()
    for change in found.case.changes:
        if not is_test(change.path, bench.config):
            old = stubs.names(_bytes(bench, change.old_blob, change.old_mode), change.path)
            new = stubs.names(_bytes(bench, change.new_blob, change.new_mode), change.path)
            gone |= (old or frozenset()) - (new or frozenset())
            if change.status == "D":
                gone.add(change.path.rpartition("/")[2].partition(".")[0])
    return frozenset(gone)


def _outcome(result: GateResult, identity: str) -> str | None:
    """What a run says about a test; where its file could not even be loaded, that it has failed is not known."""
    return result.outcomes.get(identity)


def _fails(result: GateResult, identity: str) -> bool:
    """Whether an original failed: by itself, or because its file no longer loads."""
    return (result.outcomes.get(identity) or result.outcomes.get(file_of(identity))) == "failed"


def _messages(result: GateResult) -> Callable[[str], str]:
    said = {failure.id: failure.message for failure in result.failures}

    def of(identity: str) -> str:
        """What a test said; of one that did not run, what kept its file from loading."""
        if identity in result.outcomes:
            return said.get(identity, "")
        place = file_of(identity)
        return next((text for failed, text in said.items() if _loads(failed, place)), "" if said else result.excerpt)

    return of


def _loads(failed: str, place: str) -> bool:
    """Whether a failure is that of loading the file, module or package ``place`` is in."""
    owner, _, name = failed.partition("::")
    return (
        failed == place
        or (owner == place and name.startswith("["))
        or (f"{place}.".startswith(f"{name}.") and bool(name))
    )


def _as_runs(result: GateResult) -> tuple[Run, ...]:
    return (Run(result.execution, result.counts, result.outcomes),) if result.execution else ()


def _test_file(bench: Bench, change: Change) -> TestFile:
    old = _bytes(bench, change.old_blob, change.old_mode)
    return TestFile(change.path, old, _bytes(bench, change.new_blob, change.new_mode))


def _bytes(bench: Bench, blob: str, mode: str) -> bytes | None:
    return bench.workspace.blob(blob, BLOB_LIMIT) if mode.startswith("100") and blob.strip("0") else None


def _new(change: Change) -> tuple[str, str] | None:
    return (change.new_mode, change.new_blob) if change.status != "D" else None


def _old(change: Change) -> tuple[str, str] | None:
    return (change.old_mode, change.old_blob) if change.status != "A" else None
