"""Files that take the place of a module that the runner, the checks or Python itself would import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from ralph.domain import Finding
from ralph.verify.guards.diff import Diff
from ralph.verify.guards.tampering import found

_ALWAYS = frozenset(
    [
        "pytest",
        "_pytest",
        "py",
        "pluggy",
        "iniconfig",
        "sitecustomize",
        "usercustomize",
        "unittest",
        "mypy",
        "ruff",
        "coverage",
        "hypothesis",
        "pytest_cov",
        "xdist",
        "pytest_asyncio",
        "pytest_mock",
        "pytest_timeout",
        "junitparser",
        "nose2",
        "mock",
    ]
)


def findings(diff: Diff) -> list[Finding]:
    """Added files only: what was there before is the project's."""
    after = set(diff.tracked) | {change.path for change in diff.changes if change.status != "D"}
    added = [change.path for change in diff.changes if change.status == "A"]
    return [one for path in added for one in _shadow(path, after)]


def _shadow(path: str, after: set[str]) -> Iterator[Finding]:
    parts = PurePosixPath(path).parts
    if "node_modules" in parts:
        yield Finding(found.SHADOW, path, "a file in node_modules takes the place of an installed package")
    elif path.endswith(".pth"):
        yield Finding(found.SHADOW, path, "a .pth file runs code whenever Python starts")
    elif parts[-1] == "entry_points.txt":
        yield Finding(found.SHADOW, path, "entry points in the tree can load a plugin into the runner")
    elif (name := _imported_as(parts, after)) and (name in _ALWAYS or _is_standard(name, parts)):
        yield Finding(found.SHADOW, path, f"this file is imported instead of {name}; give it another name")


def _imported_as(parts: tuple[str, ...], after: set[str]) -> str:
    """The top-level module that a file becomes: below the first folder without ``__init__.py`` above it."""
    if not parts[-1].endswith((".py", ".pyi", ".so", ".pyc")):
        return ""
    names = list(parts)
    at = len(names) - 1
    while at > 0 and "/".join((*names[:at], "__init__.py")) in after:
        at -= 1
    return names[at].split(".")[0]


def _is_standard(name: str, parts: tuple[str, ...]) -> bool:
    """A module of the standard library, shadowed from a folder that is on the path when tests run."""
    at_root = len(parts) == 1 or (parts[0] in ("src", "lib") and len(parts) == 2)
    in_tests = any(part in ("test", "tests") for part in parts[:-1])
    return (at_root or in_tests) and name in sys.stdlib_module_names and name not in ("test", "this", "__main__")
