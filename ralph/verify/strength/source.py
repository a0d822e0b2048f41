"""Python source as a tree whose nodes can be found again in the bytes, so that an edit leaves the rest as it was."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

MAX_BYTES = 2_000_000
"""Sources beyond this size are not judged."""

Located = ast.expr | ast.stmt | ast.excepthandler | ast.pattern


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file; ``data`` is its text in UTF-8, the encoding in which the tree counts columns."""

    tree: ast.Module
    data: bytes
    starts: tuple[int, ...]
    """Offset of each line in ``data``."""
    encoding: str

    def span(self, node: Located) -> tuple[int, int]:
        """Offsets of the node's first byte and of the byte after its last."""
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        return start, end

    def of(self, node: Located) -> bytes:
        start, end = self.span(node)
        return self.data[start:end]

    def line_at(self, offset: int) -> int:
        """Number of the line that holds the byte at ``offset``."""
        return bisect_right(self.starts, offset)


def parse(source: bytes) -> Source | None:
    """Read Python source; None where this interpreter can't: another language version, too large, not text."""
    if len(source) > MAX_BYTES:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        data = source.decode(encoding).encode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data.decode())
    except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
        return None
    starts = tuple(accumulate((len(line) for line in data.splitlines(keepends=True)), initial=0))
    return Source(tree, data, starts, encoding)


def last_name(node: ast.AST) -> str:
    """The last part of a dotted name: ``info`` of ``self.log.info``; empty where it is no name."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=called):
            return last_name(called)
    return ""


def never_run(test: ast.expr) -> bool:
    """Whether a condition holds for type checkers or the main program only, so that no test gets past it."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
    return False


def is_environment(test: ast.expr) -> bool:
    """Whether a condition asks for the interpreter or the platform, which tests can't vary."""
    match test:
        case ast.Compare(left=ast.Attribute(value=ast.Name(id=module), attr=name)):
            return (module, name) in (("sys", "version_info"), ("sys", "platform"), ("os", "name"))
    return False
