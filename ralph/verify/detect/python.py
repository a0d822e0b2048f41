"""Python: pytest or unittest, mypy or pyright, ruff or flake8, and where the dependencies are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ralph.verify.detect.project import Found, Project

_MARKERS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "tox.ini", "Pipfile", "*.py", "src/*/*.py")
_TESTS = (
    "test_*.py",
    "*_test.py",
    "tests/**/test_*.py",
    "tests/**/*_test.py",
    "test/**/test_*.py",
    "src/**/test_*.py",
    "*/test_*.py",
    "*/tests/test_*.py",
)
_READ_TESTS = 20


@dataclass(frozen=True, slots=True)
class _Texts:
    """The files that say which tools a project uses."""

    pyproject: str
    setup_cfg: str
    tox: str
    others: str

    @property
    def all(self) -> str:
        return "\n".join((self.pyproject, self.setup_cfg, self.tox, self.others))


def detect(project: Project, found: Found) -> None:
    if not project.has(*_MARKERS):
        return
    found.language("python")
    others = [
        project.text(name) for name in project.files("requirements*.txt", "requirements/*.txt", "Pipfile", "setup.py")
    ]
    texts = _Texts(
        project.text("pyproject.toml"), project.text("setup.cfg"), project.text("tox.ini"), "\n".join(others)
    )
    tools = project.toml("pyproject.toml").get("tool", {})
    tools = tools if isinstance(tools, dict) else {}
    prefix = _dependencies(project, found, texts)
    _lint(project, found, texts, tools, prefix)
    _types(project, found, texts, tools, prefix)
    _tests(project, found, texts, tools, prefix)


def _dependencies(project: Project, found: Found, texts: _Texts) -> str:
    """Folder of the project's own programs with its slash; empty where those on PATH are used."""
    if project.has("uv.lock"):
        setup, inputs = "uv sync --frozen", ["uv.lock", "pyproject.toml"]
    elif project.has("poetry.lock"):
        setup, inputs = "POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install", ["poetry.lock", "pyproject.toml"]
    elif project.has("pdm.lock"):
        setup, inputs = "pdm sync", ["pdm.lock", "pyproject.toml"]
    else:
        setup, inputs = "", []
    if setup or project.has(".venv/bin/python"):
        found.kept(project, ".venv", setup, inputs)
        return project.at(".venv/bin/")
    if project.has("requirements*.txt") or re.search(
        r"^\s*dependencies\s*=\s*\[\s*[\"']", texts.pyproject, re.MULTILINE
    ):
        found.notes.append(
            "dependencies come from the python3 on your PATH; [workspace] setup and keep make ralph's own"
        )
    return ""


def _program(project: Project, prefix: str, name: str) -> str:
    """A tool of the project's own environment, unless that one is there and lacks it."""
    there = project.has(".venv/bin/python")
    return f"{prefix}{name}" if prefix and (not there or project.has(f".venv/bin/{name}")) else name


def _tests(project: Project, found: Found, texts: _Texts, tools: dict[str, object], prefix: str) -> None:
    files = project.files(*_TESTS)
    python = f"{prefix}python" if prefix else "python3"
    configured = project.has("pytest.ini", ".pytest.ini", "conftest.py", "tests/conftest.py", "test/conftest.py")
    named = "pytest" in tools or re.search(r"\bpytest\b", texts.all)
    read = [project.text(name) for name in files[:_READ_TESTS]]
    if configured or named or (files and _written_for_pytest(read)):
        found.gate(project, "tests", f"{python} -m pytest -q", "tests")
    elif files:
        folder = next((name.split("/")[0] for name in files if "/" in name), "")
        where = (
            ""
            if not folder or project.has(f"{folder}/__init__.py") or project.has("test_*.py")
            else f" discover -s {folder}"
        )
        found.gate(project, "tests", f"{python} -m unittest{where}", "tests")
    else:
        found.notes.append(f"{project.folder or 'the project'} has Python code without tests: no gate would run it")


def _written_for_pytest(texts: list[str]) -> bool:
    joined = "\n".join(texts)
    return (
        "import pytest" in joined
        or bool(re.search(r"^(?:async )?def test_", joined, re.MULTILINE))
        or "unittest" not in joined
    )


def _types(project: Project, found: Found, texts: _Texts, tools: dict[str, object], prefix: str) -> None:
    if "mypy" in tools or project.has("mypy.ini", ".mypy.ini") or "[mypy" in texts.setup_cfg:
        configured = project.text("mypy.ini") + project.text(".mypy.ini") + texts.setup_cfg + texts.pyproject
        where = "" if re.search(r"^\s*(?:files|packages|modules)\s*=", configured, re.MULTILINE) else " ."
        found.gate(project, "types", _program(project, prefix, "mypy") + where, "types", cost="cheap")
    elif "pyright" in tools or "basedpyright" in tools or project.has("pyrightconfig.json"):
        program = "basedpyright" if "basedpyright" in tools else "pyright"
        found.gate(project, "types", _program(project, prefix, program), "types", cost="cheap")


def _lint(project: Project, found: Found, texts: _Texts, tools: dict[str, object], prefix: str) -> None:
    if "ruff" in tools or project.has("ruff.toml", ".ruff.toml"):
        found.gate(project, "lint", _program(project, prefix, "ruff") + " check .", "lint", cost="cheap")
    elif project.has(".flake8") or "[flake8]" in texts.setup_cfg + texts.tox:
        found.gate(project, "lint", _program(project, prefix, "flake8"), "lint", cost="cheap")
