"""`ralph init`: write the policy and the task list of a repository, and keep run state out of its history."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ralph.errors import RalphError

if TYPE_CHECKING:
    from ralph.host.paths import Layout
    from ralph.verify.detect import Detected


@click.command(
    epilog="""\b
Examples:
  ralph init
  ralph init --example          with one task to look at
  ralph init --agents-md        also an AGENTS.md for you to fill in
"""
)
@click.option("--example", is_flag=True, help="Put one example task into tasks.json.")
@click.option("--agents-md", is_flag=True, help="Write a skeleton of AGENTS.md where there is none.")
def init(example: bool, agents_md: bool) -> None:
    """Write ralph.toml and tasks.json for this repository; what exists is never overwritten.

    No tracked file is edited: run state is excluded through .git/info/exclude.
    """
    from ralph.cli.programs import present
    from ralph.engine.lock import lock_repository
    from ralph.host.files import own_directory
    from ralph.host.footprint import exclude, link
    from ralph.host.paths import find_repo, layout
    from ralph.verify.detect import detect

    found = layout(find_repo(Path.cwd()))
    _refuse_what_cannot_work(found)
    own_directory(found.root)
    fresh = not (found.repo / "ralph.toml").exists()
    with lock_repository(found):
        detected = detect(found.repo)
        agents = present()
        config = _config_text(found, detected, agents)
        for line in (
            _write(found.repo / "ralph.toml", config, _about_config(detected, agents)),
            _write(found.repo / "tasks.json", _tasks_text(example), "one example task" if example else "no task yet"),
            _write(found.repo / "AGENTS.md", AGENTS_MD, "fill it in, commit it") if agents_md else "",
            exclude(found),
            link(found),
            *detected.notes,
        ):
            if line:
                click.echo(line)
    click.echo("\nNext:")
    steps = _first_steps(found, detected, agents) if fresh else ()
    for number, step in enumerate([*steps, *LAST_STEPS], start=1):
        click.echo(f"  {number}. {step}")


def _refuse_what_cannot_work(layout: Layout) -> None:
    """Raises RalphError or GitError naming everything about this repository that ralph can't do."""
    from ralph.cli.checks import state_root_problem, unsupported
    from ralph.vcs.git import version

    version()
    problems = [*state_root_problem(layout), *unsupported(layout)]
    if problems:
        raise RalphError(
            f"{layout.repo} can't be worked on: " + "; ".join(what for what, _ in problems),
            "; ".join(fix for _, fix in problems if fix),
        )


def _config_text(layout: Layout, detected: Detected, agents: dict[str, dict[str, Any]]) -> str:
    from ralph.cli.template import Choices, render

    choices = Choices(_base(layout), list(detected.gates), dict(detected.workspace), agents)
    return render(choices)


def _base(layout: Layout) -> str:
    """Branch the loops start from: the remote's default branch if it exists here, main, master, or the present one."""
    from ralph.vcs.git import Git

    git = Git(layout.common_dir)
    candidates = [git.line("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD", ok=(0, 1, 128))]
    candidates = [candidates[0].removeprefix("origin/"), "main", "master"]
    for name in candidates:
        if name and git.line("rev-parse", "--verify", "--quiet", f"refs/heads/{name}^{{commit}}", ok=(0, 1, 128)):
            return name
    current = git.line("symbolic-ref", "--quiet", "--short", "HEAD", ok=(0, 1, 128))
    if not current:
        raise RalphError("no branch to start from: HEAD is detached", "check out a branch, then run `ralph init`")
    return current


def _tasks_text(example: bool) -> str:
    tasks = [EXAMPLE] if example else []
    return json.dumps({"version": 1, "tasks": tasks}, indent=2, ensure_ascii=False) + "\n"


def _write(path: Path, text: str, about: str) -> str:
    """Create the file; one that exists in any form is left alone."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return f"kept {path.name}: it exists already"
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
    return f"wrote {path.name}: {about}"


def _about_config(detected: Detected, agents: dict[str, dict[str, Any]]) -> str:
    languages = ", ".join(detected.languages) or "no language recognised"
    gates = ", ".join(str(gate["name"]) for gate in detected.gates) or "none found"
    return f"{languages}; gates: {gates}; agents: {', '.join(agents) or 'none found'}"


def _first_steps(layout: Layout, detected: Detected, agents: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What a person decides once."""
    if not detected.gates:
        yield "add a gate to ralph.toml: without one nothing is committed"
    if not agents:
        yield "uncomment an agent in ralph.toml, and install it or set its key"
    if not (layout.repo / "AGENTS.md").exists():
        yield "if you like, `ralph init --agents-md`: what every agent should know about this project"
    yield "git add ralph.toml && git commit -m 'Add ralph.toml'"


LAST_STEPS = ("ralph doctor", "ralph tasks add 'What to do' (or edit tasks.json), then `ralph start`")

EXAMPLE = {
    "id": "readme-development",
    "title": "README says how to run the tests",
    "description": "Add a short section `Development`: how to install what the tests need, and how to run them.",
    "acceptance": [
        "The README has a section `Development`.",
        "It names the command that runs the tests, and that command is right.",
    ],
    "files": ["README*"],
    "kind": "docs",
    "priority": 100,
}

AGENTS_MD = """\
# AGENTS.md

What every agent should know about this project. People edit it; agents can't. `ralph learn` proposes lines.

## Commands

- Install what is needed:
- Run all tests:
- Run one test:

## Layout

-

## Conventions

-
"""
