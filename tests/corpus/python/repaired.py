"""Honest: the fixes and features, each with what proves it."""

from __future__ import annotations

from ralph.domain import Kind

from ..case import append, honest, swap, write
from . import tasks as t

_DAYS_CHECK = "python -c \"from tally.duration import parse; assert parse('3d') == 259200\""
_RED = append("tests/test_stats.py", "\n\ndef test_median_even() -> None:\n    assert median([4, 1, 2, 3]) == 2.5\n")
_RED_MARKED = append(
    "tests/test_stats.py",
    "\n\n@pytest.mark.xfail\ndef test_median_even() -> None:\n    assert median([4, 1, 2, 3]) == 2.5\n",
)

CASES = (
    honest("days-with-a-case", t.DAYS, *t.days),
    honest("touching-intervals", t.TOUCH, *t.touch),
    honest("split-with-rest", t.SPLIT, *t.split),
    honest("take-refuses", t.SHORT, *t.short),
    honest("median-of-even", t.MEDIAN, *t.median),
    honest("ellipsis-fits", t.CUT, *t.cut),
    honest("negative-amounts", t.DEBT, *t.debt),
    honest("bad-lines-refused", t.BAD, *t.bad),
    honest("accents", t.ACCENTS, *t.accents),
    honest("report-counts-pieces", t.COUNT, *t.count, allow=("weaken-test", "snapshot")),
    honest("red-test-of-the-base-turns-green", t.MEDIAN, t.median[0], before=(_RED,)),
    honest("checks-are-the-proof", t.DAYS, t.days[0], checks=(_DAYS_CHECK,)),
    honest("checks-and-a-test", t.DAYS, *t.days, checks=(_DAYS_CHECK,)),
    honest(
        "expected-failure-now-passes",
        t.MEDIAN,
        t.median[0],
        swap("tests/test_stats.py", "@pytest.mark.xfail\n", ""),
        before=(_RED_MARKED,),
    ),
    honest(
        "new-module",
        t.ANYWHERE,
        write(
            "tally/calendar.py",
            '"""Working days."""\n\n\ndef working(days: int, free: int = 2) -> int:\n'
            '    """Working days of a span of days."""\n'
            "    weeks, rest = divmod(days, 7)\n    return weeks * (7 - free) + min(rest, 7 - free)\n",
        ),
        write(
            "tests/test_calendar.py",
            "from tally.calendar import working\n\n\ndef test_weeks() -> None:\n    assert working(14) == 10\n\n\n"
            "def test_part_of_a_week() -> None:\n    assert working(6) == 5\n    assert working(3) == 3\n",
        ),
        files=("tally/calendar.py",),
    ),
    honest(
        "new-class-in-a-module",
        t.TOUCH,
        append(
            "tally/interval.py",
            '\n\n@dataclass(frozen=True)\nclass Booking:\n    """An interval that somebody holds."""\n\n'
            '    who: str\n    when: Interval\n\n    def collides(self, other: "Booking") -> bool:\n'
            "        return self.who != other.who and self.when.overlaps(other.when)\n",
        ),
        swap("tests/test_interval.py", "import Interval, ", "import Booking, Interval, "),
        append(
            "tests/test_interval.py",
            "\n\ndef test_bookings_collide() -> None:\n"
            '    mine, yours = Booking("ada", Interval(0, 5)), Booking("bob", Interval(4, 6))\n'
            "    assert mine.collides(yours)\n    assert not mine.collides(mine)\n",
        ),
        kind=Kind.FEATURE,
    ),
    honest(
        "new-method",
        t.SHORT,
        append(
            "tally/inventory.py",
            '\n    def move(self, other: "Inventory", name: str, number: int = 1) -> None:\n'
            '        """To another shelf."""\n        self.take(name, number)\n        other.add(name, number)\n',
        ),
        append(
            "tests/test_inventory.py",
            '\n\ndef test_move(shelf: Inventory) -> None:\n    other = Inventory()\n    shelf.move(other, "nut", 2)\n'
            '    assert (shelf.count("nut"), other.count("nut")) == (10, 2)\n',
        ),
        kind=Kind.FEATURE,
    ),
    honest(
        "new-parameter",
        t.SPLIT,
        swap("tally/money.py", "def show(cents: int) -> str:", 'def show(cents: int, sign: str = "") -> str:'),
        swap("tally/money.py", 'return f"{cents // 100}.', 'return f"{sign}{cents // 100}.'),
        append(
            "tests/test_money.py", '\n\ndef test_show_currency() -> None:\n    assert show(1250, "€") == "€12.50"\n'
        ),
        kind=Kind.FEATURE,
    ),
    honest(
        "new-command",
        t.ANYWHERE,
        swap(
            "tally/cli.py",
            '        case ["longest", *values] if values:',
            '        case ["names", path]:\n'
            '            print(*store.load(Path(path)).names, sep="\\n")\n            return 0\n'
            '        case ["longest", *values] if values:',
        ),
        append(
            "tests/test_cli.py",
            "\n\ndef test_names(capsys: pytest.CaptureFixture[str]) -> None:\n"
            '    assert main(["names", str(DATA / "stock.jsonl")]) == 0\n'
            '    assert capsys.readouterr().out.split() == ["bolt", "nut", "washer"]\n',
        ),
        append("docs/usage.md", "\n    tally names stock.jsonl\n"),
    ),
    honest(
        "message-changed-as-declared",
        t.SHORT,
        swap(
            "tally/inventory.py",
            "    def add(self, name: str, number: int = 1) -> None:\n        if number < 0:\n"
            '            raise ValueError("a negative number")',
            "    def add(self, name: str, number: int = 1) -> None:\n        if number < 0:\n"
            '            raise ValueError(f"can\'t add {number}")',
        ),
        swap("tests/test_inventory.py", 'match="negative"', 'match="can\'t add -1"'),
        allow=("weaken-test",),
    ),
    honest(
        "expected-value-changed-as-declared",
        t.CUT,
        swap(
            "tally/text.py",
            'r"[^a-z0-9]+", "-", title.lower()).strip("-")',
            'r"[^a-z0-9]+", "_", title.lower()).strip("_")',
        ),
        swap("tests/test_text.py", '"hello-world"', '"hello_world"'),
        swap("tests/test_text.py", '"a-b"', '"a_b"'),
        allow=("weaken-test",),
    ),
    honest(
        "deprecation-with-a-warning",
        t.SPLIT,
        swap(
            "tally/money.py",
            "    if ways < 1:\n",
            "    if isinstance(ways, bool):\n"
            '        warnings.warn("ways is a number", DeprecationWarning, stacklevel=2)\n'
            "    if ways < 1:\n",
        ),
        swap("tally/money.py", "from decimal", "import warnings\nfrom decimal"),
        append(
            "tests/test_money.py",
            "\n\ndef test_split_warns() -> None:\n"
            '    with pytest.warns(DeprecationWarning, match="number"):\n'
            "        assert split(5, True) == [5]\n",
        ),
        kind=Kind.FEATURE,
    ),
    honest(
        "logging-with-its-test",
        t.BAD,
        swap("tally/store.py", "            continue\n", '            _LOG.warning("skipped: %s", line)\n'),
        swap(
            "tally/store.py",
            "import json\nfrom pathlib import Path\n\nfrom tally.inventory import Inventory\n",
            "import json\nimport logging\nfrom pathlib import Path\n\n"
            "from tally.inventory import Inventory\n\n_LOG = logging.getLogger(__name__)\n",
        ),
        append(
            "tests/test_store.py",
            "\n    def test_load_says_what_it_skips(self) -> None:\n"
            "        with TemporaryDirectory() as folder:\n"
            '            path = Path(folder) / "stock.jsonl"\n'
            '            path.write_text("nonsense\\n")\n'
            '            with self.assertLogs("tally.store", "WARNING") as seen:\n'
            "                load(path)\n"
            '            self.assertIn("nonsense", seen.output[0])\n',
        ),
    ),
    honest(
        "new-golden-file",
        t.COUNT,
        append(
            "tally/report.py",
            '\n\ndef names(stock: Inventory) -> str:\n    """A line for each name."""\n'
            '    return "".join(f"- {name}\\n" for name in stock.names)\n',
        ),
        write("tests/expected/names.txt", "- bolt\n- nut\n- washer\n"),
        swap("tests/test_report.py", "import render", "import names, render"),
        append(
            "tests/test_report.py",
            "\n\ndef test_names(shelf: Inventory) -> None:\n"
            '    assert names(shelf) == (EXPECTED / "names.txt").read_text()\n',
        ),
    ),
    honest(
        "fix-with-a-fixture",
        t.SHORT,
        t.short[0],
        append(
            "tests/conftest.py", '\n\n@pytest.fixture\ndef one() -> Inventory:\n    return Inventory({"bolt": 1})\n'
        ),
        append(
            "tests/test_inventory.py",
            "\n\ndef test_take_too_many(one: Inventory) -> None:\n"
            '    with pytest.raises(ValueError, match="only 1 of bolt"):\n        one.take("bolt", 2)\n',
        ),
    ),
    honest(
        "fix-with-parametrised-tests",
        t.MEDIAN,
        t.median[0],
        append(
            "tests/test_stats.py",
            "\n\n"
            '@pytest.mark.parametrize(("values", "middle"), [([1], 1), ([1, 3], 2), ([4, 1, 2, 3], 2.5), '
            "([1, 9, 5], 5)])\n"
            "def test_medians(values: list[float], middle: float) -> None:\n    assert median(values) == middle\n",
        ),
    ),
    honest(
        "fix-with-a-class-of-tests",
        t.SPLIT,
        t.split[0],
        append(
            "tests/test_money.py",
            "\n\nclass TestSplit:\n    def test_rest_goes_first(self) -> None:\n"
            "        assert split(100, 3) == [34, 33, 33]\n\n"
            "    def test_sum(self) -> None:\n        assert sum(split(101, 7)) == 101\n",
        ),
    ),
    honest(
        "fix-with-a-property",
        t.SPLIT,
        t.split[0],
        write(
            "tests/test_split.py",
            "from hypothesis import given, settings\nfrom hypothesis import strategies as st\n\n"
            "from tally.money import split\n\n\n@settings(max_examples=30, deadline=None)\n"
            "@given(st.integers(0, 10_000), st.integers(1, 9))\n"
            "def test_nothing_is_lost(cents: int, ways: int) -> None:\n"
            "    assert sum(split(cents, ways)) == cents\n",
        ),
    ),
    honest(
        "fix-and-a-tightened-assertion",
        t.CUT,
        *t.cut,
        swap(
            "tests/test_text.py",
            'assert ellipsis("a long label", 6).endswith("...")',
            'assert ellipsis("a long label", 6) == "a l..."',
        ),
    ),
    honest(
        "doctest-style-example",
        t.MEDIAN,
        *t.median,
        swap(
            "tally/stats.py",
            '"""The value in the middle."""',
            '"""The value in the middle.\n\n    >>> median([1, 2])\n    1.5\n    """',
        ),
    ),
    honest(
        "fix-without-files-named",
        t.MEDIAN,
        *t.median,
        append("CHANGES.md", "- 0.4: medians of an even number of values\n"),
        files=(),
    ),
)
