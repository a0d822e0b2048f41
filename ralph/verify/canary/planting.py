"""How a failing test gets into a run of pytest or unittest without a change of anything that the run says otherwise."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ralph.verify.runners import Recognised

_SOURCES = {"pytest": "for_pytest.py", "unittest": "for_unittest.py"}


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted test. Both names are random: nothing in a tree can be ready for them."""

    test: str
    """Name of the test, the last part of its id."""
    module: str
    """Name of the module that plants it; its file lies in ``directory``."""
    directory: str
    """As the command sees it; nothing else is in it."""


def rides_along(found: Recognised | None) -> bool:
    """Whether the runner can carry a failing test whose failure is taken out of its exit code again."""
    if found is None:
        return False
    return found.runner.name == "pytest" or (found.runner.name == "unittest" and found.at >= 0 and not found.through)


def make(found: Recognised, token: str, directory: str) -> tuple[Canary, str]:
    """The canary of one execution and the text of its module. ``token``: random hex, never used before."""
    half = len(token) // 2
    canary = Canary(f"test_{token[:half]}", f"m{token[half:]}", directory)
    source = _source(_SOURCES[found.runner.name]).replace("test_planted", canary.test)
    # without a file of its own there is no line that coverage could count
    return canary, f"exec(compile({source!r}, '<planted>', 'exec'))  # pragma: no cover\n"


@cache
def _source(name: str) -> str:
    return (Path(__file__).parent / "planted" / name).read_text(encoding="utf-8")


def arguments(
    found: Recognised, canary: Canary, words: Sequence[str], told: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The command line and variables ``told`` so far, with what loads the canary added. PYTHONPATH is to be appended.

    Words of the runner's own come last, as ``runners.report_arguments`` leaves them.
    """
    told = {**told, "PYTHONPATH": canary.directory}
    if found.runner.name == "unittest":
        return [*words[: found.at], canary.module, *words[found.at + 1 :]], told
    if found.at < 0 or found.through or "--" in words[found.at + 1 :]:
        before = told.get("PYTEST_ADDOPTS", "")
        return list(words), {
            **told,
            "PYTEST_ADDOPTS": f"{before} -p {shlex.quote(canary.module)}".strip(),
        }
    return [*words, "-p", canary.module], told
