"""Guess a project's languages, gates and workspace from its files, for `ralph init`. Reads only; a person decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.verify.detect import compiled, node, python
from ralph.verify.detect.project import Found, Project

__all__ = ["Detected", "detect"]

_ROOMS = (python.detect, node.detect, compiled.rust, compiled.go, compiled.java)
_MOST_FOLDERS = 40


@dataclass(frozen=True, slots=True)
class Detected:
    """A proposal: tables for ralph.toml, and what a person should know about them."""

    languages: tuple[str, ...]
    gates: tuple[dict[str, Any], ...]
    """Values for ``[[gates]]``; keys with their default are left out."""
    workspace: dict[str, Any]
    """Values for ``[workspace]``; empty where nothing is needed."""
    notes: tuple[str, ...]


def detect(repo: Path) -> Detected:
    """Propose gates and a workspace for the project in ``repo``; a project with parts one level below is found too."""
    found = Found()
    _look(Project(repo), found)
    if not found.languages:
        folders = sorted(path for path in repo.iterdir() if path.is_dir() and not path.is_symlink())
        for folder in [path for path in folders if not path.name.startswith((".", "node_modules"))][:_MOST_FOLDERS]:
            _look(Project(repo, folder.name), found)
    top = Project(repo)
    _pre_commit(top, found)
    _makefile(top, found)
    if not found.gates:
        found.notes.append("no gate was recognised: write one, or nothing will be committed")
    return Detected(tuple(found.languages), tuple(found.gates), found.workspace(), tuple(found.notes))


def _look(project: Project, found: Found) -> None:
    for room in _ROOMS:
        room(project, found)


def _pre_commit(project: Project, found: Found) -> None:
    if project.has(".pre-commit-config.yaml"):
        command = "pre-commit run --all-files"
        found.gate(project, "pre-commit", command, "lint", cost="cheap", writes=True, network="host")
        found.notes.append("the gate pre-commit has network access, to fetch its hooks")


def _makefile(project: Project, found: Found) -> None:
    """Targets of a Makefile, for what nothing else was found for."""
    text = project.text("Makefile") or project.text("makefile") or project.text("GNUmakefile")
    targets = {line.split(":", 1)[0].strip() for line in text.splitlines() if ":" in line and not line.startswith("\t")}
    kinds = {gate["kind"] for gate in found.gates}
    if "tests" not in kinds:
        for target in ("test", "tests", "check"):
            if target in targets:
                found.gate(project, "tests", f"make {target}", "tests")
                found.notes.append(
                    f"`make {target}` hides its test runner: name the runner to get results for each test"
                )
                break
    if "lint" not in kinds and "lint" in targets:
        found.gate(project, "lint", "make lint", "lint", cost="cheap")
