"""Whether a test still claims what it claimed: each old claim is kept, implied by a stronger one, or named."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from ralph.verify.guards.tampering.python import differ, hollow, tolerance, values
from ralph.verify.guards.tampering.python.claim import CALLS, CASE, RUNS, TRUE, Claim, shortly
from ralph.verify.guards.tampering.python.differ import Context
from ralph.verify.guards.tampering.python.nodes import made


@dataclass(frozen=True, slots=True)
class Weaker:
    """One claim that is not made any more, or not as strictly, with the line where that shows."""

    line: int
    message: str


class Pool:
    """Claims that count, arranged so that those which may say the same as another one are found at once."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        self.by_shape: dict[tuple[str, ...], list[Claim]] = {}
        self.facts: list[Claim] = []
        self.by_key: dict[tuple[str, str], list[Claim]] = {}
        for claim in claims:
            if not claim.hollow:
                self.by_key.setdefault(claim.key, []).append(claim)
                self.by_shape.setdefault(claim.shape, []).append(claim)
                if claim.kind in (TRUE, CALLS):
                    self.facts.append(claim)


def weaker(old: Sequence[Claim], new: Sequence[Claim], context: Context, elsewhere: Pool | None = None) -> list[Weaker]:
    """What the new version of a test claims less than the old one; empty where it is as strict or stricter.

    ``elsewhere``: what other tests say only now, where a claim may have gone. Claims that never could fail are not
    missed; claims that can't fail any more do not count.
    """
    real, before = Pool(new), {one.key for one in old}
    spare = [claim for claim in new if claim.key not in before]
    found: list[Weaker] = []
    for claim in old:
        if claim.kind == RUNS or claim.hollow:
            continue
        less, held = _missing(claim, real, context)
        if not held and not (elsewhere is not None and holds(claim, elsewhere, context)):
            found.append(less or _described(claim, spare))
    return found + list(_inputs(old, new, context))


def holds(claim: Claim, pool: Pool, context: Context) -> bool:
    """Whether a claim is made by some claims elsewhere."""
    return bool(claim.hollow) or _missing(claim, pool, context)[1]


def _missing(claim: Claim, real: Pool, context: Context) -> tuple[Weaker | None, bool]:
    """How a claim is made less strictly, and whether it still is made."""
    best: Weaker | None = None
    for other in chain(real.by_key.get(claim.key, ()), _alike(claim, real, context)):
        less = _less(claim, other, context)
        if less is None:
            return None, True
        best = best or less
    facts = [other for other in real.facts if other.kind == claim.kind] if best is None else []
    if claim.kind == TRUE and any(_implies(other, claim) for other in facts):
        return None, True
    if claim.kind == CALLS and any(_calls_more(other, claim) for other in facts):
        return None, True
    return best, False


def _alike(claim: Claim, real: Pool, context: Context) -> Iterator[Claim]:
    for other in real.by_shape.get(claim.shape, ()):
        if other.key != claim.key and _follows_from_change(claim, other, context):
            yield other


def _less(claim: Claim, other: Claim, context: Context) -> Weaker | None:
    """How a claim about the same thing is weaker; None where it is not."""
    if wider := tolerance.wider(claim.tolerances, other.tolerances):
        return Weaker(other.line, f"the tolerance is wider ({', '.join(wider)}): {other.text}")
    if more := [one for one in other.guards if one not in claim.guards]:
        return Weaker(
            other.line, f"the assertion now runs only under a condition ({shortly(more[0], 60)}): {other.text}"
        )
    if claim.match and claim.match != other.match:
        said = "match= is gone" if not other.match else f"match= changed to {other.match}"
        return Weaker(other.line, f"{said}: {other.text}")
    if not all(any(_catches(old, new, context) for old in claim.expected) for new in other.expected):
        was, now = (", ".join(sorted(one.expected)) for one in (claim, other))
        return Weaker(other.line, f"the expected exception was {was} and is {now}")
    return None


def _catches(old: str, new: str, context: Context) -> bool:
    """Whether expecting ``new`` is at least as strict as expecting ``old``."""
    if old == new or (new, old) in context.subclasses or (old in context.gone and new in context.came):
        return True
    one, other = getattr(builtins, new, None), getattr(builtins, old, None)
    return isinstance(one, type) and isinstance(other, type) and issubclass(one, other)


def _follows_from_change(claim: Claim, other: Claim, context: Context) -> bool:
    if claim.kind != other.kind:
        return False
    for form in _forms(other.what):
        if all(differ.benign(pair, context) for pair in differ.pairs(claim.what, form)):
            return True
    return False


def _forms(node: ast.expr) -> Iterator[ast.expr]:
    """The expression, and an equation turned round."""
    yield node
    match node:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot() as op], comparators=[right]):
            yield ast.Compare(right, [op], [left])


def _implies(new: Claim, old: Claim) -> bool:
    """Whether an equation with a literal, or a tighter bound, makes the old claim true as well."""
    if [one for one in new.guards if one not in old.guards]:
        return False
    match new.what, old.what:
        case ast.Compare(left=x, ops=[op], comparators=[a]), ast.Compare(left=y, ops=[was], comparators=[b]):
            if _bounds(x, op, a, y, was, b):
                return True
    match new.what:
        case ast.Compare(left=left, comparators=[right]) if new.pinned and new.pinned in old.key[1]:
            return values.truth(_put(old.what, type(left), new.pinned, right)) is True
        case ast.Call(func=ast.Name("isinstance"), args=[x, _]):
            return ast.dump(old.what) == ast.dump(ast.Compare(x, [ast.IsNot()], [ast.Constant(None)]))
    return False


def _bounds(x: ast.expr, op: ast.cmpop, a: ast.expr, y: ast.expr, was: ast.cmpop, b: ast.expr) -> bool:
    new, old = values.number(a), values.number(b)
    if new is None or old is None or ast.dump(x) != ast.dump(y):
        return False
    match op, was:
        case (ast.Lt(), ast.Lt() | ast.LtE()) | (ast.LtE(), ast.LtE()):
            return new <= old
        case ast.LtE(), ast.Lt():
            return new < old
        case (ast.Gt(), ast.Gt() | ast.GtE()) | (ast.GtE(), ast.GtE()):
            return new >= old
        case ast.GtE(), ast.Gt():
            return new > old
    return False


def _put(node: ast.expr, kind: type[ast.expr], place: str, literal: ast.expr) -> ast.expr:
    """The expression with a literal in place of a part."""
    if type(node) is kind and ast.dump(node) == place:
        return literal
    fields: dict[str, object] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.expr):
            fields[name] = _put(value, kind, place, literal)
        elif isinstance(value, list):
            fields[name] = [_put(one, kind, place, literal) if isinstance(one, ast.expr) else one for one in value]
        else:
            fields[name] = value
    return made(node, fields)


_STRENGTH = {
    "assert_called": 0,
    "assert_called_once": 1,
    "assert_called_with": 2,
    "assert_any_call": 2,
    "assert_called_once_with": 3,
}


def _calls_more(new: Claim, old: Claim) -> bool:
    """Whether one of a mock's own assertions says at least as much as another."""
    match new.what, old.what:
        case (
            ast.Call(func=ast.Attribute(value=x, attr=now)) as a,
            ast.Call(func=ast.Attribute(value=y, attr=was)) as b,
        ) if now in _STRENGTH and was in _STRENGTH:
            same = (not b.args and not b.keywords) or [ast.dump(one) for one in a.args] == [
                ast.dump(one) for one in b.args
            ]
            return ast.dump(x) == ast.dump(y) and same and _STRENGTH[now] >= _STRENGTH[was]
    return False


def _described(claim: Claim, added: Sequence[Claim]) -> Weaker:
    """The finding for a claim that nothing makes any more, told by what stands in its place."""
    spare = [one for one in added if one.kind == claim.kind or claim.kind in (TRUE, CALLS)]
    for other in spare:
        if other.kind == claim.kind == TRUE and (what := _changed_side(claim.what, other.what)):
            return Weaker(other.line, f"{what}: {claim.text} became {other.text}")
    for other in spare:
        if claim.parts & other.parts:
            why = f" ({other.hollow})" if other.hollow else ""
            return Weaker(other.line, f"the assertion is weaker{why}: {claim.text} became {other.text}")
    if claim.kind == CASE:
        return Weaker(0, f"a case was removed or changed: {claim.text}")
    return Weaker(0, f"the assertion is gone: {claim.text}")


def _changed_side(old: ast.expr, new: ast.expr) -> str:
    match old, new:
        case ast.Compare(left=x, ops=[a], comparators=[p]), ast.Compare(left=y, ops=[b], comparators=[q]):
            if type(a) is not type(b):
                return ""
            if ast.dump(x) == ast.dump(y):
                return "the expected value changed" if hollow.is_literal(q) else "the expected value is computed"
            if ast.dump(p) == ast.dump(q) and list(differ.pairs(x, y)) != [(x, y)]:
                return "what is tested changed"
    return ""


def _inputs(old: Sequence[Claim], new: Sequence[Claim], context: Context) -> Iterator[Weaker]:
    """Calls that prepare a test with another literal than before."""
    keys, before = {claim.key for claim in new}, {claim.key for claim in old}
    added = [claim for claim in new if claim.kind == RUNS and claim.key not in before]
    for claim in old:
        if claim.kind != RUNS or claim.key in keys:
            continue
        for other in added:
            if _other_literal(claim.what, other.what, context):
                yield Weaker(other.line, f"the test's input changed: {claim.text} became {other.text}")
                break


def _other_literal(old: ast.expr, new: ast.expr, context: Context) -> bool:
    if not isinstance(old, ast.Call) or not isinstance(new, ast.Call) or ast.dump(old.func) != ast.dump(new.func):
        return False
    left = [pair for pair in differ.pairs(old, new) if not differ.benign(pair, context)]
    return bool(left) and all(_telling(one, other) for one, other in left)


def _telling(old: ast.AST, new: ast.AST) -> bool:
    """Another number, or an empty text: other texts of a preparation (names, paths) change for many reasons."""
    if not isinstance(old, ast.Constant):
        return False
    return not isinstance(old.value, str | bytes) or (isinstance(new, ast.Constant) and not new.value)
