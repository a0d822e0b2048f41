"""Files that configure gates beside other things: which of the parts that do were changed."""

from __future__ import annotations

import ast
import configparser
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

Parts = Mapping[str, object]
"""Names of the parts that configure a gate, with their content in comparable form."""

_PYTHON_TOOLS = frozenset(
    {"pytest", "ruff", "mypy", "pyright", "basedpyright", "ty", "coverage", "pylint", "flake8", "tox", "nox", "black"}
    | {"isort", "bandit", "importlinter", "poe", "taskipy", "interrogate", "vulture", "deptry"}
)
_CFG_SECTIONS = re.compile(
    r"(?:tool:)?(?:pytest|mypy|flake8|coverage|pylint|isort|ruff|pycodestyle|tox|testenv|importlinter)"
)
_NODE_KEYS = frozenset(
    {"scripts", "jest", "vitest", "eslintConfig", "eslintIgnore", "prettier", "mocha", "ava", "nyc", "c8", "tap", "xo"}
)
_BUILD_LINES = re.compile(
    r"surefire|failsafe|skipTests|maven\.test|testFailureIgnore|ignoreFailures|useJUnit|checkstyle|spotbugs|jacoco"
    r"|\btest\s*\{|\bexclude|excludes?>|enabled\s*="
)


def covers(path: str) -> bool:
    """Whether files of this name are compared part by part."""
    return PurePosixPath(path).name in _READERS


def changed(path: str, old: bytes | None, new: bytes | None) -> list[str]:
    """Names of the gate-configuring parts that differ between two contents of a file; None is no file.

    A file that can't be parsed afterwards counts as changed as a whole.
    """
    reader = _READERS.get(PurePosixPath(path).name)
    if reader is None or old == new:
        return []
    after = _read(reader, new)
    if after is None:
        return ["the file can't be parsed"]
    before = _read(reader, old) or {}
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _read(reader: Callable[[str], Parts], data: bytes | None) -> Parts | None:
    if data is None:
        return {}
    try:
        return reader(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, SyntaxError, configparser.Error):
        return None


def _pyproject(text: str) -> Parts:
    top = tomllib.loads(text)
    tools = top.get("tool")
    tools = tools if isinstance(tools, dict) else {}
    parts = {f"tool.{name}": tools[name] for name in tools if name in _PYTHON_TOOLS}
    project = top.get("project")
    points = project.get("entry-points") if isinstance(project, dict) else None
    if isinstance(points, dict) and "pytest11" in points:
        parts["project.entry-points.pytest11"] = points["pytest11"]
    build = top.get("build-system")
    if isinstance(build, dict) and "backend-path" in build:
        parts["build-system.backend-path"] = build["backend-path"]
    hatch = tools.get("hatch")
    if isinstance(hatch, dict) and "envs" in hatch:
        parts["tool.hatch.envs"] = hatch["envs"]
    return parts


def _setup_cfg(text: str) -> Parts:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections() if _CFG_SECTIONS.match(name)}


def _package_json(text: str) -> Parts:
    top = json.loads(text)
    if not isinstance(top, dict):
        raise ValueError("not an object")
    return {name: top[name] for name in _NODE_KEYS & top.keys()}


def _cargo_toml(text: str) -> Parts:
    top = tomllib.loads(text)
    parts: dict[str, object] = {name: top[name] for name in ("lints", "test", "bench") if name in top}
    for table, keys in {"workspace": ("lints",), "profile": ("test",), "lib": ("test", "doctest", "harness")}.items():
        inner = top.get(table)
        if isinstance(inner, dict):
            parts |= {f"{table}.{key}": inner[key] for key in keys if key in inner}
    package = top.get("package")
    if isinstance(package, dict) and "autotests" in package:
        parts["package.autotests"] = package["autotests"]
    return parts


def _build_lines(text: str) -> Parts:
    return {line.strip(): True for line in text.splitlines() if _BUILD_LINES.search(line)}


def _conftest(text: str) -> Parts:
    """All of a conftest.py but imports, docstring, fixtures and plain classes: hooks, plugins, code that runs."""
    parts: dict[str, object] = {}
    for number, node in enumerate(ast.parse(text).body):
        if _is_plain_import(node) or _is_docstring(number, node) or _is_plain(node):
            continue
        name = getattr(node, "name", "") or ast.unparse(node).split("\n", 1)[0][:60]
        parts[name] = ast.dump(node)
    return parts


def _is_docstring(number: int, node: ast.stmt) -> bool:
    return number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_plain_import(node: ast.stmt) -> bool:
    """An import that brings in nothing that pytest calls by its name."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return False
    return not any((name.asname or name.name).startswith("pytest_") or name.name == "*" for name in node.names)


def _is_plain(node: ast.stmt) -> bool:
    """Whether it does nothing until a test asks for it."""
    return _is_plain_function(node) or _is_plain_class(node)


def _is_plain_class(node: ast.stmt) -> bool:
    """A class of methods and constant attributes, as tests use for stubs."""
    if not isinstance(node, ast.ClassDef) or node.decorator_list or node.keywords or node.name.startswith("pytest_"):
        return False
    return all(isinstance(base, ast.Name | ast.Attribute) for base in node.bases) and all(map(_is_member, node.body))


def _is_member(node: ast.stmt) -> bool:
    match node:
        case ast.FunctionDef(name=name, decorator_list=marks) | ast.AsyncFunctionDef(name=name, decorator_list=marks):
            known = {"property", "staticmethod", "classmethod"}
            return name != "__init_subclass__" and all(isinstance(one, ast.Name) and one.id in known for one in marks)
        case ast.Expr(value=value) | ast.Assign(value=value) | ast.AnnAssign(value=value):
            return value is None or isinstance(value, ast.Constant)
    return isinstance(node, ast.Pass)


def _is_plain_function(node: ast.stmt) -> bool:
    """A fixture, or a function that tests call: nothing that pytest calls by its name."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("pytest_"):
        return False
    return all(re.match(r"(?:pytest(?:_asyncio)?\.)?fixture\b", ast.unparse(one)) for one in node.decorator_list)


_READERS: dict[str, Callable[[str], Parts]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "package.json": _package_json,
    "Cargo.toml": _cargo_toml,
    "pom.xml": _build_lines,
    "build.gradle": _build_lines,
    "build.gradle.kts": _build_lines,
    "conftest.py": _conftest,
}
