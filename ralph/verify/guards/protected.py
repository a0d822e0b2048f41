"""Guard ``protected``: knowledge, policy, CI, agent settings and gate configuration change only where a person said so."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from ralph.config import Gate
from ralph.core import globs
from ralph.domain import Change, Finding
from ralph.verify.guards import sections
from ralph.verify.guards.diff import Diff

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


def gate_configuration(gates: Sequence[Gate], tracked: Collection[str]) -> tuple[str, ...]:
    """Tracked paths that gate commands run or read: a script, a file they name, the Makefile behind ``make``."""
    found: set[str] = set()
    for gate in gates:
        for word in _words(gate.command):
            wanted = [word.split("=", 1)[-1].removeprefix("./"), *_BEHIND_COMMANDS.get(PurePosixPath(word).name, ())]
            for path in wanted:
                found |= {place for place in (path, f"{gate.cwd}/{path}") if place in tracked}
    return tuple(sorted(found))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def findings(diff: Diff, configured: frozenset[str]) -> list[Finding]:
    found: list[Finding] = []
    for change in diff.changes:
        if globs.matches(_PROTECTED, change.path) or globs.matches(diff.config.guards.protected, change.path):
            found += _unless_allowed(diff, change, "protected", "this path is protected")
        elif _only_configures(change.path) or _is_gate_file(diff, change.path, configured):
            found += _unless_allowed(diff, change, "config", "this file configures a gate")
        elif changed := sections.changed(change.path, diff.old(change), diff.new(change)):
            which = ", ".join(changed[:6])
            found += _unless_allowed(diff, change, "config", f"sections that configure a gate changed: {which}")
    return found


def _only_configures(path: str) -> bool:
    return globs.matches(GATE_CONFIGURATION, path)


def _is_gate_file(diff: Diff, path: str, configured: frozenset[str]) -> bool:
    """Whether a gate command runs or reads the file; tests and files compared by section are judged elsewhere."""
    from ralph.verify.guards.scope import is_test

    return path in configured and not sections.covers(path) and not is_test(path, diff.config)


def _unless_allowed(diff: Diff, change: Change, kind: str, message: str) -> list[Finding]:
    """``protected:<path>`` allows either kind, ``config:<path>`` only gate configuration."""
    kinds = ("config", "protected") if kind == "config" else ("protected",)
    patterns = [entry.split(":", 1)[1] for entry in diff.task.allow if entry.split(":", 1)[0] in kinds and ":" in entry]
    if any(pattern == change.path or globs.matches([pattern], change.path) for pattern in patterns if pattern):
        return []
    return [Finding(kind, change.path, f"{message}; the task does not say allow = ['{kind}:{change.path}']")]
