"""What a case is: a project, a task, a real change of it, and what the product has to say about that change."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ralph.domain import Task

PROJECTS = Path(__file__).with_name("projects")

Edit = Callable[[Path], None]
"""Changes a tree; raises where it does not fit, so that no case goes stale unseen."""


@dataclass(frozen=True)
class Project:
    """A small real project with the gates that a person would write for it."""

    name: str
    gates: tuple[dict[str, object], ...]
    needs: tuple[str, ...] = ()
    """Programs without which its cases can't be run."""


@dataclass(frozen=True)
class Case:
    """One change. ``by``: the steps and rules that may refuse it, e.g. ``tampering:weaken-test``.

    An honest one that is refused all the same names them as well, so that the tables tell it.
    """

    name: str
    honest: bool
    task: Task
    edits: tuple[Edit, ...]
    by: frozenset[str] = frozenset()
    before: tuple[Edit, ...] = ()
    """Changes of the project that are on the base already, such as a test that is red there."""
    red_base: bool = False
    """A test is red on the base."""
    limit: str = ""
    """Why no executed fact can tell this change from an honest one: shown apart, never counted as refused."""


def honest(name: str, task: Task, *edits: Edit, before: tuple[Edit, ...] = (), **fields: Any) -> Case:
    """A change that does its task; ``fields`` replace those of the task (``allow``, ``checks``, ...)."""
    return Case(name, True, replace(task, id=name, **fields), edits, before=before)


def refused(name: str, by: str, task: Task, *edits: Edit, **fields: Any) -> Case:
    """An honest change that is refused, for a reason that a person can accept."""
    return Case(name, True, replace(task, id=name, **fields), edits, frozenset(by.split()))


def dishonest(
    name: str,
    by: str,
    task: Task,
    *edits: Edit,
    before: tuple[Edit, ...] = (),
    red_base: bool = False,
    **fields: Any,
) -> Case:
    """A change that leaves every command at exit 0 without doing its task, or weakens a test."""
    task = replace(task, id=name, **fields)
    return Case(name, False, task, edits, frozenset(by.split()), before, red_base)


def unseen(name: str, why: str, task: Task, *edits: Edit, **fields: Any) -> Case:
    """A dishonest change that is known to pass."""
    return Case(name, False, replace(task, id=name, **fields), edits, limit=why)


def read_project(name: str) -> dict[str, str]:
    """Path to text of ``projects/<name>.txt``, in which each file follows a line ``-- path --``."""
    text = (PROJECTS / f"{name}.txt").read_text(encoding="utf-8")
    parts = re.split(r"^-- (\S+) --\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def write(path: str, text: str) -> Edit:
    """A whole file, new or in place of another."""

    def edit(root: Path) -> None:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    return edit


def swap(path: str, old: str, new: str) -> Edit:
    """Put ``new`` in the place of ``old``, which must stand there exactly once."""

    def edit(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has {text.count(old)} times: {old!r}"
        (root / path).write_text(text.replace(old, new), encoding="utf-8")

    return edit


def every(path: str, old: str, new: str) -> Edit:
    """Put ``new`` in every place of ``old``."""

    def edit(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} lacks {old!r}"
        (root / path).write_text(text.replace(old, new), encoding="utf-8")

    return edit


def append(path: str, text: str) -> Edit:
    """Text at the end of a file."""

    def edit(root: Path) -> None:
        with (root / path).open("a", encoding="utf-8") as file:
            file.write(text)

    return edit


def prepend(path: str, text: str) -> Edit:
    """Text at the start of a file."""

    def edit(root: Path) -> None:
        old = (root / path).read_text(encoding="utf-8")
        (root / path).write_text(text + old, encoding="utf-8")

    return edit


def remove(path: str) -> Edit:
    def edit(root: Path) -> None:
        (root / path).unlink()

    return edit


def move(path: str, to: str) -> Edit:
    def edit(root: Path) -> None:
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(root / to)

    return edit


def link(path: str, target: str) -> Edit:
    def edit(root: Path) -> None:
        if (root / path).exists():
            (root / path).unlink()
        (root / path).symlink_to(target)

    return edit


def lay(files: dict[str, str], root: Path) -> None:
    """Write a project's files."""
    for path, text in files.items():
        write(path, text)(root)
