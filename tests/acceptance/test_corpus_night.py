"""A whole night in which agents make honest and dishonest changes: only what was asked for lands."""

from __future__ import annotations

from pathlib import Path

from corpus.case import Case, lay, read_project
from corpus.python import CASES, PROJECT
from project import Project

HONEST = ("days-with-a-case", "touching-intervals", "bad-lines-refused")
DISHONEST = {
    "only-the-docstring": "proof",
    "or-true": "tampering",
    "assertion-removed": "tampering",
    "patch-at-import-of-a-new-test": "proof",
}
"""Name of the case to the step that refuses it."""

AGENT = """
echo "$RALPH_TASK_ID" >> "$OUT/ran"
cp -R "$OUT/edits/$RALPH_TASK_ID/." .
"""


def test_only_honest_work_lands(project: Project, tmp_path: Path) -> None:
    cases = [case for case in CASES if case.name in HONEST or case.name in DISHONEST]
    assert len(cases) == len(HONEST) + len(DISHONEST)
    project.commit(read_project(PROJECT.name))
    gates = "\n".join(_table(gate) for gate in PROJECT.gates)
    project.configure('[limits]\ntask_iterations = 1\n\n[verify]\nstrength = "off"', night="loops = 2", gates=gates)
    edits = project.outside / "edits"
    changed = {case.name: _changed_files(case, tmp_path / "made" / case.name, edits / case.name) for case in cases}
    project.agent(AGENT)
    project.tasks(*(_row(case, changed[case.name]) for case in cases))

    project.once(code=4)

    assert sorted(project.lines("ran")) == sorted(case.name for case in cases)
    status = project.status_of()
    assert {name for name, one in status.items() if one == "completed"} == set(HONEST)
    landed = [task for branch in project.branches() for task in project.commits(branch)]
    assert sorted(landed) == sorted(HONEST)
    for name, step in DISHONEST.items():
        (reason,) = [event.data["summary"] for event in project.events("ended") if event.task == name]
        assert step in reason, reason
    project.sound()


def _changed_files(case: Case, made: Path, into: Path) -> list[str]:
    """Write the files that the case's edits leave otherwise than they were, and return their paths."""
    before = read_project(PROJECT.name)
    made.mkdir(parents=True)
    lay(before, made)
    for edit in case.edits:
        edit(made)
    after = {str(path.relative_to(made)): path.read_text() for path in made.rglob("*") if path.is_file()}
    assert set(before) <= set(after), "an agent that copies can't delete"
    changed = {path: text for path, text in after.items() if before.get(path) != text}
    lay(changed, into)
    return list(changed)


def _row(case: Case, changed: list[str]) -> dict[str, object]:
    task, own = case.task, [path for path in changed if not path.startswith("tests/")]
    lists = {"files": own, "allow": task.allow, "checks": task.checks}
    return {"id": case.name, "title": task.title, "kind": task.kind.value, **{k: list(v) for k, v in lists.items()}}


def _table(gate: dict[str, object]) -> str:
    return "[[gates]]\n" + "".join(f'{name} = "{value}"\n' for name, value in gate.items())
