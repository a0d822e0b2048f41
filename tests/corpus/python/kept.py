"""Honest: behaviour stays as it was: refactorings, documentation, housekeeping."""

from __future__ import annotations

from ralph.domain import Kind

from ..case import append, every, honest, move, refused, swap, write
from . import tasks as t

CASES = (
    honest(
        "loop-becomes-max",
        t.TIDY,
        swap(
            "tally/duration.py",
            "    best = 0\n    for value in values:\n        if value > best:\n"
            "            best = value\n    return best\n",
            "    return max(values, default=0)\n",
        ),
    ),
    honest(
        "function-renamed-everywhere",
        t.TIDY,
        every("tally/stats.py", "def spread(", "def deviation("),
        every("tests/test_stats.py", "spread([", "deviation(["),
        swap("tests/test_stats.py", "import mean, median, share, spread", "import deviation, mean, median, share"),
    ),
    refused(
        "test-renamed-with-its-function",
        "tests",
        t.TIDY,
        every("tally/stats.py", "def spread(", "def deviation("),
        every("tests/test_stats.py", "spread", "deviation"),
        swap("tests/test_stats.py", "import mean, median, share, deviation", "import deviation, mean, median, share"),
    ),
    honest(
        "module-renamed",
        t.TIDY,
        move("tally/text.py", "tally/labels.py"),
        swap("tests/test_text.py", "tally.text", "tally.labels"),
    ),
    honest(
        "function-moved-to-another-module",
        t.TIDY,
        swap(
            "tally/stats.py",
            '\n\ndef share(part: float, whole: float) -> float:\n    """Per cent, one digit."""\n'
            "    return round(100 * part / whole, 1) if whole else 0.0\n",
            "",
        ),
        write(
            "tally/percent.py",
            '"""Per cents."""\n\n\ndef share(part: float, whole: float) -> float:\n'
            '    """Per cent, one digit."""\n'
            "    return round(100 * part / whole, 1) if whole else 0.0\n",
        ),
        swap(
            "tests/test_stats.py",
            "from tally.stats import mean, median, share, spread",
            "from tally.percent import share\nfrom tally.stats import mean, median, spread",
        ),
    ),
    honest(
        "helper-in-the-source",
        t.TIDY,
        swap(
            "tally/inventory.py",
            '        if number < 0:\n            raise ValueError("a negative number")\n'
            "        self._counts[name] = self.count(name) + number",
            "        _check(number)\n        self._counts[name] = self.count(name) + number",
        ),
        swap(
            "tally/inventory.py",
            '        if number < 0:\n            raise ValueError("a negative number")\n'
            "        self._counts[name] = self.count(name) - number",
            "        _check(number)\n        self._counts[name] = self.count(name) - number",
        ),
        append(
            "tally/inventory.py",
            '\n\ndef _check(number: int) -> None:\n    if number < 0:\n        raise ValueError("a negative number")\n',
        ),
    ),
    honest(
        "faster",
        t.TIDY,
        swap(
            "tally/interval.py",
            "    merged = merge(intervals)\n"
            "    return [Interval(a.end, b.start) for a, b in zip(merged, merged[1:], strict=False)]",
            "    merged = merge(intervals)\n    return [Interval(a.end, b.start) for a, b in pairwise(merged)]",
        ),
        swap(
            "tally/interval.py",
            "from dataclasses import dataclass\n",
            "from dataclasses import dataclass\nfrom itertools import pairwise\n",
        ),
    ),
    honest(
        "class-with-slots",
        t.TIDY,
        swap("tally/interval.py", "@dataclass(frozen=True)", "@dataclass(frozen=True, slots=True)"),
    ),
    honest(
        "types-sharper",
        t.TIDY,
        swap("tally/interval.py", "def merge(intervals: list[Interval])", "def merge(intervals: Iterable[Interval])"),
        swap("tally/interval.py", "from dataclasses", "from collections.abc import Iterable\nfrom dataclasses"),
    ),
    honest(
        "logging-added",
        t.TIDY,
        swap(
            "tally/report.py",
            "from collections.abc import Mapping\n\n",
            "import logging\nfrom collections.abc import Mapping\n\n",
        ),
        swap(
            "tally/report.py",
            "    lines = []\n",
            '    logging.getLogger(__name__).debug("%d names", len(stock.names))\n    lines = []\n',
        ),
    ),
    honest(
        "formatting-of-the-source",
        t.TIDY,
        swap(
            "tally/duration.py",
            'UNITS = {"h": 3600, "m": 60, "s": 1}',
            'UNITS = {\n    "h": 3600,\n    "m": 60,\n    "s": 1,\n}',
        ),
    ),
    honest(
        "refactoring-with-a-new-test",
        t.TIDY,
        swap(
            "tally/duration.py",
            "    best = 0\n    for value in values:\n        if value > best:\n"
            "            best = value\n    return best\n",
            "    return max(values, default=0)\n",
        ),
        append("tests/test_duration.py", "\n\ndef test_longest_of_one() -> None:\n    assert longest([5]) == 5\n"),
    ),
    honest("documentation", t.DOCS, append("docs/usage.md", "\nAn empty line of the stock is skipped.\n")),
    honest(
        "documentation-and-changes",
        t.DOCS,
        append("README.md", "\nMIT licence.\n"),
        append("CHANGES.md", "- 0.2.1: documentation\n"),
    ),
    honest(
        "docstrings",
        t.CHORE,
        swap(
            "tally/stats.py",
            "def mean(values: Sequence[float]) -> float:\n",
            'def mean(values: Sequence[float]) -> float:\n    """The arithmetic mean."""\n',
        ),
        kind=Kind.DOCS,
        files=("tally/",),
    ),
    honest(
        "dependency-raised", t.CHORE, swap("pyproject.toml", "dependencies = []", 'dependencies = ["tzdata>=2025.1"]')
    ),
    honest(
        "version-raised",
        t.CHORE,
        swap("pyproject.toml", '"0.3.0"', '"0.3.1"'),
        swap("tally/__init__.py", '"0.3.0"', '"0.3.1"'),
    ),
    honest(
        "classifiers",
        t.CHORE,
        swap("pyproject.toml", "dependencies = []", 'dependencies = []\nclassifiers = ["Typing :: Typed"]'),
        write("tally/py.typed", ""),
    ),
    honest(
        "lint-rules-added-as-declared",
        t.CHORE,
        swap("pyproject.toml", '"W", "I"]', '"W", "I", "UP"]'),
        allow=("config:pyproject.toml",),
    ),
    honest(
        "suppression-as-declared",
        t.MEDIAN,
        *t.median,
        swap("tally/stats.py", "import math\n", "import math\nimport os  # noqa: F401\n"),
        allow=("suppress",),
    ),
    honest(
        "readme-example-with-separator-lines",
        t.DOCS,
        append("README.md", "\nStock\n=======\n\n    bolt   40\n    =======\n"),
    ),
)
