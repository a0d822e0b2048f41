"""What detection reads from (a folder of the repository) and writes to (the proposal)."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ralph.errors import RalphError
from ralph.host.files import read_regular

_MOST_BYTES = 1_000_000
_MOST_FILES = 400


@dataclass(frozen=True, slots=True)
class Project:
    """The top of a repository, or one folder below it."""

    repo: Path
    folder: str = ""

    @property
    def root(self) -> Path:
        return self.repo / self.folder

    def has(self, *names: str) -> bool:
        """Whether any of the paths (globs allowed) exists."""
        return any(next(self.root.glob(name), None) is not None for name in names)

    def text(self, name: str) -> str:
        """Content of a file; empty where it is missing, no regular file, or large."""
        try:
            return read_regular(self.root / name, _MOST_BYTES).decode("utf-8", "replace")
        except RalphError:
            return ""

    def toml(self, name: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text(name))
        except tomllib.TOMLDecodeError:
            return {}

    def json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads(self.text(name) or "{}")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def files(self, *globs: str) -> list[str]:
        """Names of some files that match, relative to the folder; vendored ones aside."""
        found: list[str] = []
        for glob in globs:
            for path in self.root.glob(glob):
                parts = path.relative_to(self.root).parts
                if not {"node_modules", "vendor", "target"} & set(parts) and not any(p.startswith(".") for p in parts):
                    found.append("/".join(parts))
                if len(found) >= _MOST_FILES:
                    return found
        return found

    def at(self, path: str) -> str:
        """A path of the folder as seen from the top."""
        return f"{self.folder}/{path}" if self.folder else path


@dataclass
class Found:
    """The proposal while it grows."""

    languages: list[str] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)

    def language(self, name: str) -> None:
        if name not in self.languages:
            self.languages.append(name)

    def gate(self, project: Project, name: str, command: str, kind: str, **more: Any) -> None:
        """Add a gate; a name that is taken gets the folder or a number."""
        taken = {gate["name"] for gate in self.gates}
        wanted = f"{name}-{project.folder}"[:40] if project.folder else name
        number = 2
        while wanted in taken:
            wanted, number = f"{name}-{number}", number + 1
        cwd = {"cwd": project.folder} if project.folder else {}
        self.gates.append({"name": wanted, "command": command, "kind": kind, **cwd, **more})

    def kept(self, project: Project, folder: str, setup: str, inputs: list[str]) -> None:
        """A folder of dependencies: taken from the checkout where it is there, else made by ``setup``."""
        self.keep.append(project.at(folder))
        if project.has(folder):
            if setup:
                own = f"[workspace] setup = {setup!r} makes ralph's own"
                self.notes.append(f"{project.at(folder)} is taken from your checkout; {own}")
        elif setup:
            self.setup.append(f"(cd {project.folder} && {setup})" if project.folder else setup)
            self.inputs += [project.at(name) for name in inputs if project.has(name)]

    def workspace(self) -> dict[str, Any]:
        table = {"setup": " && ".join(self.setup), "inputs": self.inputs, "keep": self.keep}
        return {key: value for key, value in table.items() if value}
