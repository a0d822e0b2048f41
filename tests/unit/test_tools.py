from __future__ import annotations

import pytest

from ralph.config import Gate
from ralph.verify import tools
from ralph.verify.gates import PlannedGate


def planned(command: str, shell: bool = False) -> PlannedGate:
    return PlannedGate(Gate(name="gate", command=command, shell=shell), 0)


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("pytest -q", {"pytest": ("pytest", "--version")}),
        (
            ".venv/bin/python3.11 -m pytest -q",
            {
                "python3.11": (".venv/bin/python3.11", "--version"),
                "pytest": (".venv/bin/python3.11", "-m", "pytest", "--version"),
            },
        ),
        ("python -m project.checks", {"python": ("python", "--version")}),
        ("npm test", {"npm": ("npm", "--version"), "node": ("node", "--version")}),
        ("go test ./...", {"go": ("go", "version")}),
        ("./check.sh", {}),
        ("pytester", {}),
    ],
)
def test_only_programs_that_are_known_to_answer_are_asked(command: str, asked: dict[str, tuple[str, ...]]) -> None:
    assert tools.questions(planned(command)) == asked
    assert tools.questions(planned(command, shell=True)) == asked


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("Python 3.11.7\n", "3.11.7"),
        ("pytest 8.3.4", "8.3.4"),
        ("mypy 1.13.0 (compiled: yes)", "1.13.0"),
        ("go version go1.22.1 linux/amd64", "1.22.1"),
        ('openjdk version "17.0.9" 2023-10-17', '17.0.9"'),
        ("v20.11.0", "20.11.0"),
        ("warning: something\nruff 0.8.1", "0.8.1"),
        ("no number here 7", ""),
        ("", ""),
    ],
)
def test_the_version_is_found_in_what_was_said(said: str, version: str) -> None:
    assert tools.version(said) == version.rstrip('"')


def test_a_gate_has_the_versions_of_its_own_programs() -> None:
    known = {"pytest": "8.3", "ruff": "0.8"}
    assert tools.of_gate(planned("pytest -q"), known) == {"pytest": "8.3"}
