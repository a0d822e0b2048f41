from __future__ import annotations

import json
from pathlib import Path

import pytest

from ralph.config import Config
from ralph.verify.detect import Detected, detect
from ralph.verify.runners import recognise


def made(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def commands(found: Detected) -> dict[str, str]:
    return {gate["name"]: gate["command"] for gate in found.gates}


def checked(root: Path, files: dict[str, str]) -> Detected:
    """What is detected; it must be a valid configuration, and reading must change nothing."""
    made(root, files)
    before = sorted(root.rglob("*"))
    found = detect(root)
    assert sorted(root.rglob("*")) == before
    Config.model_validate({"gates": list(found.gates), "workspace": found.workspace})
    return found


PYTEST_FILE = "def test_a():\n    assert True\n"
PACKAGE = {"scripts": {"test": "vitest"}, "devDependencies": {"vitest": "3", "typescript": "5", "eslint": "9"}}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"calc.py": "", "test_calc.py": PYTEST_FILE}, {"tests": "python3 -m pytest -q"}),
        (
            {"calc.py": "", "tests/test_calc.py": "import unittest\n"},
            {"tests": "python3 -m unittest discover -s tests"},
        ),
        ({"test_calc.py": "import unittest\n"}, {"tests": "python3 -m unittest"}),
        ({"setup.py": "", "tests/conftest.py": ""}, {"tests": "python3 -m pytest -q"}),
        (
            {"pyproject.toml": "[tool.pytest.ini_options]\n[tool.mypy]\nfiles = ['a']\n[tool.ruff]\n", "a.py": ""},
            {"lint": "ruff check .", "types": "mypy", "tests": "python3 -m pytest -q"},
        ),
        (
            {"setup.cfg": "[flake8]\n[mypy]\n", "test_a.py": PYTEST_FILE},
            {"lint": "flake8", "types": "mypy .", "tests": "python3 -m pytest -q"},
        ),
        ({"pyrightconfig.json": "{}", "test_a.py": PYTEST_FILE}, {"types": "pyright", "tests": "python3 -m pytest -q"}),
        (
            {"uv.lock": "", "pyproject.toml": "[tool.pytest]\n[tool.ruff]\n"},
            {"lint": ".venv/bin/ruff check .", "tests": ".venv/bin/python -m pytest -q"},
        ),
        (
            {
                "package.json": json.dumps(PACKAGE),
                "tsconfig.json": "{}",
                "eslint.config.js": "",
                "package-lock.json": "{}",
            },
            {
                "lint": "node_modules/.bin/eslint .",
                "types": "node_modules/.bin/tsc --noEmit",
                "tests": "node_modules/.bin/vitest run",
            },
        ),
        (
            {"package.json": '{"scripts": {"test": "jest --ci", "lint": "x"}}'},
            {"lint": "npm run lint", "tests": "npm test"},
        ),
        ({"package.json": '{"scripts": {"test": "mocha"}}', "pnpm-lock.yaml": ""}, {"tests": "pnpm test"}),
        ({"package.json": '{"devDependencies": {"jest": "29"}}'}, {"tests": "node_modules/.bin/jest"}),
        ({"package.json": "{}", "test/a.test.js": ""}, {"tests": "node --test"}),
        (
            {"Cargo.toml": "[package]\n"},
            {
                "format": "cargo fmt --check",
                "clippy": "cargo clippy --all-targets -- -D warnings",
                "tests": "cargo test",
            },
        ),
        (
            {"go.mod": "module m\n"},
            {"format": 'test -z "$(gofmt -l .)"', "vet": "go vet ./...", "tests": "go test ./..."},
        ),
        ({"pom.xml": "<project/>"}, {"tests": "mvn -B test"}),
        ({"build.gradle": "", "gradlew": ""}, {"tests": "./gradlew --no-daemon test"}),
        ({"Makefile": "all: x\n\ntest: all\n\t./run\nlint:\n\tx\n"}, {"tests": "make test", "lint": "make lint"}),
        ({"Makefile": "test:\n\tx\n", "test_a.py": PYTEST_FILE}, {"tests": "python3 -m pytest -q"}),
        (
            {".pre-commit-config.yaml": "", "test_a.py": PYTEST_FILE},
            {"tests": "python3 -m pytest -q", "pre-commit": "pre-commit run --all-files"},
        ),
        ({"README.md": "x"}, {}),
    ],
)
def test_gates_of_a_project(tmp_path: Path, files: dict[str, str], expected: dict[str, str]) -> None:
    assert commands(checked(tmp_path, files)) == expected


def test_the_tests_gate_has_a_runner_that_reports_each_test(tmp_path: Path) -> None:
    for number, files in enumerate(({"test_a.py": PYTEST_FILE}, {"go.mod": "m"}, {"Cargo.toml": ""}, {"pom.xml": ""})):
        found = detect(made(tmp_path / str(number), files))
        tests = next(gate for gate in found.gates if gate["kind"] == "tests")
        assert recognise(tests["command"]) is not None


def test_dependencies_come_from_the_checkout_or_are_made(tmp_path: Path) -> None:
    there = made(
        tmp_path / "a", {"uv.lock": "", "pyproject.toml": "", ".venv/bin/python": "", "test_a.py": PYTEST_FILE}
    )
    assert detect(there).workspace == {"keep": [".venv"]}
    lock = made(tmp_path / "b", {"uv.lock": "", "pyproject.toml": "", "test_a.py": PYTEST_FILE})
    assert detect(lock).workspace == {
        "setup": "uv sync --frozen",
        "inputs": ["uv.lock", "pyproject.toml"],
        "keep": [".venv"],
    }
    package = {"package.json": '{"dependencies": {"a": "1"}, "scripts": {"test": "jest"}}', "package-lock.json": "{}"}
    assert detect(made(tmp_path / "c", package)).workspace == {
        "setup": "npm ci",
        "inputs": ["package-lock.json", "package.json"],
        "keep": ["node_modules"],
    }
    plain = made(tmp_path / "d", {"requirements.txt": "httpx\n", "test_a.py": PYTEST_FILE})
    assert detect(plain).workspace == {} and "PATH" in " ".join(detect(plain).notes)


def test_a_tool_that_the_environment_lacks_is_taken_from_path(tmp_path: Path) -> None:
    files = {
        ".venv/bin/python": "",
        ".venv/bin/mypy": "",
        "pyproject.toml": "[tool.ruff]\n[tool.mypy]\n",
        "test_a.py": "",
    }
    found = commands(detect(made(tmp_path, files)))
    assert (found["lint"], found["types"]) == ("ruff check .", ".venv/bin/mypy .")


def test_parts_one_level_below_are_found(tmp_path: Path) -> None:
    files = {
        "backend/pyproject.toml": "[tool.pytest]\n",
        "web/package.json": '{"devDependencies": {"vitest": "3"}}',
        "node_modules/x/package.json": "{}",
    }
    found = checked(tmp_path, files)
    assert found.languages == ("python", "javascript")
    assert commands(found) == {
        "tests-backend": "python3 -m pytest -q",
        "tests-web": "web/node_modules/.bin/vitest run",
    }
    assert [gate["cwd"] for gate in found.gates] == ["backend", "web"]
    assert found.workspace["setup"] == "(cd web && npm install)"


def test_nothing_found_is_said_and_broken_files_do_no_harm(tmp_path: Path) -> None:
    files = {"pyproject.toml": "[broken", "package.json": "[1", "Makefile": "\x00", "test_a.py": PYTEST_FILE}
    assert commands(checked(tmp_path / "a", files))["tests"] == "python3 -m pytest -q"
    (tmp_path / "b").mkdir()
    assert "no gate was recognised" in detect(tmp_path / "b").notes[0]
    (tmp_path / "b" / "package.json").symlink_to("/etc/passwd")
    detect(tmp_path / "b")


def test_two_languages_have_gates_with_names_of_their_own(tmp_path: Path) -> None:
    found = checked(tmp_path, {"test_a.py": PYTEST_FILE, "package.json": '{"scripts": {"test": "jest"}}'})
    assert commands(found) == {"tests": "python3 -m pytest -q", "tests-2": "npm test"}


def test_maven_says_that_its_repository_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text("<project/>")
    assert any(".m2/repository" in note for note in detect(tmp_path).notes)
