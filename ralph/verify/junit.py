"""Read per-test reports, JUnit XML and jest's JSON, written by programs that are not trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from junitparser import Error, Failure, Skipped, TestCase

from ralph.core.inert import line
from ralph.domain import TestCounts, TestFailure
from ralph.errors import RalphError
from ralph.host.files import read_regular
from ralph.verify.excerpt import first_lines

MAX_BYTES = 20_000_000
_MAX_DEPTH = 64
_MAX_CASES = 200_000
_MAX_FAILURES = 200
_LONGEST_NAME = 1_000
_WORSE = {"passed": 0, "xfailed": 1, "skipped": 2, "failed": 3}
_GENERIC = re.compile(
    r"collection failure|collection skipped|failed on (?:setup|teardown) with|test (?:setup|teardown) failure"
)


class ReportError(RalphError):
    """A report that is not one: too large, not well-formed, or with a document type."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run said about each of its tests."""

    counts: TestCounts
    failures: tuple[TestFailure, ...] = ()
    outcomes: dict[str, str] = field(default_factory=dict)
    """Per test id ``file::class::name`` (as far as the runner says so): passed, failed, skipped, xfailed."""


def report_of(cases: Iterable[tuple[str, str, str]]) -> Report:
    """A report from (id, outcome, message) triples; of two with one id the worse counts."""
    outcomes: dict[str, str] = {}
    messages: dict[str, str] = {}
    for identity, outcome, message in cases:
        if identity not in outcomes or _WORSE[outcome] > _WORSE[outcomes[identity]]:
            outcomes[identity] = outcome
        if outcome == "failed":
            messages.setdefault(identity, message)
    values = list(outcomes.values())
    expected = values.count("xfailed")
    silent = values.count("skipped") + expected
    counts = TestCounts(len(values), values.count("passed"), values.count("failed"), silent, expected)
    return Report(counts, tuple(TestFailure(*item) for item in list(messages.items())[:_MAX_FAILURES]), outcomes)


def read(path: Path, root: str = "") -> Report | None:
    """The report in a file, or in all XML files of a directory; None where there is none.

    ``root`` is the tree's path as the runner saw it: ids are relative to it. Raises ReportError.
    """
    if path.is_symlink() or not path.exists():
        return None
    files = sorted(path.rglob("*.xml")) if path.is_dir() else [path]
    if not files:
        return None
    return report_of(case for file in files for case in _cases(_bytes(file), root))


def parse(data: bytes, root: str = "") -> Report:
    """The report in ``data``. Raises ReportError."""
    return report_of(_cases(data, root))


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_BYTES)
    except RalphError as error:
        raise ReportError(error.message) from error


def _cases(data: bytes, root: str) -> Iterator[tuple[str, str, str]]:
    if data.lstrip()[:1] == b"{":
        return _jest_cases(data, root)
    return _xml_cases(data, root)


def _xml_cases(data: bytes, root: str) -> Iterator[tuple[str, str, str]]:
    _refuse_tricks(data)
    top = ElementTree.fromstring(data)
    if top.tag not in ("testsuites", "testsuite"):
        raise ReportError(f"the report's top element is <{str(top.tag)[:40]}>, not <testsuites>")
    for suites, element in _walk(top):
        case: TestCase = TestCase.fromelem(element)  # type: ignore[no-untyped-call]
        identity = _identity(case, element.get("file") or "", suites, root)
        results = case.result
        if worst := next((result for result in results if isinstance(result, (Failure, Error))), None):
            yield identity, "failed", _message(worst)
        else:
            yield identity, _silence(results), ""


def _silence(results: Iterable[object]) -> str:
    """Passed, unless the test was skipped, or failed as it was expected to (which pytest writes as a kind of skip)."""
    skips = [result for result in results if isinstance(result, Skipped)]
    if not skips:
        return "passed"
    return "xfailed" if any(skip.type == "pytest.xfail" for skip in skips) else "skipped"


def _walk(top: ElementTree.Element) -> Iterator[tuple[tuple[str, ...], ElementTree.Element]]:
    for child in top:
        if child.tag == "testcase":
            yield (), child
        elif child.tag == "testsuite":
            for suites, case in _walk(child):
                yield (child.get("name") or "", *suites), case


def _refuse_tricks(data: bytes) -> None:
    """Raise ReportError for what is not well-formed, has a document type or nests without end."""
    parser = expat.ParserCreate()
    depth = cases = 0

    def doctype(*_: object) -> None:
        raise ReportError("the report declares a document type")

    def start(name: str, _: object) -> None:
        nonlocal depth, cases
        depth += 1
        cases += name == "testcase"
        if depth > _MAX_DEPTH or cases > _MAX_CASES:
            raise ReportError("the report is nested too deeply or has too many tests")

    def end(_: object) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise ReportError(f"the report is not well-formed XML: {error}") from None


def _identity(case: TestCase, file: str, suites: tuple[str, ...], root: str) -> str:
    """``file::class::name``, like pytest's node id, as far as the report tells; stable over runs."""
    name, place = line(case.name or "", _LONGEST_NAME), line(case.classname or "", _LONGEST_NAME)
    file = _relative(line(file, _LONGEST_NAME), root)
    if place == "test" and suites:  # node's runner: the suites are the enclosing tests
        return "::".join(part for part in (file, " > ".join((*suites, name))) if part)
    if file.endswith(".py"):
        module = file[:-3].replace("/", ".")
        if name == module and not place:
            return file
        inner = place[len(module) :].strip(".") if place == module or place.startswith(module + ".") else place
        return "::".join([file, *(inner.split(".") if inner else []), name])
    place = _relative(place, root)
    if name == place or not place:
        return "::".join(part for part in (file if file != name else "", name) if part)
    return f"{place}::{name}"


def _relative(path: str, root: str) -> str:
    inside = root.rstrip("/") + "/"
    return path.removeprefix(inside) if root else path


def _message(result: Failure | Error) -> str:
    message, text = str(result.message or ""), str(result.text or "")
    if message and not _GENERIC.match(message):
        return first_lines("\n".join([message, *_location(text)]))
    told = [said[1:].strip() for said in text.splitlines() if said.startswith("E ")]
    return first_lines("\n".join([message, *(told or [text])]))


def _location(text: str) -> list[str]:
    """The last line of a traceback that names file and line."""
    places = [said.strip() for said in text.splitlines() if re.match(r"\S+:\d+(?::|$)", said)]
    return places[-1:]


def _jest_cases(data: bytes, root: str) -> Iterator[tuple[str, str, str]]:
    try:
        top = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"the report is not valid JSON: {error}") from None
    if not isinstance(top, dict) or not isinstance(top.get("testResults"), list):
        raise ReportError("the report is not jest's: it has no testResults")
    for result in top["testResults"][:_MAX_CASES]:
        if isinstance(result, Mapping):
            yield from _jest_file(result, _relative(str(result.get("name", "")), root))


def _jest_file(result: Mapping[str, object], file: str) -> Iterator[tuple[str, str, str]]:
    cases = result.get("assertionResults")
    cases = cases if isinstance(cases, list) else []
    for case in cases[:_MAX_CASES]:
        if not isinstance(case, Mapping):
            continue
        titles = [*case.get("ancestorTitles", ()), case.get("title", "")]
        told = case.get("failureMessages") or [""]
        outcome = {"passed": "passed", "failed": "failed"}.get(str(case.get("status")), "skipped")
        yield f"{file}::{' > '.join(map(str, titles))}", outcome, first_lines("\n".join(map(str, told)))
    if result.get("status") == "failed" and not any(
        isinstance(c, Mapping) and c.get("status") == "failed" for c in cases
    ):
        yield file, "failed", first_lines(str(result.get("message", "")))
