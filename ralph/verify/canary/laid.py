"""Failing test files for runners whose exit code can't be mended: they lie beside the project's tests, run alone.

What they show holds for as long as nothing changes that could keep a runner from reporting a failure.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ralph.verify.gates import PlannedGate
from ralph.verify.select import select

Read = Callable[[str], bytes]
_SCRIPT = re.compile(r"(?:[._-](?:test|spec))?\.[cm]?[jt]sx?$")
_SCRIPT_TEST = re.compile(r"(?:[._-](?:test|spec)\.[cm]?[jt]sx?|(?:^|/)(?:tests?|__tests__)/.*\.[cm]?[jt]sx?)$")
_BODIES = {
    "node": "import assert from 'node:assert';\nimport test from 'node:test';\n\n"
    "test('NAME', () => assert.strictEqual(1, 2));\n",
    "vitest": "import { expect, test } from 'vitest';\n\ntest('NAME', () => expect(1).toBe(2));\n",
    "jest": "test('NAME', () => expect(1).toBe(2));\n",
    "go": 'package PACKAGE\n\nimport "testing"\n\nfunc NAME(t *testing.T) { t.Fatal("planted") }\n',
    "cargo": "#[test]\nfn NAME() {\n    assert_eq!(1, 2);\n}\n",
}
_DECIDES = {
    "script": re.compile(
        r"(?:^|/)(?:package\.json|\.npmrc|\.env[^/]*|tsconfig[^/]*\.json|\.babelrc[^/]*|\.swcrc|\.mocharc[^/]*)$"
        r"|\.config\.[^/]+$|(?:^|/)(?:jest|vitest|vite|babel)[^/]*$|(?:setup|helper|hook|register|global|loader)[^/]*$"
        r"|(?:^|/)(?:tests?|__tests__|__mocks__|support|fixtures)/.*\.[cm]?[jt]sx?$",
        re.IGNORECASE,
    ),
    "go": re.compile(r"(?:^|/)(?:go\.mod|go\.sum|go\.work|\.env|[^/]*_test\.go)$"),
    "cargo": re.compile(r"(?:^|/)(?:Cargo\.toml|Cargo\.lock|build\.rs|rust-toolchain[^/]*|\.cargo/.*)$"),
}
_CARGO_TARGETS = frozenset(
    {
        "--lib",
        "--bins",
        "--bin",
        "--test",
        "--tests",
        "--doc",
        "--",
        "-p",
        "--package",
        "--workspace",
        "--all",
    }
)


@dataclass(frozen=True, slots=True)
class Laid:
    """One failing test in a file of its own, and the gate that runs it alone."""

    path: str
    text: str
    leaf: str
    """Last part of the id under which it has to be reported as failed."""


def lay(planned: PlannedGate, paths: Sequence[str], read: Read, token: str) -> list[Laid]:
    """The files to add for a planned gate; none where its runner takes none. ``token``: random hex."""
    runner = planned.runner.name if planned.runner else ""
    if planned.gate.shell or planned.gate.cwd:
        return []
    if runner in ("node", "vitest", "jest"):
        return _script(runner, paths, token)
    if runner == "go":
        return _go(paths, read, token)
    return _cargo(planned, paths, read, token) if runner == "cargo" else []


def alone(planned: PlannedGate, laid: Sequence[Laid]) -> PlannedGate | None:
    """The gate for the laid tests only; None where its runner can't be told so."""
    found = planned.recognised
    if found is None or not laid:
        return None
    if found.runner.name == "cargo":
        words = [
            *planned.words,
            "--test",
            posixpath.basename(laid[0].path).removesuffix(".rs"),
        ]
    elif found.at == len(planned.words) - 1 and found.through:  # npm hands what follows on to its script
        words = [*planned.words, *(one.path for one in laid)]
    else:
        return select(planned, [f"{one.path}::{one.leaf}" for one in laid])
    return replace(planned, gate=planned.gate.model_copy(update={"command": shlex.join(words)}))


def decides(planned: PlannedGate, blobs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of all (path, object id) those that could keep the runner from reporting a failure."""
    runner = planned.runner.name if planned.runner else ""
    pattern = _DECIDES.get(runner, _DECIDES["script"])
    named = {posixpath.normpath(word.rpartition("=")[2]) for word in planned.words}
    return [
        (path, blob)
        for path, blob in blobs
        if path in named or (pattern.search(path) and not (pattern is _DECIDES["script"] and _is_test(path)))
    ]


def reported(outcomes: dict[str, str], laid: Sequence[Laid]) -> bool:
    """Whether each laid test is there as a failed one."""
    failed = [re.split(r"::| > ", identity)[-1] for identity, outcome in outcomes.items() if outcome == "failed"]
    return bool(laid) and all(one.leaf in failed for one in laid)


def _is_test(path: str) -> bool:
    return bool(re.search(r"[._-](?:test|spec)\.[cm]?[jt]sx?$", path))


def _script(runner: str, paths: Sequence[str], token: str) -> list[Laid]:
    """Beside the first test there is, with a name like its name."""
    tests = sorted(path for path in paths if _SCRIPT_TEST.search(path) and "node_modules/" not in path)
    like = next((path for path in tests if _is_test(path)), tests[0] if tests else "")
    if not like:
        return []
    ending = _SCRIPT.search(like)
    suffix = ending.group() if ending else ".js"
    if runner == "node":
        suffix = re.sub(r"\.[cm]?[jt]sx?$", ".mjs", suffix)
    leaf = f"planted {token}"
    path = posixpath.join(posixpath.dirname(like), f"planted-{token}{suffix}")
    return [Laid(path, _BODIES[runner].replace("NAME", leaf), leaf)]


def _go(paths: Sequence[str], read: Read, token: str) -> list[Laid]:
    """In every package that has a TestMain, which decides what runs there, and in one other."""
    tests = [path for path in paths if path.endswith("_test.go") and "/testdata/" not in f"/{path}"]
    texts = {path: read(path).decode("utf-8", "replace") for path in sorted(tests)}
    folders = {posixpath.dirname(path): path for path, text in texts.items() if "func TestMain(" in text}
    first = next(iter(texts), "")
    if first:
        folders.setdefault(posixpath.dirname(first), first)
    laid = []
    for number, (folder, like) in enumerate(sorted(folders.items()), start=1):
        package = re.search(r"^package\s+(\w+)", texts[like], re.MULTILINE)
        if package is None:
            return []
        name = f"TestPlanted{token}x{number}"
        text = _BODIES["go"].replace("NAME", name).replace("PACKAGE", package[1])
        laid.append(Laid(posixpath.join(folder, f"planted_{token}_test.go"), text, name))
    return laid


def _cargo(planned: PlannedGate, paths: Sequence[str], read: Read, token: str) -> list[Laid]:
    targets = {
        "--lib",
        "--bins",
        "--bin",
        "--test",
        "--tests",
        "--doc",
        "--",
        "-p",
        "--package",
        "--workspace",
        "--all",
    }
    if targets & set(planned.words) or "Cargo.toml" not in paths or b"[package]" not in read("Cargo.toml"):
        return []
    name = f"planted_{token}"
    return [Laid(f"tests/{name}.rs", _BODIES["cargo"].replace("NAME", name), name)]
