"""Suppressions of checks that a change adds: comments for Python by its tokens, for others by their syntax tree."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ralph.domain import Finding
from ralph.verify.guards.tampering import files, found, lines
from ralph.verify.guards.tampering.files import File

_PYTHON = (
    re.compile(r"type:\s*ignore(?:\[(?P<codes>[^\]]*)\])?"),
    re.compile(r"(?:ruff|flake8)[:=]\s*noqa(?::\s*(?P<codes>[A-Z0-9, ]+))?", re.IGNORECASE),
    re.compile(r"noqa(?::\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?", re.IGNORECASE),
    re.compile(r"pragma:\s*no\s*(?:cover|branch)"),
    re.compile(r"pylint:\s*(?:disable|skip-file)(?:-next)?(?:=(?P<codes>[\w,\- ]+))?"),
    re.compile(r"mypy:\s*(?:ignore-errors|disable-error-code|allow)\S*"),
    re.compile(r"(?:based)?pyright:\s*(?:ignore|basic|off|report\w+=)(?:\[(?P<codes>[^\]]*)\])?"),
    re.compile(r"pyre-(?:ignore|fixme)|ty:\s*ignore|nosec|nosemgrep|isort:\s*skip_file|fmt:\s*off|pytype:\s*disable"),
)
_OTHERS = (
    re.compile(
        r"(?:eslint|oxlint|tslint|stylelint)[-:]disable(?:-next-line|-line|:next-line)?(?:\s+(?P<codes>[\w@/\-, ]+))?"
    ),
    re.compile(r"@ts-(?:ignore|expect-error|nocheck)"),
    re.compile(r"(?:istanbul|c8|v8|node:coverage)\s+(?:ignore|disable)"),
    re.compile(r"biome-ignore|prettier-ignore|jshint\s+ignore|deno-lint-ignore"),
    re.compile(r"nolint(?::(?P<codes>[\w, ]+))?"),
    re.compile(r"lint:ignore|#nosec|nosemgrep|NOSONAR|noinspection|CHECKSTYLE:\s*OFF|NOPMD"),
)


_WORTH_READING = re.compile(
    r"ignore|noqa|pragma|pylint|mypy|pyright|pyre|nosec|nosem|isort|fmt:|pytype|no_type_check|cast\(|disable|@ts-|istanbul"
    r"|c8|v8|nolint|NOSONAR|noinspection|CHECKSTYLE|NOPMD|node:coverage|allow|expect\(|Suppress|Ignore|Disabled",
    re.IGNORECASE,
)
"""Files without any of these hold no suppression; most are not parsed at all."""


@dataclass(frozen=True, slots=True)
class Suppression:
    path: str
    line: int
    kind: str
    """The directive without its codes."""
    codes: frozenset[str]
    text: str
    code: str
    """The code on its line, without spaces."""


def findings(changed: Sequence[File]) -> list[Finding]:
    """Suppressions that neither moved with their line nor became narrower."""
    old = [one for file in changed if file.old is not None for one in _of(file, file.old)]
    new = [one for file in changed if file.new is not None for one in _of(file, file.new)]
    fresh = _without_moved(old, new)
    return [Finding(found.SUPPRESS, one.path, f"a check is silenced: {one.text}", one.line) for one in fresh]


def _without_moved(old: list[Suppression], new: list[Suppression]) -> list[Suppression]:
    """First pair those on the same code anywhere in the change, then those of the same kind in the same file."""
    left = Counter((one.kind, one.codes, one.code) for one in old)
    unpaired: list[Suppression] = []
    for one in new:
        if left[one.kind, one.codes, one.code] > 0:
            left[one.kind, one.codes, one.code] -= 1
        else:
            unpaired.append(one)
    gone = [one for one in old if left[one.kind, one.codes, one.code] > 0]
    fresh = []
    for one in unpaired:
        match = next((other for other in gone if _covers(other, one)), None)
        if match is None:
            fresh.append(one)
        else:
            gone.remove(match)
    return fresh


def _covers(old: Suppression, new: Suppression) -> bool:
    """Whether the old one silenced at least as much, in the same file or on the same code."""
    if old.kind != new.kind or (old.path != new.path and old.code != new.code):
        return False
    return not old.codes or (bool(new.codes) and new.codes <= old.codes)


def _of(file: File, text: str) -> Iterator[Suppression]:
    if not _WORTH_READING.search(text):
        return
    if file.suffix in files.PYTHON:
        for line, comment in lines.python_comments(text):
            yield from _in_comment(file.path, text, line, comment, _PYTHON)
        yield from _in_python(file.path, text)
    elif file.suffix in files.TREES:
        from ralph.verify.guards.tampering.trees import comments

        for line, comment in comments.of(file.suffix, text):
            yield from _in_comment(file.path, text, line, comment, _OTHERS)
        for line, attribute in comments.attributes(file.suffix, text):
            yield Suppression(file.path, line, attribute, frozenset(), attribute, "")


def _in_comment(
    path: str, text: str, line: int, comment: str, patterns: Sequence[re.Pattern[str]]
) -> Iterator[Suppression]:
    taken: list[tuple[int, int]] = []
    for pattern in patterns:
        for match in pattern.finditer(comment):
            if any(start <= match.start() < end for start, end in taken):
                continue
            taken.append(match.span())
            codes = match.groupdict().get("codes") or ""
            kind = re.sub(r"\s+|[\[:=]+$", "", match.group().replace(codes, "") if codes else match.group())
            kind = re.sub(r"\[\]|[:=]$", "", kind).lower()
            parts = frozenset(part for part in re.split(r"[,\s]+", codes) if part)
            yield Suppression(path, line, kind, parts, match.group().strip(), lines.code_of(text, line))


def _in_python(path: str, text: str) -> Iterator[Suppression]:
    """Suppressions that are code: ``no_type_check`` and casts to Any."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                for mark in node.decorator_list:
                    if ast.unparse(mark).rsplit(".", 1)[-1] == "no_type_check":
                        yield Suppression(path, mark.lineno, "no_type_check", frozenset(), "no_type_check", node.name)
            case ast.Call(func=func, args=[first, *_]) if ast.unparse(func).rsplit(".", 1)[-1] == "cast":
                if ast.unparse(first).strip("'\"").rsplit(".", 1)[-1] == "Any":
                    said = ast.unparse(node)
                    yield Suppression(path, node.lineno, "cast(Any)", frozenset(), said[:60], re.sub(r"\s", "", said))
