"""Compares the tests of both sides of a change in JavaScript, TypeScript, Go, Rust and Java."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ralph.domain import Finding
from ralph.verify.guards.diff import UNJUDGED
from ralph.verify.guards.tampering import files, found
from ralph.verify.guards.tampering.files import File
from ralph.verify.guards.tampering.trees import compare, detection, names, syntax
from ralph.verify.guards.tampering.trees.compare import Less, Names
from ralph.verify.guards.tampering.trees.go import Go
from ralph.verify.guards.tampering.trees.java import Java
from ralph.verify.guards.tampering.trees.javascript import JavaScript
from ralph.verify.guards.tampering.trees.model import TreeTest
from ralph.verify.guards.tampering.trees.reader import Reader
from ralph.verify.guards.tampering.trees.rust import Rust
from ralph.verify.guards.tampering.trees.syntax import field, text

if TYPE_CHECKING:
    from tree_sitter import Node

_READERS: dict[str, type[Reader]] = {"go": Go, "rust": Rust, "java": Java}
_RUST_TEST = re.compile(r"#\[(?:\w+::)*(?:test|rstest|test_case)\b")
_MOST = 4
_FUNCTIONS = frozenset({"function_declaration", "function_item", "method_declaration", "variable_declarator"})
Key = tuple[str, str]


def findings(changed: Sequence[File]) -> list[Finding]:
    """What the files in these languages do to their tests, and which could not be read."""
    read = [file for file in changed if file.suffix in files.TREES]
    tests = [file for file in read if _has_tests(file)]
    seen = list(detection.findings([file for file in read if not file.test]))
    if not tests:
        return seen
    old = {file.path: syntax.parse(file.suffix, file.old) for file in tests if file.old is not None}
    new = {file.path: syntax.parse(file.suffix, file.new) for file in tests if file.new is not None}
    broken = {path for path, root in new.items() if root.has_error}
    broken |= {path for path, root in old.items() if root.has_error and path in new}
    for path in sorted(broken):
        seen.append(Finding(UNJUDGED, path, "this test file can't be parsed"))
    product = [file for file in read if not file.test]
    all_names = names.of(
        [syntax.parse(file.suffix, file.old) for file in product if file.old is not None],
        [syntax.parse(file.suffix, file.new) for file in product if file.new is not None],
    )
    whole = {file.path: file.suffix for file in tests if file.path not in broken}
    return seen + list(_compared(_suite(old, whole), _suite(new, whole), all_names))


def _has_tests(file: File) -> bool:
    """Test files, and Rust sources with tests inside."""
    if file.suffix == ".rs":
        return bool(_RUST_TEST.search(file.old or "") or _RUST_TEST.search(file.new or ""))
    return file.test


def _suite(roots: dict[str, Node], whole: dict[str, str]) -> dict[Key, TreeTest]:
    helpers = {name: node for path, root in roots.items() if path in whole for name, node in _helpers(root)}
    suite: dict[Key, TreeTest] = {}
    for path, root in roots.items():
        if path in whole:
            reader = _READERS.get(files.TREES[whole[path]], JavaScript)(root, helpers)
            for test in reader.tests():
                name = test.name
                while (path, name) in suite:
                    name += "'"
                suite[path, name] = test
    return suite


def _helpers(root: Node) -> Iterator[tuple[str, Node]]:
    for node in syntax.walk(root):
        if node.type in _FUNCTIONS:
            value = field(node, "value") if node.type == "variable_declarator" else node
            if value is not None and field(value, "body") is not None and field(value, "parameters") is not None:
                yield text(field(node, "name")), value


def _compared(old: dict[Key, TreeTest], new: dict[Key, TreeTest], all_names: Names) -> Iterator[Finding]:
    free = [key for key in new if key not in old]
    elsewhere = [said for test in new.values() if not test.skips for said in test.said]
    for key, test in old.items():
        heir = key if key in new else _heir(key, test, new, free)
        if heir is None:
            kept = [said for said in test.said if not said.hollow]
            if kept and all(compare.holds(said, elsewhere, all_names) for said in kept):
                continue
            if test.calls or kept:
                yield Finding(found.DELETE, key[0], f"test {test.name} was deleted or is no longer found by the runner")
            continue
        if heir in free:
            free.remove(heir)
        yield from _changed(heir[0], test, new[heir], compare.weaker(test.said, new[heir].said, all_names, elsewhere))
    for key in free:
        yield from _added(key[0], new[key])


def _heir(key: Key, test: TreeTest, new: dict[Key, TreeTest], free: Sequence[Key]) -> Key | None:
    leaf = test.name.rsplit(" > ", 1)[-1].rsplit("::", 1)[-1]
    same = [one for one in free if new[one].name.rsplit(" > ", 1)[-1].rsplit("::", 1)[-1] == leaf]
    if len(same) == 1:
        return same[0]
    said = {one.key for one in test.said if not one.hollow}
    scores = [(len(said & {each.key for each in new[one].said}) / len(said), one) for one in (same or free) if said]
    best = max(scores, default=(0.0, key))
    return best[1] if best[0] >= 0.5 else None


def _changed(path: str, old: TreeTest, new: TreeTest, less: Sequence[Less]) -> Iterator[Finding]:
    left = list(old.skips)
    for skip in new.skips:
        if skip in left:
            left.remove(skip)
        else:
            yield Finding(found.SKIP, path, f"test {new.name} is kept from running: {skip}", new.line)
    if (old.calls or old.said) and not new.said and not new.calls and less:
        yield Finding(found.DELETE, path, f"test {new.name} was emptied", new.line)
        return
    for one in less[:_MOST]:
        rule = found.SNAPSHOT if one.snapshot else found.WEAKEN
        yield Finding(rule, path, f"test {new.name}: {one.message}", one.line or new.line)
    if len(less) > _MOST:
        yield Finding(found.WEAKEN, path, f"test {new.name}: and {len(less) - _MOST} more assertions", new.line)


def _added(path: str, test: TreeTest) -> Iterator[Finding]:
    for skip in test.skips:
        if skip in (
            "skip",
            "todo",
            "only",
            "fails",
            "failing",
            "ignore",
            "Disabled",
            "Ignore",
            "Skip",
            "SkipNow",
            "Skipf",
        ):
            yield Finding(found.SKIP, path, f"the new test {test.name} is kept from running: {skip}", test.line)
    hollow = [one for one in test.said if one.hollow]
    if hollow and len(hollow) == len(test.said):
        message = f"the new test {test.name} can't fail, {hollow[0].hollow}: {hollow[0].text}"
        yield Finding(found.WEAKEN, path, message, hollow[0].line)
    elif not test.said and not test.calls and not test.skips:
        yield Finding(found.WEAKEN, path, f"the new test {test.name} does nothing", test.line)
