"""Code that takes hold of assertions or of the runner itself, or behaves otherwise while tests run."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ralph.verify.guards.tampering import found
from ralph.verify.guards.tampering.python import values
from ralph.verify.guards.tampering.python.module import Function

_RUNNER = re.compile(
    r"(?:builtins|pytest|_pytest|unittest|pluggy|doctest|hypothesis)(?:\.|$)|(?:sys|os)\.(?:_?exit|abort)$"
)
_ASSERTION = re.compile(r"(?:fail$|assert\w*$|raises$|approx$|exit$|_exit$|outcomes?$|TestCase\b|skipTest$)")
_OWN_NAMES = frozenset({"approx", "raises", "AssertionError", "assert_", "isinstance", "len", "all", "any"})
_ALWAYS = {"__eq__": True, "__ne__": False, "__contains__": True, "__bool__": True, "__instancecheck__": True}
_RUNNERS = re.compile(r"_?pytest$|unittest$|nose2?$|xdist$")
_TELLTALE = re.compile(
    r"PYTEST_CURRENT_TEST|PYTEST_VERSION|PYTEST_XDIST_WORKER|PYTEST_ADDOPTS|_called_from_test|py\.test"
    r"|RALPH_(?:RUN|TASK_ID|ITERATION|ATTEMPT|LOOP|JUNIT)"
)
_REPORT = re.compile(r"-*junit_?-?xml=?|xmlpath|RALPH_JUNIT", re.IGNORECASE)
_LOADED = re.compile(r"sys\.modules|sys\.argv|sys\.orig_argv|/proc/self")
_STACK = ("inspect.stack", "sys._getframe", "inspect.currentframe", "traceback.extract_stack", "sys._current_frames")


_WORTH_PARSING = re.compile(
    r"exit|abort|finalize|getattr|\bgc\b|junit|JUNIT|xmlpath|settrace|setprofile|sys\.modules|__(?:eq|ne|contains|bool|instancecheck)__|builtins|pytest|unittest"
    r"|PYTEST|_called_from_test|argv|RALPH_|_getframe|\bstack\b|currentframe|os\.kill|approx|raises|AssertionError|\b(?:isinstance|len|all|any)\s*="
)


def suspicious(text: str) -> bool:
    """Whether a file can hold anything of this at all, told without parsing it."""
    return bool(_WORTH_PARSING.search(text))


@dataclass(frozen=True, slots=True)
class Hold:
    rule: str
    line: int
    message: str


def added(old: ast.Module | None, new: ast.Module, test: bool, runs: bool) -> list[Hold]:
    """What the new version holds that the old one did not, as often.

    ``runs``: the runner imports the file by itself; a script beside the tests may end its own process.
    """
    before = Counter((one.rule, one.message) for one in _all(old, test, runs)) if old is not None else Counter()
    fresh = []
    for one in _all(new, test, runs):
        if before[(one.rule, one.message)] > 0:
            before[(one.rule, one.message)] -= 1
        else:
            fresh.append(one)
    return fresh


def _all(tree: ast.Module, test: bool, runs: bool) -> list[Hold]:
    holds = [*_replaced(tree, test), *_always_equal(tree, test), *_exits(tree, test and runs), *_modules(tree, test)]
    return holds + list(_reports(tree)) if test else holds + list(_detections(tree))


def _replaced(tree: ast.Module, test: bool) -> Iterator[Hold]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Attribute | ast.Subscript) and _is_runner(ast.unparse(target)):
                        yield _hold(node, f"{ast.unparse(target)} is replaced")
            case ast.Call() if (target_text := _set(node)) and _is_runner(target_text):
                yield _hold(node, f"{target_text} is replaced")
            case ast.ClassDef() if test and any(ast.unparse(base).endswith("TestCase") for base in node.bases):
                for one in node.body:
                    if isinstance(one, ast.FunctionDef) and one.name in _KNOWN:
                        yield _hold(one, f"{one.name} of unittest is overridden")
    if test:
        for one in tree.body:
            names = [one.name] if isinstance(one, ast.FunctionDef | ast.ClassDef) else []
            if isinstance(one, ast.Assign):
                names = [target.id for target in one.targets if isinstance(target, ast.Name)]
            for name in names:
                if name == "pytest_plugins":
                    yield _hold(one, "a plugin is loaded into the runner")
                if name in _OWN_NAMES:
                    yield _hold(one, f"{name} is defined anew")


_KNOWN = frozenset(
    [
        "assertEqual",
        "assertTrue",
        "assertFalse",
        "assertIn",
        "assertNotIn",
        "assertIs",
        "assertIsNone",
        "assertIsNotNone",
        "assertRaises",
        "fail",
        "run",
        "assertAlmostEqual",
        "assertGreater",
        "assertLess",
        "assertNotEqual",
        "assertIsInstance",
        "assertListEqual",
        "assertDictEqual",
    ]
)


def _hold(node: ast.stmt | ast.expr, message: str) -> Hold:
    return Hold(found.PATCHED, node.lineno, message)


def _is_runner(text: str) -> bool:
    plain = text.replace("['", ".").replace("']", "").replace(".__dict__", "")
    if plain in ("builtins.input", "builtins.open", "builtins.print") or plain.startswith("unittest.mock"):
        return False
    if plain.startswith("__builtins__."):
        return True
    return bool(_RUNNER.match(plain)) and (
        plain.startswith("builtins.") or bool(_ASSERTION.search(plain)) or "sys" in plain
    )


def _set(node: ast.Call) -> str:
    """The dotted name that ``setattr``, ``monkeypatch.setattr`` or ``patch`` replaces."""
    name = ast.unparse(node.func)
    args = node.args
    if name.endswith("setattr") or name.endswith("patch.object"):
        if len(args) >= 2 and isinstance(args[1], ast.Constant) and isinstance(args[1].value, str):
            return f"{ast.unparse(args[0])}.{args[1].value}"
        if args and isinstance(args[0], ast.Constant):
            return str(args[0].value)
    if name.split(".")[-1] == "patch" and args and isinstance(args[0], ast.Constant):
        return str(args[0].value)
    return ""


def _always_equal(tree: ast.Module, test: bool) -> Iterator[Hold]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for one in node.body:
            name, held = _constant_method(one)
            if name in _ALWAYS and held is _ALWAYS[name] and (test or name in ("__eq__", "__ne__")):
                yield _hold(one, f"{node.name}.{name} is always {held}")


def _constant_method(node: ast.stmt) -> tuple[str, bool | None]:
    match node:
        case ast.FunctionDef(name=name):
            body = [one for one in node.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
            if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
                return name, values.truth(body[0].value)
        case ast.Assign(targets=[ast.Name(name)], value=ast.Lambda(body=held)):
            return name, values.truth(held)
    return "", None


def _exits(tree: ast.Module, test: bool) -> Iterator[Hold]:
    at_import = {id(one) for one in _at_import(tree)}
    ends = test and "os.fork(" not in ast.unparse(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            if isinstance(node, ast.Raise) and id(node) in at_import and "SystemExit" in ast.unparse(node):
                yield _hold(node, "the process ends at import")
            continue
        name = _called(node.func)
        if name in ("sys.exit", "exit", "quit") and id(node) in at_import:
            yield _hold(node, "the process ends at import")
        elif name in ("os._exit", "_exit", "os.abort", "pytest.exit") and (ends or id(node) in at_import):
            yield _hold(node, f"{name} ends the run")
        elif test and name.startswith("gc.get_"):
            yield _hold(node, f"{name} reaches what the runner holds")
        elif name in ("atexit.register", "register", "weakref.finalize") and _at_exit(node, name, test):
            yield _hold(node, "something runs after the last test (atexit)")
        elif name == "os.kill" and ends and node.args and "getpid" in ast.unparse(node.args[0]):
            yield _hold(node, "os.kill ends the run")
        elif name in ("sys.settrace", "sys.setprofile", "threading.settrace") and node.args:
            yield _hold(node, f"{name} takes hold of what runs")


def _called(func: ast.expr) -> str:
    """The dotted name of what is called, also where ``getattr`` puts it together."""
    match func:
        case ast.Call(func=ast.Name("getattr"), args=[owner, name, *_]):
            return f"{ast.unparse(owner)}.{_text(name)}"
    return ast.unparse(func)


def _at_exit(node: ast.Call, name: str, test: bool) -> bool:
    return bool(node.args) and (
        (test and name in ("atexit.register", "weakref.finalize")) or "_exit" in ast.unparse(node)
    )


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: not those in functions or below ``__name__ == "__main__"``."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def _modules(tree: ast.Module, test: bool) -> Iterator[Hold]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Subscript) and ast.unparse(target.value) == "sys.modules":
                literal = isinstance(target.slice, ast.Constant)
                absent = isinstance(node.value, ast.Constant) and node.value.value is None
                if literal and not (test and absent):
                    yield _hold(node, f"sys.modules[{ast.unparse(target.slice)}] is replaced")


def _reports(tree: ast.Module) -> Iterator[Hold]:
    """The file in which the runner says what became of the tests."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.BinOp) and _REPORT.fullmatch(_text(node)):
            yield _hold(node, f"the runner's own report is looked for ({_text(node)})")


def _detections(tree: ast.Module) -> Iterator[Hold]:
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() as text) if id(node) not in docstrings and _TELLTALE.fullmatch(text):
                yield _detects(node, repr(text))
            case ast.Compare(left=ast.Constant(value=str() as text), comparators=[right]) if _RUNNERS.match(text):
                if ast.unparse(right) in (
                    "sys.modules",
                    "sys.argv[0]",
                    "sys.argv",
                    "sys._git",
                ) or "argv" in ast.unparse(right):
                    yield _detects(node, ast.unparse(node))
            case ast.Call(func=func, args=[ast.Constant(value=str() as text), *_]):
                if (ast.unparse(func) in ("sys.modules.get", "sys.modules.__contains__") and _RUNNERS.match(text)) or (
                    ast.unparse(func).endswith(("endswith", "startswith"))
                    and "argv" in ast.unparse(func)
                    and "test" in text
                ):
                    yield _detects(node, ast.unparse(node))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _by_stack(node, docstrings)
                yield from _by_what_is_loaded(node)


def _by_what_is_loaded(node: Function) -> Iterator[Hold]:
    """The runner's name, put together from parts or sought in a loop, beside what tells that it is there."""
    if not _LOADED.search(ast.unparse(node)):
        return
    for one in ast.walk(node):
        if isinstance(one, ast.BinOp | ast.Compare):
            said = _text(one.left if isinstance(one, ast.Compare) else one)
            if _RUNNERS.match(said):
                yield _detects(one, f"{said!r} is looked for")
                return


def _text(node: ast.expr) -> str:
    try:
        return str(values.value(node))
    except values.NotLiteral:
        return ""


def _by_stack(node: Function, docstrings: set[int]) -> Iterator[Hold]:
    text = ast.unparse(node)
    if not any(one in text for one in _STACK):
        return
    for one in ast.walk(node):
        match one:
            case ast.Constant(value=str() as said) if id(one) not in docstrings and "test" in said.lower():
                yield _detects(one, f"the stack is searched for {said!r}")
                return


def _detects(node: ast.expr, what: str) -> Hold:
    return Hold(
        found.DETECTION, node.lineno, f"the code asks whether tests run ({what}); make it do the same in either case"
    )
