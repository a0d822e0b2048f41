"""What stands behind an agent's name: programs on PATH, logins, keys. For `ralph init` and `ralph doctor`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph.cli.checks import Row

if TYPE_CHECKING:
    from ralph.config import Agent, Config
    from ralph.host.paths import Layout

PROGRAMS = {
    "claude-code": ("claude", ("~/.claude", "~/.claude.json")),
    "codex": ("codex", ("~/.codex",)),
    "gemini": ("gemini", ("~/.gemini",)),
    "opencode": ("opencode", ("~/.local/share/opencode", "~/.config/opencode")),
    "aider": ("aider", ()),
}
"""Kinds that are driven through a CLI: its name on PATH, and the paths that may hold its login."""


def present() -> dict[str, dict[str, Any]]:
    """Tables of ``[agents]`` for what is on this machine: CLIs on PATH, then the built-in agent if there is a key."""
    found: dict[str, dict[str, Any]] = {}
    for kind, (program, logins) in PROGRAMS.items():
        if shutil.which(program):
            state = [path for path in logins if Path(path).expanduser().exists()]
            found[program] = {"kind": kind} | ({"state": state} if state else {})
    if os.environ.get("ANTHROPIC_API_KEY"):
        found["api"] = {"kind": "api"}
    return found


def agents(layout: Layout, config: Config) -> Iterator[Row]:
    for name, table in config.agents.items():
        yield from _agent(f"agent {name}", table, layout.repo)


def _agent(what: str, table: Agent, repo: Path) -> Iterator[Row]:
    missing = [name for name in table.env if not os.environ.get(name)]
    if missing:
        yield Row("fail", what, f"{', '.join(missing)} is not set", f"export {missing[0]}=...")
    for path in table.state:
        if not Path(path).expanduser().exists():
            fix = "log in with the agent's own program, or remove it from `state`"
            yield Row("fail", what, f"its login {path} does not exist", fix)
    if table.kind == "claude-code" and not (table.state or any(map(os.environ.get, CLAUDE_KEYS))):
        fix = f'export {CLAUDE_KEYS[0]}=..., or log in and set state = ["~/.claude", "~/.claude.json"]'
        yield Row("fail", what, "it has neither a key nor a login inside the sandbox", fix)
    match table.kind:
        case "api":
            yield _key(what, table)
        case "scripted":
            there = (repo / table.script).is_file()
            yield Row(
                "ok" if there else "fail", what, table.script, "" if there else "write the script, or fix its path"
            )
        case _:
            yield _program(what, table, repo)


def _key(what: str, table: Agent) -> Row:
    if os.environ.get(table.api_key_env):
        return Row("ok", what, f"{table.model or 'claude-sonnet-5-5'}, key in {table.api_key_env}")
    return Row("fail", what, f"{table.api_key_env} is not set", f"export {table.api_key_env}=... before `ralph start`")


CLAUDE_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")


def _program(what: str, table: Agent, repo: Path) -> Row:
    program = _first_word(table)
    if program_of(table, repo):
        return Row("ok", what, str(program_of(table, repo)))
    if "/" not in program:
        return Row("fail", what, f"{program} is not on PATH", f"install {program}, or set `command` in ralph.toml")
    if not (repo / program).exists():
        return Row("fail", what, f"{program} does not exist", "fix `command` in ralph.toml")
    return Row("fail", what, f"{program} is not executable", f"chmod +x {program}")


def program_of(table: Agent, repo: Path) -> str | None:
    """Path of the program that an agent's CLI is; None where it can't be started. A slash: relative to ralph.toml."""
    program = _first_word(table)
    if "/" not in program:
        return shutil.which(program)
    path = repo / program
    return str(path) if path.is_file() and os.access(path, os.X_OK) else None


def _first_word(table: Agent) -> str:
    return table.command[0] if table.command else PROGRAMS.get(table.kind, (table.kind, ()))[0]
