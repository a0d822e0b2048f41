"""The ralph.toml that `ralph init` writes: real values, and above each key what it means, in the schema's words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ralph.config import Agent, Config, Forge, Gate, Limits, Night, Notify, Sandbox, Workspace, parse
from ralph.config.schema import Keep, Verify
from ralph.config.table import Table


@dataclass(frozen=True, slots=True)
class Choices:
    """What was found in the repository and on the machine."""

    base: str
    gates: list[dict[str, Any]]
    workspace: dict[str, Any] = field(default_factory=dict)
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def render(choices: Choices) -> str:
    """The text of ralph.toml. What it says is checked before it is returned."""
    parts = [
        "# ralph.toml: what ralph may do here. Tracked and edited by people; agents can't change it.\n"
        "# All keys with their meaning: `ralph config --explain`. What is in force: `ralph config`.\n",
        *(f"# {note}\n" for note in choices.notes),
        _table("[night]", Night, {"start": "22:00", "stop": "07:00", "base": choices.base, "loops": 3}),
        _limits(),
        _agents(choices.agents),
        _gates(choices.gates),
        _workspace(choices.workspace),
        _commented("[verify]", Verify, {"strength": "retry", "probe_seconds": 120}),
        _table("[sandbox]", Sandbox, {"mode": "auto"}),
        _table("[forge]", Forge, {"kind": "local"}),
        _commented("[notify]", Notify, {"command": ["./tell-me.sh"]}),
        _table("[keep]", Keep, {"logs_days": 30, "attempts_days": 14}),
    ]
    text = "\n".join(parts)
    parse(text, "the ralph.toml made by `ralph init`")
    return text


def _limits() -> str:
    names = (
        "iteration_minutes iteration_tokens task_iterations night_iterations night_tokens night_dollars "
        "stall_minutes memory_mb"
    )
    return _table("[limits]", Limits, {name: getattr(Limits(), name) for name in names.split()})


def _agents(agents: Mapping[str, Mapping[str, Any]]) -> str:
    if agents:
        tables = [_table(f"[agents.{name}]", Agent, values) for name, values in agents.items()]
        return "\n".join([*tables, _routes(list(agents))])
    choice: dict[str, dict[str, Any]] = {
        "claude": {"kind": "claude-code"},
        "api": {"kind": "api", "model": "claude-sonnet-5-5", "api_key_env": "ANTHROPIC_API_KEY"},
        "mine": {"kind": "command", "command": ["./agent.sh", "{prompt_file}"], "prompt": "file"},
    }
    tables = [_commented(f"[agents.{name}]", Agent, values) for name, values in choice.items()]
    head = (
        "# No agent was found on this machine. Uncomment one: a CLI, the built-in agent with a key, or any command.\n"
    )
    return "\n".join([head, *tables, '# [routes]\n# implementer = ["claude"]\n# reviewer = ["api"]\n'])


def _routes(names: list[str]) -> str:
    said = " ".join((Config.model_fields["routes"].description or "").split())
    reviewer = f"# reviewer = {toml(names[-1:])}\n"
    return f"[routes]\n# {said}\nimplementer = {toml(names)}\n{reviewer}"


def _gates(gates: list[dict[str, Any]]) -> str:
    if gates:
        return "\n".join(_table("[[gates]]", Gate, gate, explain=not number) for number, gate in enumerate(gates))
    example = {"name": "tests", "command": "make test", "kind": "tests", "timeout": 600}
    head = "# No gate was found: uncomment one. Gates decide what is done; without one nothing is committed.\n"
    return head + _commented("[[gates]]", Gate, example)


def _workspace(found: dict[str, Any]) -> str:
    if found:
        return _table("[workspace]", Workspace, found)
    return _commented("[workspace]", Workspace, {"setup": "make deps", "inputs": ["*.lock"], "keep": [".venv"]})


def _table(header: str, model: type[Table], values: Mapping[str, Any], explain: bool = True) -> str:
    lines = [f"# {(model.__doc__ or '').strip()}", header] if explain else [header]
    for key, value in values.items():
        if explain:
            lines.append(f"# {_said(model, key)}")
        lines.append(f"{key} = {toml(value)}")
    return "\n".join(lines) + "\n"


def _commented(header: str, model: type[Table], values: Mapping[str, Any]) -> str:
    """A table to be uncommented: its explanations stand behind the values, so that each line can be."""
    lines = [f"# {header}"]
    for key, value in values.items():
        lines.append(f"# {key} = {toml(value)}  # {_said(model, key)}")
    return "\n".join(lines) + "\n"


def _said(model: type[Table], key: str) -> str:
    return " ".join((model.model_fields[key].description or "").split())


def toml(value: Any) -> str:
    """A value as TOML on one line. JSON's strings are TOML's, but for DEL."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 10_000:
            return f"{value:_}"
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(toml(item) for item in value)}]"
        case dict():
            inside = ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items())
            return f"{{ {inside} }}" if inside else "{}"
    raise TypeError(f"no TOML for {value!r}")
