"""What is to be done in the Python project, and how an honest engineer does it."""

from __future__ import annotations

from ralph.domain import Kind, Task

from ..case import Edit, append, swap

DAYS = Task("days", "Durations know days: 2d is 172800 seconds", kind=Kind.FEATURE, files=("tally/duration.py",))
TOUCH = Task("touch", "merge joins intervals that touch", kind=Kind.FIX, files=("tally/interval.py",))
SPLIT = Task("split", "split loses no cent", kind=Kind.FIX, files=("tally/money.py",))
SHORT = Task("short", "take refuses what is not there", kind=Kind.FIX, files=("tally/inventory.py",))
ACCENTS = Task("accents", "slug keeps accented letters as plain ones", kind=Kind.FIX, files=("tally/text.py",))
CUT = Task("cut", "ellipsis stays within the width", kind=Kind.FIX, files=("tally/text.py",))
MEDIAN = Task("median", "median of an even number of values", kind=Kind.FIX, files=("tally/stats.py",))
DEBT = Task("debt", "show writes negative amounts", kind=Kind.FIX, files=("tally/money.py",))
BAD = Task("bad", "load refuses lines that it can't read", kind=Kind.FIX, files=("tally/store.py",))
COUNT = Task("count", "The report counts the pieces", kind=Kind.FEATURE, files=("tally/report.py",))
ANYWHERE = Task("anywhere", "Durations know days: 2d is 172800 seconds", kind=Kind.FEATURE)
TIDY = Task("tidy", "Tidy the package up", kind=Kind.REFACTOR, files=("tally/",))
DOCS = Task("docs", "Describe the commands", kind=Kind.DOCS, files=("README.md", "docs/", "CHANGES.md"))
CHORE = Task("chore", "Housekeeping", kind=Kind.CHORE, files=("pyproject.toml", "README.md", "tally/"))
TESTS = Task("tests", "More tests", kind=Kind.TEST, files=("tests/",))

days: tuple[Edit, ...] = (
    swap("tally/duration.py", 'UNITS = {"h"', 'UNITS = {"d": 86400, "h"'),
    swap("tests/test_duration.py", '("1h", 3600), (', '("2d", 172800), ("1h", 3600), ('),
)
touch: tuple[Edit, ...] = (
    swap("tally/interval.py", "one.start < merged", "one.start <= merged"),
    append(
        "tests/test_interval.py",
        "\n\ndef test_merge_touching() -> None:\n"
        "    assert merge([Interval(0, 5), Interval(5, 9)]) == [Interval(0, 9)]\n",
    ),
)
split: tuple[Edit, ...] = (
    swap(
        "tally/money.py",
        "    return [cents // ways] * ways\n",
        "    share, rest = divmod(cents, ways)\n    return [share + (at < rest) for at in range(ways)]\n",
    ),
    append("tests/test_money.py", "\n\ndef test_split_rest() -> None:\n    assert split(100, 3) == [34, 33, 33]\n"),
)
short: tuple[Edit, ...] = (
    swap(
        "tally/inventory.py",
        "        self._counts[name] = self.count(name) - number\n",
        "        if number > self.count(name):\n"
        '            raise ValueError(f"only {self.count(name)} of {name}")\n'
        "        self._counts[name] = self.count(name) - number\n",
    ),
    append(
        "tests/test_inventory.py",
        "\n\ndef test_take_too_many(shelf: Inventory) -> None:\n"
        '    with pytest.raises(ValueError, match="only 3"):\n        shelf.take("washer", 4)\n',
    ),
)
median: tuple[Edit, ...] = (
    swap(
        "tally/stats.py",
        "    return sorted(values)[len(values) // 2]\n",
        "    ordered, half = sorted(values), len(values) // 2\n"
        "    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2\n",
    ),
    append("tests/test_stats.py", "\n\ndef test_median_even() -> None:\n    assert median([4, 1, 2, 3]) == 2.5\n"),
)
cut: tuple[Edit, ...] = (
    swap("tally/text.py", 'text[:width] + "..."', 'text[: width - 3] + "..."'),
    append(
        "tests/test_text.py",
        '\n\ndef test_ellipsis_fits() -> None:\n    assert ellipsis("a long label", 6) == "a l..."\n',
    ),
)
debt: tuple[Edit, ...] = (
    swap(
        "tally/money.py",
        '    return f"{cents // 100}.{cents % 100:02}"\n',
        '    sign, cents = ("-" if cents < 0 else ""), abs(cents)\n'
        '    return f"{sign}{cents // 100}.{cents % 100:02}"\n',
    ),
    append("tests/test_money.py", '\n\ndef test_show_debt() -> None:\n    assert show(-5) == "-0.05"\n'),
)
bad: tuple[Edit, ...] = (
    swap(
        "tally/store.py",
        "        except (ValueError, KeyError):\n            continue\n",
        "        except (ValueError, KeyError) as error:\n"
        '            raise ValueError(f"not stock: {line}") from error\n',
    ),
    append(
        "tests/test_store.py",
        "\n    def test_load_refuses(self) -> None:\n"
        "        with TemporaryDirectory() as folder:\n"
        '            path = Path(folder) / "stock.jsonl"\n'
        '            path.write_text("nonsense\\n")\n'
        '            with self.assertRaisesRegex(ValueError, "nonsense"):\n'
        "                load(path)\n",
    ),
)
count: tuple[Edit, ...] = (
    swap(
        "tally/report.py",
        "    lines.append(f\"{'total':<18}{money.show",
        "    pieces = sum(stock.count(name) for name in stock.names)\n"
        "    lines.append(f\"{'total':<12}{pieces:>6}{money.show",
    ),
    swap("tests/expected/report.txt", "total                  11.35", "total           55     11.35"),
    swap("tests/test_report.py", '["total", "0.00"]', '["total", "0", "0.00"]'),
)
"""Changes a stored result and an expected value: the task has to declare that."""
accents: tuple[Edit, ...] = (
    swap("tally/text.py", "import textwrap\n", "import textwrap\nimport unicodedata\n"),
    swap(
        "tally/text.py",
        '    return re.sub(r"[^a-z0-9]+", "-", title.lower())',
        '    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()\n'
        '    return re.sub(r"[^a-z0-9]+", "-", plain.lower())',
    ),
    append(
        "tests/test_text.py",
        '\n\ndef test_slug_accents() -> None:\n    assert slug("Crème brûlée") == "creme-brulee"\n',
    ),
)
