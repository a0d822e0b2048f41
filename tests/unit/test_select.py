"""Narrowing a test command to some ids."""

from __future__ import annotations

import pytest

from ralph.config import Gate
from ralph.verify import runners
from ralph.verify.gates import PlannedGate
from ralph.verify.select import select

ADDED = "--continue-on-collection-errors"


def narrowed(command: str, *ids: str, shell: bool = False, cwd: str = "") -> str | None:
    gate = Gate(name="tests", command=command, kind="tests", shell=shell, cwd=cwd)
    found = select(PlannedGate(gate, 0, runners.recognise(command, shell)), ids)
    return found.gate.command if found else None


@pytest.mark.parametrize(
    ("command", "ids", "expected"),
    [
        ("pytest -q", ["tests/test_a.py::x"], f"pytest -q {ADDED} tests/test_a.py::x"),
        ("pytest tests unit/", ["t.py::C::x[1]", "t.py::C::x[2]"], f"pytest {ADDED} t.py::C::x"),
        (
            "python -m pytest -x -n 4 -k 'a or b' --tb short tests",
            ["t.py::x"],
            "python -m pytest -k 'a or b' --tb short",
        ),
        ("pytest --cov=src --cov-fail-under 90 --cov-report=term -ra", ["t.py::x"], f"pytest -ra {ADDED} t.py::x"),
        ("uv run pytest --maxfail=1 -m fast", ["t.py::x"], f"uv run pytest -m fast {ADDED} t.py::x"),
        ("python -m unittest -v", ["tests.test_a.T::test_x"], "python -m unittest -v tests.test_a.T.test_x"),
        ("go test -v ./...", ["m/a::TestX/sub", "m/b::TestY"], "go test -run '^(TestX|TestY)$' -v ./..."),
        ("node --test", ["test/a.test.js::A > b"], "node --test test/a.test.js"),
        ("node --test --import ./s.mjs test/", ["test/a.test.js::A"], "node --test --import ./s.mjs test/a.test.js"),
        ("npx vitest run", ["src/a.test.ts::A > b", "src/a.test.ts::c"], "npx vitest run src/a.test.ts"),
    ],
)
def test_a_command_for_some_ids(command: str, ids: list[str], expected: str) -> None:
    assert (narrowed(command, *ids) or "").startswith(expected)


@pytest.mark.parametrize(
    ("command", "ids"),
    [
        ("pytest --some-plugin value tests", ["t.py::x"]),
        ("pytest -- tests", ["t.py::x"]),
        ("pytest -q", ["not a python id"]),
        ("pytest -q", []),
        ("make test", ["t.py::x"]),
        ("npm test", ["a.test.js::x"]),
        ("go test -run TestX ./...", ["m::TestY"]),
        ("go test ./...", ["m::TestX", "m::[build failed]"]),
        ("vitest run src/a.test.ts", ["src/b.test.ts::x"]),
        ("cargo test", ["src/lib.rs::tests::x"]),
        ("python -m unittest discover -s tests", ["tests.test_a.T::test_x"]),
    ],
)
def test_what_is_not_certain_is_not_narrowed(command: str, ids: list[str]) -> None:
    assert narrowed(command, *ids) is None


def test_a_shell_or_a_directory_of_its_own_is_not_narrowed() -> None:
    assert narrowed("pytest -q | cat", "t.py::x", shell=True) is None
    assert narrowed("pytest -q", "t.py::x", cwd="sub") is None
