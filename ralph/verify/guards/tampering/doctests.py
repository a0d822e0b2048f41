"""Examples in docstrings of the product, where a gate runs them as tests: what they show may not become less."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator, Sequence

from ralph.config import Gate
from ralph.domain import Finding
from ralph.verify.guards.tampering import files, found
from ralph.verify.guards.tampering.files import File

_MOST = 4
_PROMPT = ">>>"
_Example = tuple[str, str]
"""What is run and what is shown."""


def findings(changed: Sequence[File], gates: Sequence[Gate]) -> Iterator[Finding]:
    """A finding for each example that a function, class or module still there no longer shows."""
    if not any("doctest" in gate.command for gate in gates):
        return
    for file in changed:
        if file.suffix in files.PYTHON and not file.test and _PROMPT in (file.old or ""):
            yield from _of(file)


def _of(file: File) -> Iterator[Finding]:
    before, after = _examples(file.old or ""), _examples(file.new or "")
    everywhere = {example for examples in after.values() for example in examples}
    lost = [
        (owner, source, shown)
        for owner, examples in before.items()
        for source, shown in examples
        if owner in after and (source, shown) not in everywhere
    ]
    for owner, source, shown in lost[:_MOST]:
        said = f"{owner or 'the module'} no longer shows: {source.strip()} -> {shown.strip() or 'nothing'}"
        yield Finding(found.WEAKEN, file.path, said)


def _examples(text: str) -> dict[str, list[_Example]]:
    """Per owner of a docstring (empty: the module) its examples; skipped ones and what can't be read are none."""
    try:
        return dict(_owners(ast.parse(text), ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _owners(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str
) -> Iterator[tuple[str, list[_Example]]]:
    read = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
    yield name, [(one.source, one.want) for one in read if not one.options.get(doctest.SKIP)]
    for inner in node.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _owners(inner, f"{name}.{inner.name}".lstrip("."))
