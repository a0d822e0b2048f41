# ruff: noqa: E501 (recorded output)
from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.domain import TestCounts
from ralph.verify import summaries
from ralph.verify.runners import Recognised, needs_shell, package_scripts, recognise, report_arguments, stopped_early

SCRIPTS = {
    "test": "vitest run",
    "unit": "jest --ci",
    "both": "tsc && jest",
    "native": "node --test test/",
    "odd": "./x.sh",
}


@pytest.mark.parametrize(
    ("command", "runner"),
    [
        ("pytest -q", "pytest"),
        ("py.test", "pytest"),
        ("python -m pytest tests", "pytest"),
        ("python3.12 -X dev -W error -m pytest", "pytest"),
        (".venv/bin/python -m pytest", "pytest"),
        (".venv/bin/pytest", "pytest"),
        ("uv run pytest -q", "pytest"),
        ("uv run --frozen --group dev python -m pytest", "pytest"),
        ("uv --quiet run pytest", "pytest"),
        ("poetry run pytest", "pytest"),
        ("hatch run pytest", "pytest"),
        ("coverage run -m pytest", "pytest"),
        ("python -m coverage run --branch -m pytest", "pytest"),
        ("env A=1 B=2 pytest", "pytest"),
        ("A=1 timeout -k 5 60 nice -n 5 pytest", "pytest"),
        ("xvfb-run -a pytest", "pytest"),
        ("python -m unittest discover -s tests", "unittest"),
        ("coverage run -m unittest", "unittest"),
        ("npx vitest run", "vitest"),
        ("npx --yes vitest run", "vitest"),
        ("node_modules/.bin/vitest run", "vitest"),
        ("pnpm exec jest", "jest"),
        ("yarn jest", "jest"),
        ("jest --ci", "jest"),
        ("npm test", "vitest"),
        ("npm run unit", "jest"),
        ("npm run -s unit", "jest"),
        ("yarn unit", "jest"),
        ("pnpm test", "vitest"),
        ("npm run both", "jest"),
        ("npm run native", "node"),
        ("node --test", "node"),
        ("node --import tsx --test test/*.ts", "node"),
        ("go test ./...", "go"),
        ("gotestsum -- ./...", "gotestsum"),
        ("cargo test --workspace", "cargo"),
        ("cargo +nightly test", "cargo"),
        ("cargo nextest run", "nextest"),
        ("mvn -B test", "maven"),
        ("./mvnw -q verify", "maven"),
        ("gradle test", "gradle"),
        ("./gradlew :app:test", "gradle"),
        ("make test", None),
        ("tox -e py311", None),
        ("npm run odd", None),
        ("npm run missing", None),
        ("npm ci", None),
        ("python setup.py build", None),
        ("python -c 'import pytest'", None),
        ("go vet ./...", None),
        ("cargo clippy", None),
        ("mvn compile", None),
        ("echo pytest", None),
        ("ruff check .", None),
        ("", None),
        ("'unbalanced", None),
    ],
)
def test_the_runner_behind_a_command(command: str, runner: str | None) -> None:
    found = recognise(command, scripts=SCRIPTS)
    assert (found.runner.name if found else None) == runner


@pytest.mark.parametrize(
    ("command", "runner"),
    [
        ("cd sub && pytest -q", "pytest"),
        ("pytest -q | tee log", "pytest"),
        ("make build; go test ./...", "go"),
        ("(cargo test)", "cargo"),
        ("echo pytest", None),
    ],
)
def test_the_runner_inside_a_shell_command(command: str, runner: str | None) -> None:
    found = recognise(command, shell=True)
    assert (found.runner.name if found else None) == runner
    assert found is None or found.at == -1


def told(command: str, shell: bool = False) -> tuple[list[str], dict[str, str]]:
    found = recognise(command, shell, SCRIPTS)
    assert found is not None
    return report_arguments(found, [command] if shell else command.split(), "/r/j.xml")


NODE = (
    "--test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit --test-reporter-destination=/r/j.xml"
)
VITEST = "--reporter=default --reporter=junit --outputFile.junit=/r/j.xml"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pytest -q", "pytest -q --junitxml=/r/j.xml -o junit_family=xunit1"),
        ("uv run pytest", "uv run pytest --junitxml=/r/j.xml -o junit_family=xunit1"),
        ("npx vitest run", f"npx vitest run {VITEST}"),
        ("npm test", f"npm test -- {VITEST}"),
        ("yarn test", f"yarn test {VITEST}"),
        ("npm run unit", "npm run unit -- --json --outputFile=/r/j.xml"),
        ("node --test a.js", f"node --test {NODE} a.js"),
        ("gotestsum -- ./...", "gotestsum --junitfile=/r/j.xml -- ./..."),
        ("go test ./...", "go test -v ./..."),
        ("go test -v ./...", "go test -v ./..."),
        ("python -m unittest", "python -m unittest -v"),
        ("cargo test -- --test-threads=1", "cargo test --no-fail-fast -- --test-threads=1"),
        ("cargo nextest run", "cargo nextest run --no-fail-fast"),
        ("mvn -B test", "mvn -B test"),
    ],
)
def test_what_is_added_to_get_a_report(command: str, expected: str) -> None:
    assert told(command) == (expected.split(), {})


def test_runners_out_of_reach_are_told_by_variables() -> None:
    pytest_variables = {"PYTEST_ADDOPTS": "--junitxml=/r/j.xml -o junit_family=xunit1"}
    assert told("cd a && pytest", shell=True) == (["cd a && pytest"], pytest_variables)
    assert told("pytest -- tests") == (["pytest", "--", "tests"], pytest_variables)
    assert told("npm run native") == (["npm", "run", "native"], {"NODE_OPTIONS": NODE})
    assert told("cd a && jest", shell=True) == (["cd a && jest"], {})


@given(st.text(max_size=60), st.booleans())
def test_any_command_is_recognised_or_not(command: str, shell: bool) -> None:
    found = recognise(command, shell, SCRIPTS)
    assert found is None or isinstance(found, Recognised)
    needs_shell(command)


def test_scripts_of_a_package() -> None:
    assert package_scripts(b'{"scripts": {"test": "jest", "n": 3}}') == {"test": "jest"}
    assert package_scripts(b"[]") == package_scripts(b"{") == package_scripts(b'{"scripts": 1}') == {}


@pytest.mark.parametrize(
    ("log", "words", "early"),
    [
        ("!!!!!!!!!!!! stopping after 1 failures !!!!!!!!!!!!", [], True),
        ("!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!", [], True),
        ("error: test failed, to rerun pass `--lib`", [], True),
        ("error: 1 target failed:\n    `--lib`", [], False),
        ("1 failed, 2 passed in 0.1s", ["pytest", "-q"], False),
        ("", ["pytest", "-x"], True),
        ("", ["jest", "--bail"], True),
    ],
)
def test_runs_that_stop_early_are_known(log: str, words: list[str], early: bool) -> None:
    assert stopped_early(log, words) is early


UNITTEST = """test_bad (unittest.loader._FailedTest.test_bad) ... ERROR
test_doc (test_m.C.test_doc)
Documented. ... FAIL
test_ok (test_m.C.test_ok) ... ok
test_s (test_m.C.test_s) ... skipped 'no'
test_x (test_m.C.test_x) ... expected failure

======================================================================
ERROR: test_bad (unittest.loader._FailedTest.test_bad)
----------------------------------------------------------------------
ImportError: Failed to import test module: test_bad
ModuleNotFoundError: No module named 'nothing_here'

======================================================================
FAIL: test_doc (test_m.C.test_doc)
Documented.
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/tmp/test_m.py", line 6, in test_doc
AssertionError: 1 != 2

----------------------------------------------------------------------
Ran 5 tests in 0.001s

FAILED (failures=1, errors=1, skipped=1, expected failures=1)
"""


def test_unittest_is_read_from_its_output() -> None:
    report = summaries.unittest(UNITTEST)
    assert report is not None
    assert report.counts == TestCounts(5, 1, 2, 2)
    assert report.outcomes == {
        "unittest.loader._FailedTest::test_bad": "failed",
        "test_m.C::test_doc": "failed",
        "test_m.C::test_ok": "passed",
        "test_m.C::test_s": "skipped",
        "test_m.C::test_x": "skipped",
    }
    assert report.failures[1].message.endswith("AssertionError: 1 != 2")


@pytest.mark.parametrize(
    ("log", "counts"),
    [
        ("\n----\nRan 0 tests in 0.000s\n\nOK\n", TestCounts()),
        ("\nRan 0 tests in 0.000s\n\nNO TESTS RAN\n", TestCounts()),
        ("Ran 3 tests in 0.1s\n\nOK (skipped=3)\n", TestCounts(3, 0, 0, 3)),
        ("Ran 9 tests in 1s\n\nOK\ninner\nRan 2 tests in 0.1s\n\nFAILED (failures=1)\n", TestCounts(2, 1, 1, 0)),
        ("Ran 3 tests in 0.1s\n", None),
        ("test_a (m.C.test_a) ... ", None),
    ],
)
def test_unittest_summaries(log: str, counts: TestCounts | None) -> None:
    report = summaries.unittest(log)
    assert (report.counts if report else None) == counts


GO = """=== RUN   TestA
=== RUN   TestA/sub_one
    a_test.go:3: bad
--- FAIL: TestA (0.00s)
    --- FAIL: TestA/sub_one (0.00s)
=== RUN   TestB
hello--- PASS: TestB (0.00s)
--- SKIP: TestS (0.00s)
FAIL
FAIL\tex.com/m\t0.002s
?   \tex.com/m/p\t[no test files]
=== RUN   TestQ
--- PASS: TestQ (0.00s)
PASS
ok  \tex.com/m/q\t(cached)
# ex.com/m/r [ex.com/m/r.test]
r/r_test.go:3:27: undefined: x
FAIL\tex.com/m/r [build failed]
testing: warning: no tests to run
PASS
ok  \tex.com/m/z\t0.001s [no tests to run]
FAIL
"""


def test_go_is_read_from_its_output() -> None:
    report = summaries.go(GO)
    assert report is not None
    assert report.outcomes == {
        "ex.com/m::TestA": "failed",
        "ex.com/m::TestA/sub_one": "failed",
        "ex.com/m::TestB": "passed",
        "ex.com/m::TestS": "skipped",
        "ex.com/m/q::TestQ": "passed",
        "ex.com/m/r::[build failed]": "failed",
    }
    messages = {failure.id: failure.message for failure in report.failures}
    assert "a_test.go:3: bad" in messages["ex.com/m::TestA"]
    assert "undefined: x" in messages["ex.com/m/r::[build failed]"]


def test_go_without_v_is_read_by_package_and_no_test_files_are_no_tests() -> None:
    report = summaries.go("ok  \tex.com/m\t0.1s\nFAIL\tex.com/n\t0.1s\nFAIL\n")
    assert report is not None and report.outcomes == {"ex.com/m": "passed", "ex.com/n": "failed"}
    nothing = summaries.go("?   \tex.com/m\t[no test files]\n")
    assert nothing is not None and nothing.counts == TestCounts()
    assert summaries.go("go: cannot find main module") is None


CARGO = """   Compiling m v0.1.0 (/tmp/v_rs)
     Running unittests src/lib.rs (target/debug/deps/m-81c9f5d764ef8bf2)

running 4 tests
test tests::a ... ok
test tests::c ... ignored
test tests::b ... FAILED
test tests::d - should panic ... ok

failures:

---- tests::b stdout ----

thread 'tests::b' (13224) panicked at src/lib.rs:8:22:
assertion `left == right` failed
  left: 1
 right: 2
stack backtrace:
   0: __rustc::rust_begin_unwind

failures:
    tests::b

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.11s

   Doc-tests m

running 1 test
test src/lib.rs - f (line 1) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.11s
"""


def test_cargo_is_read_from_its_output() -> None:
    report = summaries.cargo(CARGO)
    assert report is not None
    assert report.counts == TestCounts(5, 3, 1, 1)
    assert report.outcomes == {
        "src/lib.rs::tests::a": "passed",
        "src/lib.rs::tests::c": "skipped",
        "src/lib.rs::tests::b": "failed",
        "src/lib.rs::tests::d": "passed",
        "doc m::src/lib.rs - f (line 1)": "passed",
    }
    assert "assertion `left == right` failed" in report.failures[0].message


def test_a_cargo_binary_without_a_result_proves_nothing() -> None:
    assert summaries.cargo("     Running unittests src/lib.rs (x)\n\nrunning 4 tests\n") is None
    assert summaries.cargo("error: could not compile `m`") is None
    nothing = summaries.cargo("\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured\n")
    assert nothing is not None and nothing.counts == TestCounts()


def test_nextest_is_read_from_its_output() -> None:
    log = (
        "        PASS [   0.004s] (1/2) m tests::a\n        FAIL [   0.004s] (2/2) m tests::b\n"
        "──────────\n     Summary [   0.005s] 2 tests run: 1 passed, 1 failed, 0 skipped\n"
        "        FAIL [   0.004s] (2/2) m tests::b\n"
    )
    report = summaries.nextest(log)
    assert report is not None
    assert report.counts == TestCounts(2, 1, 1, 0)
    assert report.outcomes == {"m::tests::a": "passed", "m::tests::b": "failed"}
    assert summaries.nextest("error: no test binaries") is None


@pytest.mark.parametrize(
    ("log", "counts"),
    [
        ("..F\n=== 1 failed, 2 passed, 1 skipped, 3 warnings in 0.12s ===", TestCounts(4, 2, 1, 1)),
        ("2 passed in 61.10s (0:01:01)", TestCounts(2, 2, 0, 0)),
        ("1 error in 0.1s", TestCounts(1, 0, 1, 0)),
        ("no tests ran in 0.01s", TestCounts()),
        ("5 deselected in 0.01s", TestCounts()),
        ("Tests:       1 failed, 1 skipped, 1 passed, 3 total", TestCounts(3, 1, 1, 1)),
        ("      Tests  1 failed | 1 passed | 1 skipped (3)", TestCounts(3, 1, 1, 1)),
        ("Ran 2 tests in 0.1s\n\nOK", TestCounts(2, 2, 0, 0)),
        (
            "Tests run: 1, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s\nTests run: 3, Failures: 1, Errors: 0, Skipped: 1\n",
            TestCounts(3, 1, 1, 1),
        ),
        ("?   \tex.com/m\t[no test files]\n", TestCounts()),
        ("all fine", None),
        ("", None),
    ],
)
def test_summaries_of_unknown_runners_are_guessed(log: str, counts: TestCounts | None) -> None:
    assert summaries.guess(log) == counts


@pytest.mark.parametrize(
    ("log", "counts"),
    [
        ("make: 'test' is up to date.\n", TestCounts(0, 0, 0, 0)),
        ("make[1]: Nothing to be done for 'check'.", TestCounts(0, 0, 0, 0)),
        ("cc -o a a.c\nmake: 'test' is up to date.\n", None),
        ("ok\n", None),
    ],
)
def test_a_make_that_had_nothing_to_do_ran_no_test(log: str, counts: TestCounts | None) -> None:
    """A folder called test, and `make test` without .PHONY."""
    assert summaries.guess(log) == counts


@pytest.mark.parametrize(
    "reader", [summaries.unittest, summaries.go, summaries.cargo, summaries.nextest, summaries.guess]
)
@pytest.mark.parametrize(
    "unit",
    [
        "1 a ",
        "1 1 ",
        "Tests: 1 a, ",
        "Ran 1 test in 1s\n",
        "test a ... ",
        "--- PASS: ",
        "FAIL\t",
        "a (b.c)\n",
        "Tests run: 1, ",
        " ",
    ],
)
def test_hostile_output_costs_no_time(reader: object, unit: str) -> None:
    log = unit * (200_000 // len(unit))
    started = time.perf_counter()
    assert callable(reader)
    reader(log)
    assert time.perf_counter() - started < 2
