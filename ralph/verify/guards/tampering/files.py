"""The changed files as text, old and new side by side, sorted by what they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from ralph.config import Config
from ralph.domain import Change
from ralph.errors import RalphError
from ralph.verify.guards.diff import Diff
from ralph.verify.guards.scope import is_test

PYTHON = frozenset({".py", ".pyi"})
TREES = {
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
}
"""Suffix to the grammar that reads it."""

UNREAD = frozenset(
    [
        ".rb",
        ".php",
        ".kt",
        ".kts",
        ".scala",
        ".groovy",
        ".cs",
        ".fs",
        ".vb",
        ".swift",
        ".m",
        ".mm",
        ".c",
        ".cc",
        ".cpp",
        ".cxx",
        ".h",
        ".hpp",
        ".ex",
        ".exs",
        ".erl",
        ".hs",
        ".lua",
        ".pl",
        ".pm",
        ".t",
        ".r",
        ".jl",
        ".dart",
        ".sh",
        ".bash",
        ".zsh",
        ".fish",
        ".bats",
        ".ps1",
        ".clj",
        ".cljs",
        ".zig",
        ".nim",
        ".vue",
        ".svelte",
        ".feature",
        ".robot",
        ".ipynb",
        ".coffee",
        ".elm",
    ]
)
"""Suffixes of programs that no parser here reads."""


@dataclass(frozen=True, slots=True)
class File:
    """One changed path: its text before and after, None where there was or is no regular file."""

    path: str
    old: str | None
    new: str | None
    test: bool
    readable: bool = True
    """False where one side is no UTF-8."""
    missing: str = ""
    """Why its content can't be had at all."""

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path).suffix.lower()

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def program(self) -> bool:
        return self.suffix in PYTHON or self.suffix in TREES or self.suffix in UNREAD


def changed(diff: Diff) -> list[File]:
    """Every changed regular file, also those whose content can't be read."""
    return [_file(diff, change) for change in diff.changes]


def _file(diff: Diff, change: Change) -> File:
    test = looks_like_test(change.path, diff.config)
    try:
        old, new = diff.old(change), diff.new(change)
    except RalphError as error:
        return File(change.path, None, None, test, readable=False, missing=error.message)
    try:
        return File(change.path, _text(old), _text(new), test)
    except UnicodeDecodeError:
        return File(change.path, None, None, test, readable=False)


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8-sig").replace("\r\n", "\n")


_COLLECTED = re.compile(r"test.*\.py|.*_tests?\.py")
_SUPPORT = re.compile(r"(?:.*/)?(?:support|testing|test_?(?:utils?|lib|kit|support|helpers?))/.*\.py")
"""Code of tests that lies beside them: what it asserts, tests assert."""


def looks_like_test(path: str, config: Config) -> bool:
    """Whether the project's globs or the habits of pytest and unittest make the file a test, or part of one."""
    return is_test(path, config) or bool(_COLLECTED.fullmatch(PurePosixPath(path).name) or _SUPPORT.fullmatch(path))


def collected(name: str) -> bool:
    """Whether a runner looks for tests in a Python file of this name."""
    return bool(_COLLECTED.fullmatch(name))
