"""Which programs a gate's command starts, and how to ask each for its version; only programs known to answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from ralph.verify.gates import PlannedGate

_KNOWN = re.compile(
    r"(python[\d.]*|pypy[\d.]*|pytest|ruff|mypy|black|flake8|pylint|pyright|tox|nox|hatch|poetry|uv|coverage|bandit|"
    r"node|npm|npx|yarn|pnpm|bun|deno|tsc|eslint|jest|vitest|prettier|biome|go|cargo|rustc|mvn|gradle|javac|java|"
    r"golangci-lint|gotestsum|git|make|cmake|shellcheck)$"
)
_RUN_BY = dict.fromkeys(("npm", "npx", "yarn", "pnpm"), "node") | {"cargo": "rustc", "mvn": "java", "gradle": "java"}
_OTHERWISE = {"go": ("version",), "java": ("-version",), "javac": ("-version",)}
_NUMBER = re.compile(r"\d+(?:\.\d+)+[^\s,;)\"]*")


def questions(planned: PlannedGate) -> dict[str, tuple[str, ...]]:
    """Per name of a program the command that says its version; a project's own scripts are not asked."""
    words = planned.words[0].split() if planned.gate.shell else planned.words
    found: dict[str, tuple[str, ...]] = {}
    for program in words[:1]:
        name = PurePosixPath(program).name
        if not _KNOWN.match(name):
            continue
        found[name] = (program, *_OTHERWISE.get(name, ("--version",)))
        if name.startswith(("python", "pypy")) and words[1:2] == ["-m"] and _KNOWN.match("".join(words[2:3])):
            found[words[2]] = (program, "-m", words[2], "--version")
        if beneath := _RUN_BY.get(name):
            found[beneath] = (beneath, *_OTHERWISE.get(beneath, ("--version",)))
    return found


def version(said: str) -> str:
    """The version in what a program answered; empty where it names none."""
    line = next((line for line in said.splitlines() if _NUMBER.search(line)), "")
    found = _NUMBER.search(line)
    return found.group() if found else ""


def of_gate(planned: PlannedGate, known: Mapping[str, str]) -> dict[str, str]:
    """Of all versions that are known those of the programs that this gate starts."""
    return {name: known[name] for name in questions(planned) if name in known} if known else {}
