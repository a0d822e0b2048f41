"""The coverage formats that are text: coverage.py's JSON report, LCOV and Cobertura's XML."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from xml.parsers import expat

from ralph.verify.strength.recorded import CoverageError, Lines, Recorder

_MAX_DEPTH = 64
_MOST_SOURCES = 100


def read_json(data: bytes, into: Recorder) -> None:
    """``coverage json``, with ``--show-contexts`` also which test ran which line. Raises CoverageError."""
    try:
        top = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CoverageError(f"it is not valid JSON: {error}") from None
    files = top.get("files") if isinstance(top, dict) else None
    if not isinstance(files, Mapping) or not all(isinstance(told, Mapping) for told in files.values()):
        raise CoverageError("it is not coverage.py's JSON report: it has no files")
    for path, told in files.items():
        if (lines := into.file(path)) is not None:
            _json_file(told, lines, into)


def _json_file(told: Mapping[str, object], lines: Lines, into: Recorder) -> None:
    for number in _numbers(told.get("executed_lines")):
        into.hit(lines, number)
    # what a comment in the source excluded from being measured was not executed either
    for number in (*_numbers(told.get("missing_lines")), *_numbers(told.get("excluded_lines", []))):
        into.miss(lines, number)
    contexts = told.get("contexts", {})
    if not isinstance(contexts, Mapping):
        raise CoverageError("its contexts are no table")
    for number, tests in contexts.items():
        if not number.isdecimal() or not isinstance(tests, list) or not all(isinstance(one, str) for one in tests):
            raise CoverageError("its contexts are no lists of names per line")
        for test in tests:
            into.hit(lines, int(number[:12]), test)


def _numbers(value: object) -> Sequence[int]:
    if not isinstance(value, list) or not all(type(number) is int for number in value):
        raise CoverageError("its lines are no list of numbers")
    return value


def read_lcov(data: bytes, into: Recorder) -> None:
    """An LCOV tracefile. Raises CoverageError."""
    lines: Lines | None = None
    inside = False
    for text in data.decode("utf-8", "replace").splitlines():
        kind, _, rest = text.strip().partition(":")
        if kind == "SF":
            if inside:
                raise CoverageError("a record begins before the one before it ended")
            lines, inside = into.file(rest), True
        elif kind == "end_of_record":
            lines, inside = None, False
        elif kind == "DA":
            if not inside:
                raise CoverageError("a line is counted outside of a file's record")
            _lcov_line(rest, lines, into)
    if inside:
        raise CoverageError("it ends in the middle of a record")


def _lcov_line(rest: str, lines: Lines | None, into: Recorder) -> None:
    number, _, count = rest.partition(",")
    count = count.partition(",")[0]
    if not (number.isdecimal() and count.isdecimal() and len(number) < 12):
        raise CoverageError(f"it counts a line in a way that is no number: {rest[:40]}")
    if lines is not None:
        (into.hit if count.strip("0") else into.miss)(lines, int(number))


def read_cobertura(data: bytes, into: Recorder) -> None:
    """Cobertura's XML. Raises CoverageError."""
    reader = _Cobertura(into)
    try:
        reader.parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise CoverageError(f"it is not well-formed XML: {error}") from None


class _Cobertura:
    """Handlers of one parse; nothing but the present class is kept."""

    def __init__(self, into: Recorder) -> None:
        self.into = into
        self.depth = 0
        self.sources: list[str] = []
        self.source: list[str] | None = None
        self.lines: Lines | None = None
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype

    def _doctype(self, *declared: object) -> None:
        # Istanbul and others name Cobertura's; it is never fetched, and only declarations inside it could do harm
        if declared[-1]:
            raise CoverageError("it declares a document type of its own")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise CoverageError("it is nested too deeply")
        if self.depth == 1 and name != "coverage":
            raise CoverageError(f"its top element is <{name[:40]}>, not <coverage>")
        match name:
            case "source" if len(self.sources) < _MOST_SOURCES:
                self.source = []
            case "class":
                self.lines = self._file(attributes.get("filename", ""))
            case "line" if self.lines is not None:
                self._line(attributes, self.lines)

    def _line(self, attributes: Mapping[str, str], lines: Lines) -> None:
        number, hits = attributes.get("number", ""), attributes.get("hits", "")
        if not (number.isdecimal() and hits.isdecimal() and len(number) < 12):
            raise CoverageError(f"it counts a line in a way that is no number: {number[:20]}, {hits[:20]}")
        (self.into.hit if hits.strip("0") else self.into.miss)(lines, int(number))

    def _text(self, text: str) -> None:
        if self.source is not None:
            self.source.append(text)

    def _end(self, name: str) -> None:
        self.depth -= 1
        if name == "source" and self.source is not None:
            self.sources.append("".join(self.source).strip())
            self.source = None
        elif name == "class":
            self.lines = None

    def _file(self, name: str) -> Lines | None:
        """The file of a class: its name is relative to one of the sources, which few writers make absolute."""
        for source in [*self.sources, ""]:
            found = self.into.file(posixpath.join(source, name))
            if found is not None:
                return found
        return None
