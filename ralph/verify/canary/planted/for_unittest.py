"""``python -m unittest`` with one failing test after all others, which is reported and changes nothing else.

Its text is copied under a random name beside the tree and may run under any Python that a project has.
"""

from __future__ import annotations

import os
import sys
import unittest
from typing import Any

TEST = "test_planted"
HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (nothing more is imported than has to be)
__unittest = True


class Canary(unittest.TestCase):
    """The failing test."""

    longMessage = False

    def runTest(self) -> None:
        self.assertEqual(1, 2, "planted: this test has to fail")

    def __str__(self) -> str:
        return TEST + " (" + __name__ + ")"


class Result(unittest.TextTestResult):
    """Says what became of the canary, and then forgets it."""

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        if isinstance(test, Canary) and self.failures and self.failures[-1][0] is test:
            self.failures.pop()

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if isinstance(test, Canary):
            self.testsRun -= 1

    def addDuration(self, test: unittest.TestCase, elapsed: float) -> None:
        if not isinstance(test, Canary):
            super().addDuration(test, elapsed)  # type: ignore[misc, unused-ignore] # since Python 3.12


class Suite(unittest.TestSuite):
    """All tests, then the canary."""

    def run(self, result: Any, debug: bool = False) -> Any:
        super().run(result, debug)
        stop, result.shouldStop = result.shouldStop, False
        Canary()(result)
        result.shouldStop = stop
        return result


class Runner(unittest.TextTestRunner):
    resultclass = Result  # type: ignore[assignment]


class Program(unittest.TestProgram):
    test: unittest.TestSuite

    def runTests(self) -> None:
        if self.test.countTestCases():
            self.test = Suite([self.test])
        self.testRunner = Runner
        super().runTests()


def main() -> None:
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", HERE)]
    os.environ.pop("PYTHONPATH", None)
    if paths:
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.argv[0] = os.path.basename(sys.executable) + " -m unittest"  # noqa: PTH119
    Program(module=None)


if __name__ == "__main__":
    main()
