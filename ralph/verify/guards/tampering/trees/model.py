"""What tests in any of these languages claim, in one shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ralph.verify.guards.tampering.trees.syntax import Env, line, plain, text

if TYPE_CHECKING:
    from tree_sitter import Node

CASE, EQUAL = "case", "equal"


@dataclass(frozen=True, slots=True)
class Said:
    """One assertion: of what, in which relation, to what."""

    relation: str
    subject: str
    expected: str
    text: str
    line: int
    guards: tuple[str, ...] = ()
    hollow: str = ""
    tolerance: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.relation, self.subject, self.expected


@dataclass(slots=True)
class TreeTest:
    """One test with what it claims and what keeps it from running."""

    name: str
    line: int
    said: list[Said] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)
    calls: int = 0
    """Calls in its body, asserting or not."""

    __test__ = False


@dataclass(slots=True)
class Pass:
    """The state of going through one test's body."""

    test: TreeTest
    env: Env = field(default_factory=dict)
    guards: tuple[str, ...] = ()
    swallowed: bool = False
    depth: int = 0

    def say(
        self, node: Node, relation: str, subject: str, expected: str = "", hollow: str = "", tolerance: str = ""
    ) -> None:
        why = hollow or ("what it raises is swallowed" if self.swallowed else "")
        why = why or ("both sides are the same" if expected and subject == expected and relation == EQUAL else "")
        shown = " ".join(text(node).split())[:90]
        said = Said(relation, subject, expected, shown, line(node), self.guards, why, tolerance)
        self.test.said.append(said)

    def plain(self, node: Node | None) -> str:
        return plain(node, self.env)

    def under(self, guard: str) -> Pass:
        return Pass(
            self.test, dict(self.env), (*self.guards, guard) if guard else self.guards, self.swallowed, self.depth
        )
