"""Sum up the changed files of all branches, and name what a person should look at first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ralph.core import globs
from ralph.verify.totals import dependencies, duplicates, interface

MOST_SPOTS = 7
COMPLEX = 10
"""Cyclomatic complexity (McCabe 1976) from which a function is hard to test."""
INFRASTRUCTURE = (
    "Dockerfile*",
    "docker-compose*",
    "compose.y*ml",
    "*.tf",
    "*.tfvars",
    "/.github/",
    "/deploy/",
    "/k8s/",
    "/helm/",
    "/ansible/",
    "Makefile",
    "*.service",
    "migrations/",
    "*.sql",
    "nginx*.conf",
)
SECURITY = (
    "*auth*",
    "*login*",
    "*password*",
    "*secret*",
    "*crypto*",
    "*token*",
    "*session*",
    "*permission*",
    "*oauth*",
    "*jwt*",
    "*csrf*",
    "*sanitiz*",
    "*acl*.py",
    "*.pem",
)


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that a branch changed against the base; None where it is not there."""

    path: str
    old: bytes | None
    new: bytes | None
    tasks: tuple[str, ...] = ()
    test: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that a person should look at first, and why."""

    path: str
    line: int
    why: str
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all branches against the base. Lines and complexity are differences, the rest what came or went."""

    files: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    test_lines: int = 0
    """Difference of lines in test files."""
    complexity: int = 0
    """Difference of the cyclomatic complexity of all functions."""
    complex_functions: tuple[str, ...] = ()
    """``path:line name (n)`` of functions that became complex."""
    duplicates: tuple[str, ...] = ()
    """``path:line`` where a copy of six or more lines begins that was not there."""
    dependencies: tuple[str, ...] = ()
    """Added ones."""
    interface_changed: tuple[str, ...] = ()
    """Public names that are gone or have another signature."""
    interface_added: int = 0
    infrastructure: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    spots: tuple[Spot, ...] = ()


def measure(changes: Sequence[FileChange]) -> Totals:
    """The totals of a night's changes; the same file on two branches counts for both."""
    sources = [change for change in changes if not change.test]
    complexity = [found for change in sources for found in _complexity(change)]
    public = [found for change in sources for found in _interface(change)]
    copies = duplicates.added(list(_texts(sources, new=False)), list(_texts(sources, new=True)))
    wanted = [(name, change) for change in changes for name in sorted(_new_dependencies(change))]
    infrastructure = [change for change in changes if globs.matches(INFRASTRUCTURE, change.path)]
    security = [change for change in sources if globs.matches(SECURITY, change.path.lower())]
    complex_now = [found for found in complexity if found.now >= COMPLEX and found.now > found.before]
    broken = [(change, name, what) for change, name, what in public if what != "added"]
    spots = [
        *(Spot(change.path, 0, "touches security", change.tasks) for change in security),
        *(Spot(change.path, 0, "touches infrastructure", change.tasks) for change in infrastructure),
        *(Spot(change.path, 0, f"adds the dependency {name}", change.tasks) for name, change in wanted),
        *(Spot(change.path, 0, f"public {name} {what}", change.tasks) for change, name, what in broken),
        *(
            Spot(one.change.path, one.line, f"{one.name} is complex ({one.now})", one.change.tasks)
            for one in complex_now
        ),
        *(Spot(path, line, "a copy of other lines", ()) for path, line in copies),
    ]
    return Totals(
        files=len({change.path for change in changes}),
        lines_added=sum(_lines(change)[0] for change in changes),
        lines_removed=sum(_lines(change)[1] for change in changes),
        test_lines=sum(_lines(change)[0] - _lines(change)[1] for change in changes if change.test),
        complexity=sum(found.now - found.before for found in complexity),
        complex_functions=tuple(f"{one.change.path}:{one.line} {one.name} ({one.now})" for one in complex_now),
        duplicates=tuple(f"{path}:{line}" for path, line in copies),
        dependencies=tuple(dict.fromkeys(name for name, _ in wanted)),
        interface_changed=tuple(f"{change.path}: {name} {what}" for change, name, what in broken),
        interface_added=sum(what == "added" for _, _, what in public),
        infrastructure=_paths(infrastructure),
        security=_paths(security),
        spots=tuple(_different(spots)[:MOST_SPOTS]),
    )


@dataclass(frozen=True, slots=True)
class _Function:
    change: FileChange
    name: str
    line: int
    before: int
    now: int


def _complexity(change: FileChange) -> Iterator[_Function]:
    old, new = _functions(change.path, change.old), _functions(change.path, change.new)
    for name, (number, line) in new.items():
        yield _Function(change, name, line, old.get(name, (0, 0))[0], number)
    for name in old.keys() - new.keys():
        yield _Function(change, name, 0, old[name][0], 0)


def _functions(path: str, data: bytes | None) -> dict[str, tuple[int, int]]:
    """Per function its complexity and line, as far as lizard knows the language."""
    import lizard

    if data is None or lizard.get_reader_for(path) is None:
        return {}
    found = lizard.analyze_file.analyze_source_code(path, data.decode("utf-8", "replace"))
    return {one.long_name: (int(one.cyclomatic_complexity), int(one.start_line)) for one in found.function_list}


def _interface(change: FileChange) -> Iterator[tuple[FileChange, str, str]]:
    old, new = interface.of(change.path, change.old), interface.of(change.path, change.new)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield change, name, "is gone"
        elif name not in old:
            yield change, name, "added"
        elif old[name] != new[name]:
            yield change, name, "has another signature"


def _new_dependencies(change: FileChange) -> frozenset[str]:
    return dependencies.of(change.path, change.new) - dependencies.of(change.path, change.old)


def _texts(changes: Iterable[FileChange], new: bool) -> Iterator[tuple[str, str]]:
    for change in changes:
        data = change.new if new else change.old
        if data is not None and b"\0" not in data[:8000]:
            yield change.path, data.decode("utf-8", "replace")


def _lines(change: FileChange) -> tuple[int, int]:
    """Lines added and removed, counted as a multiset: cheap, and exact but for lines that only moved."""
    from collections import Counter

    old, new = (Counter((data or b"").splitlines()) for data in (change.old, change.new))
    return (new - old).total(), (old - new).total()


def _paths(changes: Iterable[FileChange]) -> tuple[str, ...]:
    return tuple(sorted({change.path for change in changes}))


def _different(spots: Sequence[Spot]) -> list[Spot]:
    key: Callable[[Spot], tuple[str, int, str]] = lambda spot: (spot.path, spot.line, spot.why)  # noqa: E731
    return list({key(spot): spot for spot in spots}.values())
