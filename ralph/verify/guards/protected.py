"""Guard ``protected``: knowledge, policy, CI, agent settings and gate configuration change only by a person's word."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

from ralph.config import Gate
from ralph.core import globs
from ralph.core.claim_words import DECLARED
from ralph.domain import Change, Finding
from ralph.verify.guards import sections
from ralph.verify.guards.diff import Diff
from ralph.verify.guards.scope import is_test

KNOWLEDGE_AND_POLICY = ("AGENTS.md", "/ralph.toml", "/tasks.json", "/progress/", "/.ralph")
CI = (
    ".git*",
    "!.gitkeep",
    ".circleci/",
    ".buildkite/",
    ".woodpecker*",
    ".travis.yml",
    ".drone.yml",
    "/.ci/",
    "azure-pipelines*.yml",
    "bitbucket-pipelines.yml",
    "Jenkinsfile",
)
AGENT_SETTINGS = (
    ".claude/",
    "CLAUDE.md",
    "CLAUDE.local.md",
    ".mcp.json",
    "GEMINI.md",
    ".gemini/",
    ".codex/",
    ".opencode/",
    "opencode.json*",
    ".aider*",
    ".cursor/",
    ".cursorrules",
    ".clinerules",
    ".windsurf*",
    ".vscode/",
    ".idea/",
    ".envrc",
)
GATE_CONFIGURATION = (
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "tox.ini",
    "tox.toml",
    "mypy.ini",
    ".mypy.ini",
    "ruff.toml",
    ".ruff.toml",
    ".flake8",
    ".pylintrc",
    "pylintrc",
    ".coveragerc",
    "pyrightconfig.json",
    ".importlinter",
    ".bandit",
    ".eslintrc*",
    ".eslintignore",
    "eslint.config.*",
    "biome.json*",
    "jest.config.*",
    "jest.setup.*",
    "vitest.config.*",
    "vitest.workspace.*",
    "vitest.setup.*",
    ".mocharc*",
    "playwright.config.*",
    "cypress.config.*",
    "tsconfig*.json",
    ".golangci.*",
    "clippy.toml",
    ".clippy.toml",
    "rustfmt.toml",
    ".rustfmt.toml",
    ".cargo/",
    ".config/nextest.toml",
    ".pre-commit-config.yaml",
    ".prettierrc*",
    ".prettierignore",
    "checkstyle*.xml",
    "noxfile.py",
    "nose2.cfg",
    "unittest.cfg",
    "ty.toml",
    "karma.conf.*",
    ".nycrc*",
    ".c8rc*",
    ".oxlintrc*",
    "bunfig.toml",
    "junit-platform.properties",
    "testng*.xml",
    "codecov.yml",
    ".codecov.yml",
)
"""Files that do nothing but configure gates, at any depth."""

_PROTECTED = KNOWLEDGE_AND_POLICY + CI + AGENT_SETTINGS
_BEHIND_COMMANDS = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "gmake": ("Makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile", ".justfile"),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "nox": ("noxfile.py",),
    "vitest": ("vite.config.ts", "vite.config.js", "vite.config.mts", "vite.config.mjs"),
    "rake": ("Rakefile",),
}


_INTERPRETERS = re.compile(r"(?:python|pypy)[\d.]*|(?:ba|da|z)?sh|node|deno|bun|ruby|perl|php|Rscript")
_READS = re.compile(r"-c|-f|-p|--(?:[a-z-]*config(?:-file)?|rcfile|ini|file|makefile|project|tsconfig|settings)")


def gate_configuration(gates: Sequence[Gate], tracked: Collection[str]) -> tuple[str, ...]:
    """Tracked paths that gate commands run or are configured by: a script, a ``--config`` file, make's Makefile."""
    found: set[str] = set()
    for gate in gates:
        for path in _named(_words(gate.command)):
            plain = path.removeprefix("./")
            found |= {place for place in (plain, f"{gate.cwd.strip('/')}/{plain}") if place in tracked}
    return tuple(sorted(found))


def _named(words: Sequence[str]) -> Iterator[str]:
    before = ""
    for word in (word for at, word in enumerate(words) if not at or words[at - 1] not in ("-X", "-W")):
        name = PurePosixPath(word).name
        yield from _BEHIND_COMMANDS.get(name, ())
        option, _, value = word.partition("=")
        if value and _READS.fullmatch(option):
            yield value
        elif not before or _INTERPRETERS.fullmatch(before) or _READS.fullmatch(before) or word.startswith("./"):
            yield word
        if word in ("&&", "||", ";", "|"):
            before = ""
        elif not (word.startswith("-") and _INTERPRETERS.fullmatch(before)) or _READS.fullmatch(word):
            before = name if not word.startswith("-") else word


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def findings(diff: Diff, configured: frozenset[str]) -> list[Finding]:
    found: list[Finding] = []
    for change in diff.changes:
        if _is_one_of(_PROTECTED, change.path) or globs.matches(diff.config.guards.protected, change.path):
            found += _unless_allowed(diff, change, "protected", "this path is protected")
        elif _is_one_of(GATE_CONFIGURATION, change.path) or _is_gate_file(diff, change.path, configured):
            found += _unless_allowed(diff, change, "config", "this file configures a gate")
        elif changed := sections.changed(change.path, diff.old(change), diff.new(change)):
            which = ", ".join(changed[:6])
            found += _unless_allowed(diff, change, "config", f"sections that configure a gate changed: {which}")
    return found


def _is_one_of(patterns: tuple[str, ...], path: str) -> bool:
    """Also in other case: on some machines it is the same file."""
    folded = tuple(pattern.casefold() for pattern in patterns)
    return globs.matches(patterns, path) or globs.matches(folded, path.casefold())


def _is_gate_file(diff: Diff, path: str, configured: frozenset[str]) -> bool:
    """Whether a gate command runs the file or is configured by it, and the person did not give it to the task by name.

    Tests and files that are compared by section are judged elsewhere.
    """
    if path not in configured or path in diff.task.files:
        return False
    return not sections.covers(path) and not is_test(path, diff.config)


def _unless_allowed(diff: Diff, change: Change, kind: str, message: str) -> list[Finding]:
    """``protected:<path>`` allows either kind, ``config:<path>`` only gate configuration."""
    kinds = ("config", "protected") if kind == "config" else ("protected",)
    patterns = [entry.split(":", 1)[1] for entry in diff.task.allow if entry.split(":", 1)[0] in kinds and ":" in entry]
    if any(pattern == change.path or globs.matches([pattern], change.path) for pattern in patterns if pattern):
        return [Finding(kind, change.path, DECLARED + message, note=True)]
    return [Finding(kind, change.path, f"{message}; the task does not say allow = ['{kind}:{change.path}']")]
