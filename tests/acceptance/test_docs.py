"""The documentation says what the program does: generated pages, links, commands, and the blocks in between."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from ralph.cli.main import COMMANDS, cli
from ralph.memory.task_parse import parse as parse_tasks

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def test_generated_pages_are_up_to_date(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "docs/generate.py", tmp_path], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert {"configuration.md", "cli.md", "tasks.schema.json"} == set(made)
    for name, text in made.items():
        assert (ROOT / "docs" / name).read_text() == text, "run `make docs`"


def test_the_readme_begins_with_the_two_commands() -> None:
    first = (ROOT / "README.md").read_text().split("```")[1]
    assert [line.split("#")[0].strip() for line in first.splitlines()[1:]] == ["make demo", "make test"]
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "check", "bench", "lock"} <= set(targets)


@page
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


@page
def test_commands_that_are_named_exist(path: Path) -> None:
    context = click.Context(cli)
    for said in re.findall(r"(?:^|`)ralph ((?:-C \S+ )?[a-z][a-z -]*)", path.read_text(), re.MULTILINE):
        words = said.split()
        assert words[0] in COMMANDS, f"{path.name}: ralph {said}"
        command = cli.get_command(context, words[0])
        if isinstance(command, click.Group) and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in command.commands, f"{path.name}: ralph {said}"


@page
def test_options_that_are_named_exist(path: Path) -> None:
    context = click.Context(cli)
    for said in re.findall(r"(?:^|`)ralph ([a-z]+[a-z -]*--[a-z-]+)", path.read_text(), re.MULTILINE):
        words = said.split()
        command = cli.get_command(context, words[0])
        if isinstance(command, click.Group) and words[1] in command.commands:
            command = command.commands[words[1]]
        assert command is not None, said
        known = {name for option in command.params for name in [*option.opts, *option.secondary_opts]}
        assert {word for word in words if word.startswith("--")} <= known, f"{path.name}: ralph {said}"


@page
def test_blocks_of_toml_and_json_are_right(path: Path) -> None:
    for language, body in re.findall(r"^```(toml|json)\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
        if language == "toml":
            tomllib.loads(body)
        elif '"tasks"' in body:
            assert parse_tasks(body.encode(), path.name).tasks
        else:
            json.loads(body)


@page
def test_no_machine_and_no_registry_is_named(path: Path) -> None:
    assert not re.search(r"/root/|/home/[a-z]|/work/", path.read_text())


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_hashes_and_name_no_host(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"https?://|file:|--index-url|--find-links", text)
    assert len(re.findall(r"^[a-z0-9-]+==", text, re.MULTILINE)) > 20
    assert all("--hash=sha256:" in part for part in re.split(r"\n(?=[a-z0-9])", text)[1:])
