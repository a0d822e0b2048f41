"""Whole nights with the installed program: a flaky test of the base, and a runner that another run vouches for."""

from __future__ import annotations

import shutil
import sys

import pytest
from project import Project

PYTEST = f"{sys.executable} -m pytest -q -p no:xdist"
CHANCE = """import os, pathlib
OUT = pathlib.Path({out!r})
def test_good():
    assert OUT
def test_chance():
    count = OUT / ("runs-" + os.environ["RALPH_ITERATION"])
    number = len(count.read_text()) + 1 if count.exists() else 1
    count.write_text("x" * number)
    assert "preflight" in count.name or number not in (1, 3)
"""


def test_a_flaky_test_of_the_base_costs_nobody_a_night(project: Project) -> None:
    """It fails in the run that counts, passes when it runs again, and fails once on the base: trees take turns."""
    project.commit({"test_it.py": CHANCE.format(out=str(project.outside)), "source.py": "X = 1\n"})
    project.agent("echo 'Y = 2' >> source.py")
    project.tasks("a")
    gate = f'[[gates]]\nname = "tests"\nkind = "tests"\ncommand = "{PYTEST}"\n'
    project.configure('[verify]\nstrength = "off"\n[verify.policy]\nfeature = "any"', gates=gate, mode="none")
    assert "1 passed, 1 flaky: test_it.py::test_chance (observed)" in project.once()
    assert project.status_of() == {"a": "completed"} and project.outcomes("a") == ["committed"]
    (tests,) = [event.data for event in project.events("gate") if event.data["flaky"]]
    assert tests["verdict"] == "passed" and tests["grade"] == "observed" and "not gating" in tests["reason"]
    assert "test_it.py::test_chance" in project.ralph("evidence", "--flaky").stdout
    (request,) = project.where.prs.glob("*.md")
    assert "1 flaky: " in request.read_text()
    assert any(need["code"] == "flaky" for need in project.report()["needs"])
    project.sound()


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_a_night_of_a_project_in_node_is_vouched_for(project: Project) -> None:
    test = "import test from 'node:test';\nimport assert from 'node:assert';\nimport {x} from '../x.mjs';\n"
    test += "test('x', () => assert.equal(x, 1));\n"
    project.commit({"x.mjs": "export const x = 1;\n", "test/x.test.mjs": test, "package.json": "{}\n"})
    project.agent('echo "export const $RALPH_TASK_ID = 2;" >> x.mjs; echo more > $RALPH_TASK_ID.md')
    project.tasks("a", "b")
    gate = '[[gates]]\nname = "tests"\nkind = "tests"\ncommand = "node --test"\n'
    project.configure('[verify.policy]\nfeature = "any"', gates=gate)
    project.once(code=0)
    assert project.lines("ran") == [] and set(project.outcomes("a")) == {"committed"}
    gates = [event.data for event in project.events("gate") if event.data["name"] == "tests" and event.task]
    vouching = [run for gate in gates for run in gate["runs"] if run["execution"]["purpose"] == "canary"]
    assert len({run["execution"]["log_sha256"] for run in vouching}) == 1 and vouching[0]["execution"]["exit_code"] == 1
    project.sound()
