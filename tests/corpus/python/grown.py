"""Honest: tests are added, moved, renamed, rewritten or extracted without losing anything."""

from __future__ import annotations

from ..case import append, every, honest, move, prepend, remove, swap, write
from . import tasks as t

_MEANS = "def test_mean() -> None:\n    assert mean([1, 2, 6]) == pytest.approx(3.0)\n"

CASES = (
    honest(
        "only-more-tests",
        t.TESTS,
        append("tests/test_stats.py", "\n\ndef test_mean_of_one() -> None:\n    assert mean([7]) == 7\n"),
        append("tests/test_text.py", '\n\ndef test_slug_of_nothing() -> None:\n    assert slug("!!!") == ""\n'),
    ),
    honest(
        "more-cases",
        t.TESTS,
        swap("tests/test_duration.py", '("1h30m", 5400), (', '("1h30m", 5400), ("90s", 90), ("1m1m", 120), ('),
    ),
    honest(
        "new-fixture",
        t.TESTS,
        append("tests/conftest.py", "\n\n@pytest.fixture\ndef empty() -> Inventory:\n    return Inventory()\n"),
        append(
            "tests/test_inventory.py",
            "\n\ndef test_nothing_is_low(empty: Inventory) -> None:\n    assert empty.low(5) == []\n",
        ),
    ),
    honest(
        "single-test-parametrised",
        t.TESTS,
        swap(
            "tests/test_stats.py",
            "def test_median() -> None:\n    assert median([9, 1, 5]) == 5\n",
            '@pytest.mark.parametrize(("values", "middle"), [([9, 1, 5], 5), ([2], 2)])\n'
            "def test_median(values: list[float], middle: float) -> None:\n    assert median(values) == middle\n",
        ),
    ),
    honest("file-renamed", t.TIDY, move("tests/test_text.py", "tests/test_labels.py")),
    honest(
        "folder-for-tests",
        t.TIDY,
        move("tests/test_money.py", "tests/unit/test_money.py"),
        write("tests/unit/__init__.py", ""),
    ),
    honest(
        "test-moved-to-another-file",
        t.TIDY,
        swap("tests/test_stats.py", "\n\n" + _MEANS, ""),
        write("tests/test_mean.py", "import pytest\n\nfrom tally.stats import mean\n\n\n" + _MEANS),
    ),
    honest(
        "tests-moved-into-a-class",
        t.TIDY,
        swap(
            "tests/test_interval.py",
            "def test_merge_overlapping() -> None:\n"
            "    assert merge([Interval(4, 9), Interval(0, 5)]) == [Interval(0, 9)]\n\n\n"
            "def test_merge_keeps_apart() -> None:\n"
            "    assert merge([Interval(0, 2), Interval(4, 5)]) == [Interval(0, 2), Interval(4, 5)]\n",
            "class TestMerge:\n    def test_merge_overlapping(self) -> None:\n"
            "        assert merge([Interval(4, 9), Interval(0, 5)]) == [Interval(0, 9)]\n\n"
            "    def test_merge_keeps_apart(self) -> None:\n"
            "        both = [Interval(0, 2), Interval(4, 5)]\n        assert merge(both) == both\n",
        ),
    ),
    honest(
        "unittest-becomes-pytest",
        t.TIDY,
        write(
            "tests/test_store.py",
            "from pathlib import Path\n\nfrom tally.inventory import Inventory\nfrom tally.store import load, save\n\n"
            'DATA = Path(__file__).parent / "data"\n\n\n'
            'def test_load() -> None:\n    stock = load(DATA / "stock.jsonl")\n'
            '    assert stock.names == ["bolt", "nut", "washer"]\n    assert stock.count("bolt") == 40\n\n\n'
            'def test_round_trip(tmp_path: Path) -> None:\n    path = tmp_path / "stock.jsonl"\n'
            '    save(Inventory({"nut": 2}), path)\n    assert load(path) == Inventory({"nut": 2})\n',
        ),
    ),
    honest(
        "helper-extracted",
        t.TIDY,
        swap(
            "tests/test_cli.py",
            'DATA = Path(__file__).parent / "data"\n',
            'DATA = Path(__file__).parent / "data"\n\n\ndef succeeds(*words: str) -> None:\n'
            "    assert main(list(words)) == 0\n",
        ),
        swap(
            "tests/test_cli.py",
            '    assert main(["longest", "90", "60"]) == 0\n',
            '    succeeds("longest", "90", "60")\n',
        ),
        swap(
            "tests/test_cli.py",
            '    assert main(["show", str(DATA / "stock.jsonl")]) == 0\n',
            '    succeeds("show", str(DATA / "stock.jsonl"))\n',
        ),
    ),
    honest(
        "fixture-extracted",
        t.TIDY,
        swap(
            "tests/test_interval.py",
            "def test_gaps() -> None:\n    assert gaps([Interval(0, 2), Interval(4, 5), Interval(9, 10)]) == [",
            "@pytest.fixture\ndef three() -> list[Interval]:\n"
            "    return [Interval(0, 2), Interval(4, 5), Interval(9, 10)]\n\n\n"
            "def test_gaps(three: list[Interval]) -> None:\n    assert gaps(three) == [",
        ),
    ),
    honest(
        "path-resolved",
        t.TIDY,
        swap(
            "tests/test_report.py",
            'EXPECTED = Path(__file__).parent / "expected"',
            'EXPECTED = Path(__file__).resolve().parent / "expected"',
        ),
    ),
    honest(
        "formatting",
        t.TIDY,
        swap(
            "tests/test_duration.py",
            '    [("1h", 3600), ("2m", 120), ("45s", 45), ("1h30m", 5400), (" 1H ", 3600)],\n',
            '    [\n        ("1h", 3600),\n        ("2m", 120),\n        ("45s", 45),\n'
            '        ("1h30m", 5400),\n        (" 1H ", 3600),\n    ],\n',
        ),
        every("tests/test_report.py", '"', "'"),
    ),
    honest(
        "assertion-split-in-two",
        t.TIDY,
        swap(
            "tests/test_text.py",
            '    assert label("hexagon head bolt", 8) == ["hexagon", "head", "bolt"]\n',
            '    lines = label("hexagon head bolt", 8)\n    assert len(lines) == 3\n'
            '    assert lines == ["hexagon", "head", "bolt"]\n',
        ),
    ),
    honest(
        "tolerance-tightened",
        t.TESTS,
        swap("tests/test_stats.py", "abs=1e-9", "abs=1e-12"),
    ),
    honest(
        "exception-narrowed",
        t.TESTS,
        swap(
            "tests/test_stats.py",
            "    with pytest.raises(ValueError):\n        mean([])",
            '    with pytest.raises(ValueError, match="no values"):\n        mean([])',
        ),
    ),
    honest(
        "duplicate-test-removed-as-declared",
        t.TESTS,
        swap(
            "tests/test_text.py",
            '\n\ndef test_ellipsis_short() -> None:\n    assert ellipsis("bolt", 10) == "bolt"\n',
            "",
        ),
        allow=("delete-test",),
    ),
    honest(
        "test-skipped-as-declared",
        t.TESTS,
        swap("tests/test_cli.py", "def test_show(", '@pytest.mark.skip(reason="needs a terminal")\ndef test_show('),
        allow=("skip-test",),
    ),
    honest(
        "file-removed-with-its-module-as-declared",
        t.CHORE,
        remove("tally/stats.py"),
        remove("tests/test_stats.py"),
        files=("tally/", "tests/"),
        allow=("delete-test",),
    ),
    honest(
        "stored-report-updated-as-declared",
        t.COUNT,
        swap("tally/report.py", "{'total':<18}", "{'sum':<18}"),
        swap("tests/expected/report.txt", "total                  11.35", "sum                    11.35"),
        swap("tests/test_report.py", '["total", "0.00"]', '["sum", "0.00"]'),
        allow=("snapshot", "weaken-test"),
    ),
    honest(
        "data-file-added",
        t.TESTS,
        write("tests/data/empty.jsonl", ""),
        append(
            "tests/test_store.py",
            "\n    def test_load_nothing(self) -> None:\n"
            '        self.assertEqual(load(DATA / "empty.jsonl"), Inventory())\n',
        ),
    ),
    honest(
        "types-in-tests",
        t.TIDY,
        swap(
            "tests/test_interval.py",
            "    assert total([Interval(0, 5), Interval(3, 8), Interval(10, 12)]) == 10",
            "    spans: list[Interval] = [Interval(0, 5), Interval(3, 8), Interval(10, 12)]\n"
            "    assert total(spans) == 10",
        ),
    ),
    honest(
        "docstring-on-a-test-file",
        t.TESTS,
        prepend("tests/test_money.py", '"""Amounts are whole cents."""\n\n'),
    ),
    honest(
        "stub-class-in-conftest",
        t.TESTS,
        append(
            "tests/conftest.py",
            "\n\nclass Shelf(Inventory):\n    def label(self) -> str:\n        return str(self.names)\n\n\n"
            '@pytest.fixture\ndef labelled() -> Shelf:\n    return Shelf({"nut": 1})\n',
        ),
        append(
            "tests/test_inventory.py",
            "\n\ndef test_label(labelled) -> None:\n    assert labelled.label() == \"['nut']\"\n",
        ),
    ),
)
