"""Debug leftovers in changed lines: named, never blocking."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ralph.domain import Finding
from ralph.verify.guards.tampering import files, found, lines
from ralph.verify.guards.tampering.files import File

_SPEAKS = re.compile(
    r"(?:^|/)(?:cli|commands?|bin|scripts?|tools?|examples?|bench\w*|demo|docs|management)(?:/|\.py$|\.\w+$)"
    r"|(?:^|/)(?:__main__|main|setup|manage|cmd|console|noxfile|fabfile|conf)(?:\.\w+|/)"
)
_DEBUGGERS = frozenset(
    [
        "breakpoint",
        "pdb.set_trace",
        "ipdb.set_trace",
        "pudb.set_trace",
        "pdb.post_mortem",
        "code.interact",
        "ic",
        "debugpy.listen",
    ]
)

_WORTH_READING = re.compile(r"print|breakpoint|pdb|debug|interact|ic\(|console|dbg!|Println|Printf|println")


def findings(changed: Sequence[File]) -> list[Finding]:
    """A note for each print, breakpoint or log call in a line that the change adds."""
    return [one for file in changed if file.new is not None for one in _of(file, file.new)]


def _of(file: File, text: str) -> Iterator[Finding]:
    if not _WORTH_READING.search(text):
        return
    fresh = lines.changed_lines(file.old, text)
    if file.suffix in files.PYTHON:
        seen = _python(file, text)
    elif file.suffix in files.TREES:
        from ralph.verify.guards.tampering.trees import comments

        seen = comments.debugging(file.suffix, text, speaks=bool(_SPEAKS.search(file.path)))
    else:
        return
    for line, what in seen:
        if line in fresh:
            yield Finding(found.LEFTOVER, file.path, f"a debug leftover? {what}", line, note=True)


def _python(file: File, text: str) -> Iterator[tuple[int, str]]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    speaks = bool(_SPEAKS.search(file.path)) or "__main__" in text or "print(" in (file.old or "")
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func):
                name = ast.unparse(func)
                if name in _DEBUGGERS or (name in ("print", "pprint", "pprint.pprint") and not speaks):
                    yield node.lineno, f"{name}()"
            case ast.Import(names=names) if any(one.name in ("pdb", "ipdb", "pudb") for one in names):
                yield node.lineno, f"import {names[0].name}"
