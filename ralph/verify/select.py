"""Narrow a test command to some test ids; where that can't be done for certain, the caller runs the whole command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from ralph.verify.gates import PlannedGate

MOST = 400
"""Ids beyond which a command line would grow too long."""
_PYTEST_VALUED = frozenset(
    {
        "-k",
        "-m",
        "-n",
        "-c",
        "-p",
        "-o",
        "-W",
        "-r",
        "--rootdir",
        "--durations",
        "--durations-min",
        "--maxfail",
        "--tb",
    }
    | {
        "--timeout",
        "--dist",
        "--import-mode",
        "--deselect",
        "--ignore",
        "--ignore-glob",
        "--confcutdir",
        "--color",
    }
    | {
        "--log-level",
        "--log-cli-level",
        "--basetemp",
        "--junitxml",
        "--override-ini",
        "--config-file",
        "--numprocesses",
    }
    | {
        "--capture",
        "--show-capture",
        "--verbosity",
        "--random-order-seed",
        "--reruns",
        "--maxprocesses",
        "--seed",
    }
    | {
        "--cov-report",
        "--cov-config",
        "--cov-fail-under",
        "--cov-context",
        "--asyncio-mode",
        "--hypothesis-profile",
    }
)
_PYTEST_DROPPED = re.compile(
    r"-x$|--exitfirst$|--maxfail|-n$|-n\d|--numprocesses|--dist|--cov|--no-cov-on-fail|--lf$|--ff$"
)
_PYTEST_PLAIN = re.compile(
    r"-[qvslxh]+$|-[A-Za-z]\S+$|--[a-z-]+=|--(?:exitfirst|quiet|verbose|strict|strict-markers|strict-config|no-header"
    r"|no-summary|no-cov|cov|cov-append|cov-branch|disable-warnings|showlocals|no-cov-on-fail|lf|ff|sw|cache-clear"
    r"|disable-pytest-warnings|doctest-modules|pyargs|full-trace)$"
)
_NODE_VALUED = frozenset(
    {
        "--import",
        "-r",
        "--require",
        "--loader",
        "--experimental-loader",
        "--env-file",
        "-C",
        "--conditions",
    }
    | {
        "--test-reporter",
        "--test-reporter-destination",
        "--test-name-pattern",
        "--test-skip-pattern",
        "--test-shard",
    }
    | {"--test-concurrency", "--test-timeout", "--max-old-space-size"}
)
"""Options that take the next word with them."""


def select(planned: PlannedGate, ids: Sequence[str]) -> PlannedGate | None:
    """The same gate for the tests ``ids`` only (ids as in its report); None where its runner can't be told so."""
    found = planned.recognised
    narrow = _NARROW.get(found.runner.name) if found else None
    if found is None or narrow is None or not ids or len(ids) > MOST:
        return None
    if planned.gate.shell or planned.gate.cwd or found.at < 0 or found.through:
        return None
    words = narrow(planned.words, found.at, list(dict.fromkeys(ids)))
    if words is None:
        return None
    return replace(planned, gate=planned.gate.model_copy(update={"command": shlex.join(words)}))


def file_of(identity: str) -> str:
    """The part of an id that names where the test is: a path, a module or a package."""
    return identity.partition("::")[0]


def function_of(identity: str) -> str:
    """The test's qualified name without its case: ``Class::name``."""
    return identity.partition("::")[2].partition("[")[0]


def _pytest(words: Sequence[str], at: int, ids: Sequence[str]) -> list[str] | None:
    """Node ids of functions: cases are told apart in the report, their names don't survive every shell and encoding."""
    own = _pytest_options(words[at + 1 :])
    if own is None or not all(file_of(identity).endswith(".py") for identity in ids):
        return None
    nodes = dict.fromkeys(identity.partition("[")[0] for identity in ids)
    return [*words[: at + 1], *own, "--continue-on-collection-errors", *nodes]


def _pytest_options(own: Sequence[str]) -> list[str] | None:
    """The command's options without its paths and without what ends or spreads a run; None where one is not known."""
    kept: list[str] = []
    at = 0
    while at < len(own):
        word = own[at]
        valued = word in _PYTEST_VALUED
        if word == "--" or (word.startswith("-") and not valued and not _PYTEST_PLAIN.match(word)):
            return None
        if word.startswith("-") and not _PYTEST_DROPPED.match(word):
            kept += own[at : at + 1 + valued]
        at += 1 + valued
    return kept


def _unittest(words: Sequence[str], at: int, ids: Sequence[str]) -> list[str] | None:
    options = [word for word in words[at + 1 :] if word in ("-v", "-q", "-b", "--verbose", "--quiet", "--buffer")]
    if any("::" not in identity for identity in ids) or "discover" in words[at + 1 :]:
        return None
    return [
        *words[: at + 1],
        *options,
        *dict.fromkeys(identity.replace("::", ".") for identity in ids),
    ]


def _go(words: Sequence[str], at: int, ids: Sequence[str]) -> list[str] | None:
    """Top-level tests by name, in the packages they are in."""
    own = list(words[at + 1 :])
    if any(word.split("=")[0] in ("-run", "-args", "--args", "-skip") for word in own):
        return None
    names = dict.fromkeys(function_of(identity).partition("/")[0] for identity in ids)
    if not all(re.fullmatch(r"\w+", name) for name in names):
        return None
    return [*words[: at + 1], "-run", f"^({'|'.join(names)})$", *own]


def _node(words: Sequence[str], at: int, ids: Sequence[str]) -> list[str] | None:
    """Whole files: a name pattern of node's runner matches at every level, so names can't be told apart for certain."""
    files = dict.fromkeys(file_of(identity) for identity in ids)
    if not all(re.search(r"\.[cm]?[jt]sx?$", file) for file in files):
        return None
    return [*words[: at + 1], *_node_options(words[at + 1 :]), *files]


def _node_options(own: Sequence[str]) -> list[str]:
    """The options of node with what belongs to them, without the files."""
    kept: list[str] = []
    before = ""
    for word in own:
        if word.startswith("-") or before in _NODE_VALUED:
            kept.append(word)
        before = word
    return kept


def _files_only(words: Sequence[str], at: int, ids: Sequence[str]) -> list[str] | None:
    """vitest, jest: whole files."""
    files = dict.fromkeys(file_of(identity) for identity in ids)
    own = list(words[at + 1 :])
    if not all(re.search(r"\.[cm]?[jt]sx?$", file) for file in files):
        return None
    if any(not word.startswith("-") and word != "run" for word in own):
        return None
    return [*words[: at + 1], *own, *files]


_NARROW: dict[str, Callable[[Sequence[str], int, Sequence[str]], list[str] | None]] = {
    "pytest": _pytest,
    "unittest": _unittest,
    "go": _go,
    "node": _node,
    "vitest": _files_only,
    "jest": _files_only,
}
