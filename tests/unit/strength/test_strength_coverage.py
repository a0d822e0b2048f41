from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from coverage import CoverageData
from hypothesis import given
from hypothesis import strategies as st

from ralph.verify.strength import recorded
from ralph.verify.strength.coverage import Changed, Coverage, FileCoverage, Unreadable, of_lines, of_statements, read
from ralph.verify.strength.lines import executable

ROOT = "/project"
LCOV = b"""TN:
SF:/project/src/a.js
FN:1,f
DA:1,3
DA:2,0
DA:4,12,checksum
LF:3
end_of_record
SF:src/b.js
DA:7,1
end_of_record
SF:/elsewhere/c.js
DA:1,1
end_of_record
"""
COBERTURA = b"""<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage lines-valid="3"><sources><source>/project/src</source></sources>
<packages><package name="p"><classes><class name="A" filename="p/A.java">
<methods><method name="m"><lines><line number="3" hits="2"/></lines></method></methods>
<lines><line number="3" hits="2" branch="false"/><line number="4" hits="0"/></lines></class></classes></package>
</packages></coverage>"""
REPORT = {
    "meta": {"format": 3},
    "files": {
        "src/a.py": {
            "executed_lines": [1, 2],
            "missing_lines": [4],
            "excluded_lines": [9],
            "contexts": {"1": [""], "2": ["tests/test_a.py::test_x[1]|run", "tests/test_a.py::test_x[1]|setup"]},
        }
    },
}


def files(data: bytes) -> dict[str, FileCoverage]:
    found = read(data, ROOT)
    assert isinstance(found, Coverage), found
    return dict(found.files)


def database(path: Path, arcs: bool = False) -> bytes:
    data = CoverageData(basename=str(path))
    for context, first in (("", 1), ("tests/test_a.py::test_x|run", 2), ("t.test_y", 2)):
        data.set_context(context)
        if arcs:
            data.add_arcs({f"{ROOT}/src/a.py": [(-1, first), (first, 5), (5, -1)]})
        else:
            data.add_lines({f"{ROOT}/src/a.py": [first, 5], "/usr/lib/b.py": [1]})
    data.write()
    return path.read_bytes()


@pytest.mark.parametrize("arcs", [False, True])
def test_a_data_file_says_which_tests_ran_a_line(tmp_path: Path, arcs: bool) -> None:
    both = frozenset({"tests/test_a.py::test_x", "t.test_y"})
    assert files(database(tmp_path / "data", arcs)) == {
        "src/a.py": FileCoverage(frozenset({1, 2, 5}), frozenset(), {2: both, 5: both})
    }


def test_a_json_report_says_the_same_and_what_was_excluded_did_not_run() -> None:
    assert files(json.dumps(REPORT).encode()) == {
        "src/a.py": FileCoverage(frozenset({1, 2}), frozenset({4, 9}), {2: frozenset({"tests/test_a.py::test_x[1]"})})
    }


def test_lcov_and_cobertura_count_lines() -> None:
    assert files(LCOV) == {
        "src/a.js": FileCoverage(frozenset({1, 4}), frozenset({2})),
        "src/b.js": FileCoverage(frozenset({7})),
    }
    assert files(COBERTURA) == {"src/p/A.java": FileCoverage(frozenset({3}), frozenset({4}))}


def test_only_the_paths_of_interest_are_read() -> None:
    found = read(LCOV, ROOT, only={"src/b.js"})
    assert isinstance(found, Coverage)
    assert set(found.files) == {"src/b.js"}


HOSTILE = {
    "nothing": b"",
    "text": b"all lines covered",
    "broken json": b'{"files": ',
    "deep json": b'{"files":' + b"[" * 100_000,
    "other json": b'{"lines": 100}',
    "json without lines": b'{"files": {"a.py": {}}}',
    "json with words for lines": b'{"files": {"a.py": {"executed_lines": ["1"], "missing_lines": []}}}',
    "json with truth for lines": b'{"files": {"a.py": {"executed_lines": [true], "missing_lines": []}}}',
    "json with a negative line": b'{"files": {"a.py": {"executed_lines": [-4], "missing_lines": []}}}',
    "json with odd contexts": b'{"files": {"a.py": {"executed_lines": [], "missing_lines": [], "contexts": {"1": 3}}}}',
    "lcov cut": b"TN:\nSF:a.js\nDA:1,1\n",
    "lcov without a file": b"TN:\nDA:1,1\n",
    "lcov twice": b"SF:a.js\nSF:b.js\nend_of_record\n",
    "lcov negative": b"SF:a.js\nDA:1,-1\nend_of_record\n",
    "lcov huge": b"SF:a.js\nDA:99999999999,1\nend_of_record\n",
    "xml cut": b"<coverage><packages>",
    "other xml": b"<testsuites/>",
    "xml entities": b'<!DOCTYPE coverage [<!ENTITY a "b">]><coverage/>',
    "xml deep": b"<coverage>" + b"<a>" * 100 + b"</a>" * 100 + b"</coverage>",
    "xml without hits": COBERTURA.replace(b'hits="0"', b""),
    "no database": b"SQLite format 3\0" + b"x" * 5000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_a_coverage_file_is_never_a_clean_one(data: bytes) -> None:
    assert isinstance(read(data, ROOT), Unreadable)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE arc",
        "UPDATE coverage_schema SET version = 99",
        "UPDATE line_bits SET numbits = 'text'",
        "UPDATE line_bits SET numbits = zeroblob(700000) || x'01'",
        "ALTER TABLE line_bits RENAME TO old; CREATE VIEW line_bits AS WITH RECURSIVE n(i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 1 AS file_id, 1 AS context_id, x'02' AS numbits FROM n",
    ],
)
def test_a_forged_data_file_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "data"
    database(path)
    connection = sqlite3.connect(path)
    connection.executescript(change)
    connection.close()
    assert isinstance(read(path.read_bytes(), ROOT), Unreadable)


def test_a_small_file_can_not_become_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "MOST_LINES", 1000)
    many = b"SF:a.js\n" + b"DA:1,1\n" * 1001 + b"end_of_record\n"
    assert read(many) == Unreadable("the coverage file can't be read: it has too many lines")


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for start in (b"", b"{", b"<coverage>", b"TN:\n", b"SF:a\nDA:"):
        assert isinstance(read(start + data), Coverage | Unreadable)


def test_a_cut_or_bitten_data_file_is_no_surprise(tmp_path: Path) -> None:
    whole = database(tmp_path / "data")
    for at in range(0, len(whole), 997):
        assert isinstance(read(whole[:at]), Coverage | Unreadable)
        bitten = bytearray(whole)
        bitten[at] ^= 0xFF
        assert isinstance(read(bytes(bitten)), Coverage | Unreadable)


def test_a_statement_ran_where_any_of_its_lines_did() -> None:
    statements = executable(b"x = f(\n    1,\n    2,\n)\ny = 1\n", {3, 5})
    assert statements is not None
    ran = FileCoverage(frozenset({2}), frozenset(), {2: frozenset({"t"})})
    found = of_statements(statements, ran)
    assert (found.covered, found.uncovered) == ((1,), (5,))
    assert found.tests == {line: frozenset({"t"}) for line in (1, 2, 3, 4)}
    assert of_statements(statements, None) == Changed((), (1, 5), {}, frozenset({1, 2, 3, 4, 5}))


def test_lines_of_other_languages_are_those_that_the_file_knows() -> None:
    seen = FileCoverage(frozenset({1, 4}), frozenset({2}))
    assert of_lines({1, 2, 3}, seen) == Changed((1,), (2,), {1: frozenset()})
    assert of_lines({1}, None) == Changed()
