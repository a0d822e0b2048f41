"""Found first by every interpreter of a measured test run: starts coverage.py, then the project's own sitecustomize.

Runs in the project's interpreter, which may be an older one, with the project's packages or, for coverage.py alone,
the daemon's.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys


def _measure() -> None:
    try:
        import coverage
    except ImportError:
        place = os.environ["RALPH_COVERAGE_AT"]
        sys.path.append(place)
        try:
            import coverage
            import coverage.control
        finally:
            sys.path.remove(place)
    if sys.version_info >= (3, 14) and importlib.util.find_spec("coverage.tracer"):
        os.environ.setdefault("COVERAGE_CORE", "ctrace")  # the faster one can't keep tests apart
    os.environ["COVERAGE_PROCESS_START"] = os.environ["RALPH_COVERAGE_RC"]
    try:
        coverage.process_startup()
    finally:
        del os.environ["COVERAGE_PROCESS_START"]


def _go_on() -> None:
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (must start fast)
    others = [path for path in sys.path if os.path.abspath(path) != here]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _planted() -> None:
    import ralph_planted  # type: ignore[import-not-found]

    ralph_planted.plant(*os.environ["RALPH_STRENGTH_PLANTED"].split("\n"))


if "RALPH_COVERAGE_RC" in os.environ:
    _measure()
if "RALPH_STRENGTH_PLANTED" in os.environ:
    _planted()
_go_on()
