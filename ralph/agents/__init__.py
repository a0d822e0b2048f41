"""Whatever proposes changes: a model behind an API, a CLI, any command, a script. Built by ``make``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ralph import config
from ralph.agents.base import Agent
from ralph.errors import ConfigError

if TYPE_CHECKING:
    from ralph.core.secrets import Redactor

__all__ = ["account", "make", "metered", "preload", "secret_names"]

WORKING = ("api", "claude-code", "command", "scripted")
"""Kinds that can be run."""
_LOGINS = {
    "api": ("ANTHROPIC_BASE_URL",),
    "claude-code": ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"),
}


def make(
    name: str,
    agent: config.Agent,
    *,
    prices: Mapping[str, config.Price],
    redactor: Redactor | None = None,
    root: Path,
) -> Agent:
    """Build the agent of an ``[agents.<name>]`` table; ``root`` is the directory of ralph.toml.

    Raises ConfigError for a kind that can't be run.
    """
    match agent.kind:
        case "api":
            from ralph.agents.api import ApiAgent

            return ApiAgent(name, agent, prices, redactor)
        case "claude-code":
            from ralph.agents import pricing
            from ralph.agents.claude_code import ClaudeCode

            return ClaudeCode(name, agent, root, price=lambda model, usage: pricing.price(model, usage, prices))
        case "command":
            from ralph.agents.command import CommandAgent

            return CommandAgent(name, agent, root)
        case "scripted":
            from ralph.agents.scripted import ScriptedAgent

            return ScriptedAgent(name, agent, root, prices)
        case _:
            raise ConfigError(
                f"agents.{name}: kind {agent.kind!r} can't be run by this version",
                f'kinds that work: {", ".join(WORKING)}; any other CLI runs with kind = "command"',
            )


def preload(agents: Iterable[config.Agent]) -> list[str]:
    """Modules worth importing once in a fork server, for what these agents need."""
    kinds = {agent.kind for agent in agents}
    modules = ["ralph.agents.claude_code"] if "claude-code" in kinds else []
    return [*modules, "ralph.agents.warm"] if "api" in kinds else modules


def account(name: str, agent: config.Agent, secrets: Mapping[str, str]) -> str:
    """A stable id of who pays: agents with the same one share waits and halts. Holds no secret."""
    from ralph.agents.accounts import account as pays

    return pays(name, agent, secrets)


def secret_names(agent: config.Agent) -> list[str]:
    """Environment variables whose values this agent's driver may get."""
    login = (agent.api_key_env, *_LOGINS[agent.kind]) if agent.kind in _LOGINS else ()
    return list(dict.fromkeys((*login, *agent.env)))


def metered(agent: config.Agent, prices: Mapping[str, config.Price] | None = None) -> bool:
    """Whether somebody can count its dollars: calls are seen, and their model has a price."""
    if agent.kind not in ("api", "claude-code", "scripted"):
        return False
    if agent.kind == "claude-code" or not agent.model:
        return True
    from ralph.agents import pricing

    return pricing.known(agent.model, prices or {})
