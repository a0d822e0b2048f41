"""Which tests a change added or altered, by id and by what is written in the test files."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ralph.domain import Comparison
from ralph.verify.proof.reach import reaching, rebinds
from ralph.verify.select import file_of, function_of

_CODE = frozenset(
    {".py", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".go", ".rs", ".java", ".kt", ".rb"}
)


@dataclass(frozen=True, slots=True)
class TestFile:
    """A test file in both versions; None where it is not there."""

    path: str
    old: bytes | None
    new: bytes | None

    __test__ = False  # not a pytest class


@dataclass(frozen=True, slots=True)
class Touched:
    """Ids of the tests that a change added or altered."""

    added: tuple[str, ...] = ()
    """Ids of the change's run that the base's run has not."""
    altered: tuple[str, ...] = ()
    """Ids of both runs whose code differs, as the change's run names them."""
    replaced: tuple[str, ...] = ()
    """Ids of the base's run whose code differs or is gone, as that run names them."""

    @property
    def here(self) -> tuple[str, ...]:
        """What can be run with the change's test files."""
        return (*self.added, *self.altered)


def touched(
    files: Sequence[TestFile],
    there: Mapping[str, str],
    here: Mapping[str, str],
    comparison: Comparison | None,
) -> Touched:
    """The tests touched by a change; ``there`` and ``here`` are outcomes per id on the base and with the change.

    Where a file's tests can't be told apart, all of them count as altered; a file without tests of its own (data, a
    helper, a conftest) stands for all tests in its folder and below, or in the next folder above that holds some. New
    code that reaches beyond its file (a patch at import, a fixture for all) replaces every test that was there.
    """
    moved = comparison.moved if comparison else {}
    heirs = set(moved.values())
    edited = [(file.path, _altered(file)) for file in files if file.old is not None]
    old, new = ([_Side(path, names, ids) for path, names in edited] for ids in (there, here))
    added = [one for one in here if one not in there and one not in heirs]
    both = [one for one in here if one in there or one in heirs]
    altered = [one for one in both if one in heirs or any(side.holds(one) for side in new)]
    everything = any(_reaches(file) for file in files)
    replaced = [one for one in there if everything or one in moved or any(side.holds(one) for side in old)]
    return Touched(tuple(sorted(added)), tuple(sorted(altered)), tuple(sorted(replaced)))


def _reaches(file: TestFile) -> bool:
    """Whether a test file does something to tests elsewhere that it did not do before."""
    if not file.path.endswith(".py") or file.new is None:
        return False
    before, after = reaching(file.old), reaching(file.new)
    return before is None or after is None or not after <= before


class _Side:
    """A test file that was edited, and which ids of one run that concerns; ``names``: what is not as it was."""

    def __init__(self, path: str, names: Collection[str] | None, ids: Collection[str]) -> None:
        self.path, self.names = path, names
        self.own = {one for one in ids if belongs(one, path)}
        tests = {function_of(one) for one in self.own}
        self.whole = names is None or any(name not in tests for name in names)
        self.folder = _folder_of_tests(path, ids)

    def holds(self, identity: str) -> bool:
        if self.own:
            return identity in self.own and (self.whole or function_of(identity) in (self.names or ()))
        folder = self.folder
        return self.whole and (not folder or identity.startswith(folder + "/") or "/" not in file_of(identity))


def _folder_of_tests(path: str, ids: Collection[str]) -> str:
    """The nearest folder above a file that holds tests: ``tests/data/stock.json`` is read by those in ``tests``."""
    folder = path.rpartition("/")[0]
    while folder and not any(one.startswith(folder + "/") for one in ids):
        folder = folder.rpartition("/")[0]
    return folder


def is_data(path: str) -> bool:
    """Whether a test file holds what tests read (stored results, fixtures), not what they do."""
    return PurePosixPath(path).suffix not in _CODE


def belongs(identity: str, path: str) -> bool:
    """Whether a test id is of a test file: by its path, its dotted module, or its package's directory."""
    place = file_of(identity)
    if place == path or not path:
        return True
    stem, _, suffix = path.rpartition(".")
    if suffix in ("py", "java", "kt", "groovy"):
        dotted = stem.replace("/", ".")
        return (
            place == dotted or dotted.endswith("." + place) or place.startswith(dotted + ".") or _within(place, dotted)
        )
    if suffix == "go":
        folder = path.rpartition("/")[0]
        return place == folder or place.endswith("/" + folder) or not folder
    if suffix == "rs":
        return f"/{path}".find("/src/") >= 0 and place.startswith("src/")
    return "/" not in place and "." not in place  # a runner that names no files: all of its tests may be meant


def _within(place: str, dotted: str) -> bool:
    """``test_a.TestC`` run from inside a folder, of ``tests/test_a.py``."""
    return f".{dotted}.".endswith(f".{place.rpartition('.')[0]}.") if "." in place else False


def _altered(file: TestFile) -> frozenset[str] | None:
    """Names of what its new version has not, or has otherwise; None where that can't be told."""
    python = file.path.endswith(".py")
    before, after = (_parts(file.old), _parts(file.new)) if python else (None, None)
    if before is None or after is None:
        return None
    changed = {name for name, code in before.items() if after.get(name) != code}
    if file.old is not None and file.new is not None and rebinds(file.old, file.new):
        changed.add("what its tests use")
    return frozenset(changed)


def _parts(data: bytes | None) -> dict[str, str] | None:
    """Per function its code under its qualified name, and whatever else tests may depend on. Python only."""
    if data is None:
        return {}
    try:
        return dict(_walk(ast.parse(data), ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _walk(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, str]]:
    for number, inner in enumerate(node.body):
        match inner:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield prefix + name, ast.dump(inner)
            case ast.ClassDef(name=name, bases=bases, decorator_list=marks):
                yield f"{prefix}{name} itself", "".join(map(ast.dump, [*bases, *marks]))
                yield from _walk(inner, f"{prefix}{name}::")
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                module = getattr(inner, "module", "")
                yield from ((f"import {one.asname or one.name}", f"{module} {one.name}") for one in names)
            case ast.Expr(value=ast.Constant()) if number == 0:
                pass
            case _:
                yield ast.dump(inner), ""
