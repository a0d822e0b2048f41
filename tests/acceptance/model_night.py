"""Nights whose agent is the built-in one, talking to a scripted model."""

from __future__ import annotations

from typing import Any

from project import Project

from ralph.modelserver import Script, Server, serve

KEY = "sk-ant-acceptance-0123456789abcdef"
MODEL = "claude-sonnet-5-5"


def turns(task: str, input_tokens: int = 100, output_tokens: int = 10) -> list[dict[str, Any]]:
    """Two calls of a model that does the task, each with this usage."""
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens, **cache}
    return [{"write": {f"{task}.txt": f"{task}\n"}, "usage": usage}, {"text": "Done.", "usage": usage}]


def scripted(tasks: dict[str, list[list[dict[str, Any]]]]) -> Server:
    return serve(Script.parse({"tasks": tasks}))


def use(
    project: Project, server: Server, text: str = "", agent: str = "max_tokens = 500", night: str = "loops = 1"
) -> None:
    """Let the project's tasks be done by the model."""
    project.env["ANTHROPIC_API_KEY"] = KEY
    table = f'[agents.model]\nkind = "api"\nmodel = "{MODEL}"\nbase_url = "{server.url}"\n{agent}\n'
    project.configure(f'{table}\n[routes]\nimplementer = ["model"]\n\n{text}', night=night)
