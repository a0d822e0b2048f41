"""Recognise the test runner behind a command and say how to get a report of each test out of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from ralph.verify import summaries
from ralph.verify.junit import Report


@dataclass(frozen=True, slots=True)
class Runner:
    """What is known about a test runner."""

    name: str
    source: Literal["file", "tree", "text"]
    """Where its per-test results are: a file it is told to write, files it leaves in the tree, its output."""
    red: frozenset[int] = frozenset({1})
    """Exit codes that mean: tests ran to the end and some failed."""
    empty: frozenset[int] = frozenset()
    """Exit codes that mean: no tests were found."""
    leaves: tuple[str, ...] = ()
    """Globs of the reports that it leaves in the tree."""
    read_text: Callable[[str], Report | None] | None = None


PYTEST = Runner("pytest", "file", empty=frozenset({5}))
UNITTEST = Runner("unittest", "text", empty=frozenset({5}), read_text=summaries.unittest)
VITEST = Runner("vitest", "file")
JEST = Runner("jest", "file")
NODE = Runner("node", "file")
GOTESTSUM = Runner("gotestsum", "file")
GO = Runner("go", "text", read_text=summaries.go)
CARGO = Runner("cargo", "text", red=frozenset({101}), read_text=summaries.cargo)
NEXTEST = Runner("nextest", "text", red=frozenset({100}), empty=frozenset({4}), read_text=summaries.nextest)
MAVEN = Runner(
    "maven", "tree", leaves=("**/target/surefire-reports/TEST-*.xml", "**/target/failsafe-reports/TEST-*.xml")
)
GRADLE = Runner("gradle", "tree", leaves=("**/build/test-results/**/TEST-*.xml",))


@dataclass(frozen=True, slots=True)
class Recognised:
    """A runner found in a command line."""

    runner: Runner
    at: int = -1
    """Index of the word after which the runner's own arguments begin; -1 where they can't be reached (a shell)."""
    through: Literal["", "npm"] = ""
    """npm passes arguments on only after ``--``."""


_WRAPPERS: dict[str, frozenset[str]] = {
    "env": frozenset({"-u", "-C", "-S"}),
    "time": frozenset(),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n"}),
    "xvfb-run": frozenset({"-s", "-n"}),
    "npx": frozenset({"-p", "--package"}),
    "bunx": frozenset(),
    "pnpx": frozenset(),
    "dotenv": frozenset({"-f"}),
    "cross-env": frozenset(),
    "exec": frozenset(),
}
_RUN_WRAPPERS = {
    "uv": frozenset(
        {"--with", "--extra", "--group", "--only-group", "--python", "-p", "--package", "--project", "--directory"}
        | {"--with-requirements", "--env-file", "--index"}
    ),
    "poetry": frozenset({"-C", "--directory", "-P", "--project"}),
    "pdm": frozenset({"-p", "--project"}),
    "pipenv": frozenset(),
    "rye": frozenset(),
    "hatch": frozenset({"-e", "--env"}),
    "conda": frozenset({"-n", "-p", "--name", "--prefix"}),
    "pixi": frozenset({"-e"}),
}
_EXEC_WRAPPERS = {"npm": ("exec", "x"), "pnpm": ("exec", "dlx"), "yarn": ("exec", "dlx"), "bundle": ("exec",)}
_PYTHON_VALUES = frozenset({"-X", "-W", "--check-hash-based-pycs"})
_SHELL_SIGN = re.compile(r"[|&;<>()$`\n]")


def needs_shell(command: str) -> bool:
    """Whether a command line uses anything that only a shell understands."""
    return bool(_SHELL_SIGN.search(command))


def recognise(command: str, shell: bool = False, scripts: Mapping[str, str] | None = None) -> Recognised | None:
    """The test runner that ``command`` starts, or None.

    ``scripts`` are package.json's, for ``npm test`` and the like.
    """
    if not shell:
        return _in_words(_split(command), scripts or {})
    for part in re.split(r"&&|\|\||[|;\n()]", command):
        found = _in_words(_split(part.strip().removeprefix("! ")), scripts or {})
        if found:
            return Recognised(found.runner)
    return None


def package_scripts(package_json: bytes) -> dict[str, str]:
    """The ``scripts`` of a package.json; empty where it has none or can't be read."""
    try:
        found = json.loads(package_json)
    except (ValueError, RecursionError):
        return {}
    scripts = found.get("scripts") if isinstance(found, dict) else None
    return {str(k): v for k, v in scripts.items() if isinstance(v, str)} if isinstance(scripts, dict) else {}


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _in_words(words: Sequence[str], scripts: Mapping[str, str]) -> Recognised | None:
    at = 0
    while at < len(words):
        word, name = words[at], PurePosixPath(words[at]).name
        following = words[at + 1] if at + 1 < len(words) else ""
        if re.fullmatch(r"[A-Za-z_]\w*=.*", word):
            at += 1
        elif name in _WRAPPERS:
            at = _past_options(words, at + 1, _WRAPPERS[name])
        elif name == "timeout":
            at = _past_options(words, at + 1, frozenset({"-k", "-s"})) + 1
        elif name in _RUN_WRAPPERS and "run" in words[at + 1 : at + 6]:
            at = _past_options(words, words.index("run", at) + 1, _RUN_WRAPPERS[name])
        elif name in _EXEC_WRAPPERS and following in _EXEC_WRAPPERS[name]:
            at = _past_options(words, at + 2, frozenset())
        elif name in ("npm", "pnpm", "yarn", "bun"):
            return _script(words, at, scripts)
        elif re.fullmatch(r"(?:python|pypy)[\d.]*", name):
            at = _past_options(words, at + 1, _PYTHON_VALUES, stop="-m")
            if at >= len(words) or words[at] != "-m":
                return None
            at += 1
        elif name == "coverage" and following == "run":
            at = _past_options(words, at + 2, frozenset({"--source", "--rcfile", "--omit", "--include"}), stop="-m")
            at += at < len(words) and words[at] == "-m"
        else:
            return _program(words, at, name, following)
    return None


def _past_options(words: Sequence[str], at: int, valued: frozenset[str], stop: str = "") -> int:
    """Index of the first word from ``at`` on that is no option; ``valued`` options take the next word with them."""
    while at < len(words) and words[at].startswith("-") and words[at] != stop:
        if words[at] == "--":
            return at + 1
        at += 2 if words[at] in valued else 1
    return at


def _script(words: Sequence[str], at: int, scripts: Mapping[str, str]) -> Recognised | None:
    """A package script: followed where its command is a single runner."""
    rest = [word for word in words[at + 1 :] if not word.startswith("-")]
    if not rest:
        return None
    name = rest[1] if rest[0] in ("run", "run-script") and len(rest) > 1 else rest[0]
    name = "test" if name in ("t", "tst") else name
    command = scripts.get(name, "")
    if not command and words[at] in ("pnpm", "yarn"):
        direct = _in_words(words[at + 1 :], {})
        return Recognised(direct.runner, direct.at + at + 1) if direct else None
    found = recognise(command, needs_shell(command))
    if found is None:
        return None
    if found.at < 0:
        return found
    return Recognised(found.runner, len(words) - 1, "npm" if PurePosixPath(words[at]).name == "npm" else "")


def _program(words: Sequence[str], at: int, name: str, following: str) -> Recognised | None:
    match name:
        case "pytest" | "py.test":
            return Recognised(PYTEST, at)
        case "unittest":
            return Recognised(UNITTEST, at)
        case "vitest":
            return Recognised(VITEST, at)
        case "jest":
            return Recognised(JEST, at)
        case "gotestsum":
            return Recognised(GOTESTSUM, at)
        case "go" if following == "test":
            return Recognised(GO, at + 1)
        case "node" if "--test" in words[at:]:
            return Recognised(NODE, words.index("--test", at))
        case "cargo":
            return _cargo(words, at)
        case "mvn" | "mvnw" if {"test", "verify", "install", "package", "integration-test"} & set(words[at:]):
            return Recognised(MAVEN, at)
        case "gradle" | "gradlew" if any(word.rsplit(":", 1)[-1] in ("test", "check", "build") for word in words[at:]):
            return Recognised(GRADLE, at)
    return None


def _cargo(words: Sequence[str], at: int) -> Recognised | None:
    after = [word for word in words[at + 1 :] if not word.startswith(("-", "+"))]
    if after[:1] in (["test"], ["t"]):
        return Recognised(CARGO, words.index(after[0], at))
    if after[:2] == ["nextest", "run"]:
        return Recognised(NEXTEST, words.index("run", at))
    return None


def report_arguments(found: Recognised, words: Sequence[str], report: str) -> tuple[list[str], dict[str, str]]:
    """The command line and the variables that make a recognised runner write its results to the file ``report``.

    Runners behind a shell are told by variables where they listen to them.
    """
    at = found.at
    own = list(words[at + 1 :]) if at >= 0 else []
    options = own[: own.index("--")] if "--" in own else own
    match found.runner.name:
        case "pytest" if at < 0 or "--" in own or found.through:
            wanted = f"--junitxml={shlex.quote(report)} -o junit_family=xunit1"
            return list(words), {"PYTEST_ADDOPTS": wanted}
        case "pytest":
            return [*words, f"--junitxml={report}", "-o", "junit_family=xunit1"], {}
        case "node" if at < 0 or words[at] != "--test":
            return list(words), {
                "NODE_OPTIONS": " ".join(_node_options(json.dumps(report) if " " in report else report))
            }
        case "node":
            return [*words[: at + 1], *_node_options(report), *own], {}
        case "vitest" if at >= 0:
            wanted_words = ["--reporter=default", "--reporter=junit", f"--outputFile.junit={report}"]
            return [*words, *(["--"] if found.through else []), *wanted_words], {}
        case "jest" if at >= 0:
            return [*words, *(["--"] if found.through else []), "--json", f"--outputFile={report}"], {}
        case "gotestsum" if at >= 0:
            return [*words[: at + 1], f"--junitfile={report}", *own], {}
        case "go" if at >= 0 and not {"-v", "-json"} & set(options):
            return [*words[: at + 1], "-v", *own], {}
        case "unittest" if at >= 0 and not {"-v", "--verbose"} & set(options):
            return [*words, "-v"], {}
        case "cargo" | "nextest" if at >= 0 and "--no-fail-fast" not in options:
            return [*words[: at + 1], "--no-fail-fast", *own], {}
    return list(words), {}


def _node_options(report: str) -> list[str]:
    return [
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
        "--test-reporter=junit",
        f"--test-reporter-destination={report}",
    ]


_STOPPED_EARLY = re.compile(
    r"^!+ (?:stopping after|.*Interrupted)|^error: test failed, to rerun pass|^\s+Cancelling due to",
    re.MULTILINE,
)


def stopped_early(log: str, words: Sequence[str]) -> bool:
    """Whether a red run ended before all tests had their turn, so that its silence about the others proves nothing."""
    return bool(_STOPPED_EARLY.search(log)) or any(
        re.match(r"--bail|-x$|--exitfirst|--maxfail|-f$", word) for word in words
    )
