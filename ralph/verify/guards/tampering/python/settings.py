"""Numbers and strategies on a test's decorators: fewer examples, longer timeouts, another strategy."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ralph.verify.guards.tampering.python import values
from ralph.verify.guards.tampering.python.module import Test
from ralph.verify.guards.tampering.python.resolve import World

_LESS_IS_WEAKER = {"max_examples", "stateful_step_count", "rounds", "count"}
_MORE_IS_WEAKER = {"timeout", "deadline", "reruns", "max_runs"}
_FIRST = {"timeout": "timeout", "flaky": "reruns", "repeat": "count"}


def weaker(old: Test, new: Test) -> Iterator[tuple[int, str]]:
    """(line, message) for each decorator that asks less of the test than before."""
    before, after = _numbers(old), _numbers(new)
    for name, (number, line) in after.items():
        was = before.get(name, (None, 0))[0]
        if name == "max_examples" and was is None and number < 100:
            was = 100.0
        if name == "reruns" and was is None:
            was = 0.0
        if was is not None and (
            (name in _LESS_IS_WEAKER and number < was) or (name in _MORE_IS_WEAKER and number > was)
        ):
            yield line, f"{name} was {was:g} and is {number:g}"
    given, now = _strategies(old), _strategies(new)
    for name, text in given.items():
        if name in now and now[name][0] != text[0]:
            yield now[name][1], f"the strategy of {name} changed: {text[0]} became {now[name][0]}"
    if given and not now:
        yield new.node.lineno, "it no longer runs on generated examples"


def wrapped(old: Test, new: Test, world: World) -> Iterator[tuple[int, str]]:
    """Decorators of the test code itself that the test had not: they can swallow what it raises."""
    before = {ast.unparse(mark) for mark in old.marks}
    for mark in new.marks:
        target = mark.func if isinstance(mark, ast.Call) else mark
        if ast.unparse(mark) not in before and isinstance(target, ast.Name) and world.helper(target.id) is not None:
            yield mark.lineno, f"it is now wrapped by {target.id}"


def _numbers(test: Test) -> dict[str, tuple[float, int]]:
    found: dict[str, tuple[float, int]] = {}
    for mark in test.marks:
        if not isinstance(mark, ast.Call):
            continue
        name = ast.unparse(mark.func).rsplit(".", 1)[-1]
        words = {word.arg or "": word.value for word in mark.keywords}
        if name in _FIRST and mark.args:
            words[_FIRST[name]] = mark.args[0]
        for word, value in words.items():
            number = values.number(value)
            if number is not None and word in _LESS_IS_WEAKER | _MORE_IS_WEAKER:
                found.setdefault(word, (number, mark.lineno))
    return found


def _strategies(test: Test) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for mark in test.marks:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func).rsplit(".", 1)[-1] == "given":
            for at, arg in enumerate(mark.args):
                found[f"argument {at + 1}"] = ast.unparse(arg), mark.lineno
            for word in mark.keywords:
                found[word.arg or "**"] = ast.unparse(word.value), mark.lineno
    return found
