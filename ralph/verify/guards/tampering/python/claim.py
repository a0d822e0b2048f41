"""What one line of a test claims, in a form that two versions of the test can be compared in."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property

TRUE, RAISES, CALLS, RUNS, CASE = "true", "raises", "calls", "runs", "case"
"""An expression that holds; an exception; a call that asserts by itself; a call that must not raise; a row of cases."""


@dataclass(frozen=True)
class Claim:
    """``what`` has names resolved: locals replaced by what they are bound to, parameters by the values of the case."""

    kind: str
    what: ast.expr
    text: str
    """As it stands in the file."""
    line: int
    guards: tuple[str, ...] = ()
    """Conditions round it: it is checked only where they hold."""
    tolerances: tuple[tuple[str, float | str], ...] = ()
    hollow: str = ""
    """Why it can never fail; empty where it can."""
    expected: frozenset[str] = frozenset()
    """Names of the exceptions or warnings that are expected."""
    match: str = ""
    """What the exception's message has to match; empty: anything."""

    @cached_property
    def key(self) -> tuple[str, str]:
        """Equal for claims that say the same, apart from tolerance, guards and the expected exception."""
        return self.kind, ast.dump(self.what)

    @cached_property
    def shape(self) -> tuple[str, ...]:
        """What stays the same through renames and new signatures: kind, form, operators, the literal on the right."""
        match self.what:
            case ast.Compare(ops=ops, comparators=[*_, right]):
                literal = ast.dump(right) if isinstance(right, ast.Constant) else ""
                return (self.kind, "Compare", *(type(op).__name__ for op in ops), literal)
            case ast.Name() | ast.Attribute():
                return self.kind, "name"
        return self.kind, type(self.what).__name__

    @cached_property
    def pinned(self) -> str:
        """What an equation says the value of; empty for other claims."""
        match self.what:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()]) if self.kind == TRUE and not self.tolerances:
                return ast.dump(left)
        return ""

    @cached_property
    def parts(self) -> frozenset[str]:
        """Names, attributes and calls in it, to find what another claim is about."""
        nodes = ast.walk(self.what)
        return frozenset(ast.dump(one) for one in nodes if isinstance(one, ast.Call | ast.Attribute | ast.Name))


def shortly(text: str, most: int = 90) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 3] + "..."
