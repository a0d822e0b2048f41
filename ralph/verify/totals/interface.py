"""The public names of a source file with their signatures."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

_PARAMETERS = r"\s*(?:<[^>]*>)?(\([^)]*\))?"
_SCRIPT = re.compile(
    r"^export\s+(?:default\s+)?(?:async\s+)?(?:function\*?|class|const|let)\s+(\w+)" + _PARAMETERS, re.MULTILINE
)
_PUBLIC = {
    **dict.fromkeys((".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"), _SCRIPT),
    ".go": re.compile(r"^(?:func\s+(?:\([^)]*\)\s*)?|type\s+)([A-Z]\w*)" + _PARAMETERS, re.MULTILINE),
    ".rs": re.compile(r"^\s*pub\s+(?:async\s+)?(?:fn|struct|enum|trait|const)\s+(\w+)" + _PARAMETERS, re.MULTILINE),
    ".java": re.compile(r"^\s*public\s+(?:[\w<>\[\],]+\s+)+?(\w+)" + _PARAMETERS + r"\s*[{;]", re.MULTILINE),
}


def of(path: str, data: bytes | None) -> dict[str, str]:
    """Per public name its signature; empty where the language is not known or the file can't be read."""
    suffix = PurePosixPath(path).suffix
    text = (data or b"").decode("utf-8", "replace")
    if suffix == ".py":
        try:
            return dict(_python(ast.parse(text).body, ""))
        except (SyntaxError, ValueError, RecursionError):
            return {}
    pattern = _PUBLIC.get(suffix)
    if pattern is None:
        return {}
    return {name: " ".join(parameters.split()) for name, parameters in pattern.findall(text)}


def _python(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _private(node.name):
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            yield prefix + node.name, f"({ast.unparse(node.args)}){returns}"
        elif isinstance(node, ast.ClassDef) and not _private(node.name):
            yield prefix + node.name, ", ".join(map(ast.unparse, node.bases))
            yield from _python(node.body, f"{prefix}{node.name}.")


def _private(name: str) -> bool:
    return name.startswith("_") and name != "__init__"
