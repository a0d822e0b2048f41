# ruff: noqa: E501 (recorded reports)
from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.domain import TestCounts
from ralph.verify import junit
from ralph.verify.junit import ReportError

PYTEST = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" tests="7">
<testcase classname="" name="tests.test_b" file="tests/test_b.py"><error message="collection failure">ImportError while importing
E   ModuleNotFoundError: No module named 'nothere'</error></testcase>
<testcase classname="tests.test_a.TestC" name="test_x[a::b]" file="tests/test_a.py" line="2"><failure message="AssertionError: assert 'a::b' == 1">self = x

&gt;   def test_x(self,x): assert x==1
E   AssertionError: assert 'a::b' == 1

tests/test_a.py:4: AssertionError</failure></testcase>
<testcase classname="tests.test_a.TestC" name="test_x[1]" file="tests/test_a.py" line="2" />
<testcase classname="tests.test_a" name="test_skip" file="tests/test_a.py"><skipped type="pytest.skip" message="no">x</skipped></testcase>
<testcase classname="tests.test_a" name="test_teardown" file="tests/test_a.py" />
<testcase classname="tests.test_a" name="test_teardown" file="tests/test_a.py"><error message="failed on teardown with &quot;ValueError&quot;">E       ValueError: late</error></testcase>
<testcase classname="tests.test_a" name="test_xf" file="tests/test_a.py"><skipped type="pytest.xfail" message="" /></testcase>
</testsuite></testsuites>"""

VITEST = """<testsuites name="vitest tests"><testsuite name="src/a.test.js">
<testcase classname="src/a.test.js" name="outer &gt; good"></testcase>
<testcase classname="src/a.test.js" name="outer &gt; bad"><failure message="expected 1 to be 2">AssertionError</failure></testcase>
</testsuite><testsuite name="src/b.test.js"><testcase classname="src/b.test.js" name="src/b.test.js">
<failure message="Failed to parse source">x</failure></testcase></testsuite></testsuites>"""

NODE = """<testsuites><testsuite name="outer"><testsuite name="mid">
<testcase name="inner" classname="test"><failure message="1 == 2">Error</failure></testcase></testsuite>
<testcase name="ok" classname="test"/></testsuite>
<testcase name="s" classname="test"><skipped message="true"/></testcase></testsuites>"""

SUREFIRE = """<testsuite name="com.x.FooTest" tests="3">
<testcase name="works" classname="com.x.FooTest" time="0.1"/>
<testcase name="flaky" classname="com.x.FooTest"><flakyFailure message="once">x</flakyFailure></testcase>
<testcase name="broken" classname="com.x.FooTest"><error message="boom" type="java.lang.Error">at Foo</error></testcase></testsuite>"""


def test_pytest_ids_are_node_ids_and_the_worse_of_two_counts() -> None:
    report = junit.parse(PYTEST.encode())
    assert report.outcomes == {
        "tests/test_b.py": "failed",
        "tests/test_a.py::TestC::test_x[a::b]": "failed",
        "tests/test_a.py::TestC::test_x[1]": "passed",
        "tests/test_a.py::test_skip": "skipped",
        "tests/test_a.py::test_teardown": "failed",
        "tests/test_a.py::test_xf": "xfailed",
    }
    assert report.counts == TestCounts(6, 1, 3, 2, 1)
    messages = {failure.id: failure.message for failure in report.failures}
    assert messages["tests/test_a.py::TestC::test_x[a::b]"] == (
        "AssertionError: assert 'a::b' == 1\ntests/test_a.py:4: AssertionError"
    )
    assert messages["tests/test_b.py"] == "collection failure\nModuleNotFoundError: No module named 'nothere'"
    assert messages["tests/test_a.py::test_teardown"].endswith("ValueError: late")


@pytest.mark.parametrize("marks", [("<failure/>", ""), ("", "<failure/>"), ("<skipped/>", "<error/>")])
def test_of_two_results_with_one_id_the_worse_counts(marks: tuple[str, str]) -> None:
    cases = "".join(f'<testcase classname="c" name="a">{mark}</testcase>' for mark in marks)
    report = junit.parse(f"<testsuites>{cases}</testsuites>".encode())
    assert report.outcomes == {"c::a": "failed"} and report.counts == TestCounts(1, 0, 1, 0)


def test_ids_of_other_runners() -> None:
    assert junit.parse(VITEST.encode()).outcomes == {
        "src/a.test.js::outer > good": "passed",
        "src/a.test.js::outer > bad": "failed",
        "src/b.test.js": "failed",
    }
    assert junit.parse(NODE.encode()).outcomes == {
        "outer > mid > inner": "failed",
        "outer > ok": "passed",
        "test::s": "skipped",
    }
    assert junit.parse(SUREFIRE.encode()).outcomes == {
        "com.x.FooTest::works": "passed",
        "com.x.FooTest::flaky": "passed",
        "com.x.FooTest::broken": "failed",
    }


def test_jest_reports_as_json() -> None:
    cases = [
        {"ancestorTitles": ["outer"], "title": "good", "status": "passed", "failureMessages": []},
        {"ancestorTitles": [], "title": "bad", "status": "failed", "failureMessages": ["Error: 1 is not 2\n at x"]},
        {"ancestorTitles": [], "title": "later", "status": "todo"},
    ]
    results = [
        {"name": "/work/src/a.test.js", "status": "failed", "assertionResults": cases},
        {"name": "/work/src/b.test.js", "status": "failed", "assertionResults": [], "message": "Syntax error"},
    ]
    report = junit.parse(json.dumps({"testResults": results}).encode(), root="/work")
    assert report.outcomes == {
        "src/a.test.js::outer > good": "passed",
        "src/a.test.js::bad": "failed",
        "src/a.test.js::later": "skipped",
        "src/b.test.js": "failed",
    }
    assert report.failures[0].message.startswith("Error: 1 is not 2")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"not xml",
        b"<testsuites><testsuite>",
        b"<html></html>",
        b"{",
        b'{"a": 1}',
        b'<!DOCTYPE x [<!ENTITY a "b">]><testsuites>&a;</testsuites>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuites/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><testsuites/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="nonsense"?><testsuites/>',
        b"<testsuites>" * 70 + b"</testsuites>" * 70,
        b"[" * 100_000,
        b"{" + b'"a":[' * 100_000,
        b"\x00\xff\xfe",
    ],
)
def test_what_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(ReportError):
        junit.parse(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_report_or_refused(data: bytes) -> None:
    try:
        junit.parse(data)
    except ReportError:
        pass


@given(
    st.dictionaries(
        st.text(max_size=6), st.recursive(st.none() | st.integers() | st.text(max_size=4), st.lists, max_leaves=8)
    )
)
def test_any_json_is_a_report_or_refused(value: dict[str, object]) -> None:
    try:
        junit.parse(json.dumps({"testResults": [value, {"assertionResults": [value], **value}], **value}).encode())
    except ReportError:
        pass


def test_control_characters_stay_out_of_ids_and_messages() -> None:
    data = '<testsuites><testcase classname="a" name="x&#10;y\u202e"><failure message="\u200bm&#13;n"/></testcase></testsuites>'
    report = junit.parse(data.encode())
    assert report.outcomes == {"a::x y": "failed"}
    assert report.failures[0].message == "m\nn"


def test_a_directory_of_reports_is_one_report(tmp_path: Path) -> None:
    (tmp_path / "1.xml").write_text(SUREFIRE)
    (tmp_path / "2.xml").write_text(VITEST)
    report = junit.read(tmp_path)
    assert report is not None and report.counts == TestCounts(6, 3, 3, 0)


def test_no_report_is_none_and_a_link_is_none(tmp_path: Path) -> None:
    assert junit.read(tmp_path / "missing.xml") is None
    assert junit.read(tmp_path) is None
    (tmp_path / "real.txt").write_text(SUREFIRE)
    (tmp_path / "link.xml").symlink_to(tmp_path / "real.txt")
    assert junit.read(tmp_path / "link.xml") is None


def test_a_report_has_a_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit, "MAX_BYTES", 100)
    (tmp_path / "a.xml").write_text(SUREFIRE)
    with pytest.raises(ReportError, match="larger"):
        junit.read(tmp_path / "a.xml")


def test_five_thousand_cases_are_quick() -> None:
    cases = "".join(
        f'<testcase classname="tests.m{n % 40}" name="test_{n}" file="tests/m{n % 40}.py"/>' for n in range(5_000)
    )
    started = time.perf_counter()
    assert junit.parse(f"<testsuites><testsuite>{cases}</testsuite></testsuites>".encode()).counts.collected == 5_000
    assert time.perf_counter() - started < 2
