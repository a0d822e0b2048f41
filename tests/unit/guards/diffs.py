"""Small changes as data, and the guard run on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import dedent

from ralph.config import Config
from ralph.domain import Change, GuardResult, Kind, Task
from ralph.verify import guards

NONE = "0" * 40
PRODUCT = ("calc.py", "shop/__init__.py", "shop/cart.py", "tests/test_calc.py")


@dataclass(frozen=True)
class Case:
    """Paths to (old, new); None is no file. ``rules``: what blocks, empty for an honest change."""

    name: str
    files: Mapping[str, tuple[str | None, str | None]]
    rules: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


def tests(
    name: str, old: str | None, new: str | None, *rules: str, path: str = "tests/test_calc.py", **more: object
) -> Case:
    """A change of one test file."""
    return Case(name, {path: (old, new)}, rules, **more)  # type: ignore[arg-type]


def many(name: str, files: Mapping[str, tuple[str | None, str | None]], *rules: str) -> Case:
    return Case(name, files, rules)


def judged(case: Case, kind: Kind = Kind.FEATURE) -> GuardResult:
    """The result of the guard ``tampering`` on a change."""
    blobs: dict[str, bytes] = {}

    def put(text: str | None) -> str:
        if text is None:
            return NONE
        name = f"{len(blobs) + 1:040x}"
        blobs[name] = dedent(text).encode()
        return name

    changes = []
    for path, (old, new) in case.files.items():
        status = "A" if old is None else "D" if new is None else "M"
        modes = ("100644" if old is not None else "000000", "100644" if new is not None else "000000")
        changes.append(Change(status, path, *modes, put(old), put(new)))
    tracked = [path for path, (old, _) in case.files.items() if old is not None]
    results = guards.check(
        Task(id="t", title="t", allow=case.allow, kind=kind),
        changes,
        read_blob=blobs.__getitem__,
        tracked=[*PRODUCT, *tracked],
        config=Config(),
    )
    return next(one for one in results if one.name == "tampering")


def blocking(result: GuardResult) -> tuple[str, ...]:
    return tuple(sorted({one.rule for one in result.findings if not one.note}))


def said(result: GuardResult) -> str:
    return "\n".join(f"{one.rule} {one.path}:{one.line} {one.message}" for one in result.findings)


def names(cases: Sequence[Case]) -> list[str]:
    return [case.name for case in cases]
