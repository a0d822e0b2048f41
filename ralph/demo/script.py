"""What the scripted model of the demo says and does: a night with every ending a real one can have."""

SLUG = '''"""Slugs."""

import re


def slug(title: str) -> str:
    """Lower-case words of a title, joined by hyphens."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))
'''
SLUG_TEST = """from wordkit.slug import slug


def test_words_are_joined_by_hyphens() -> None:
    assert slug("Hello, World!") == "hello-world"


def test_nothing_stays_nothing() -> None:
    assert slug("...") == ""
"""

SLUG_TEST_REVIEWED = f"""{SLUG_TEST}

def test_hyphens_of_the_title_are_not_doubled() -> None:
    assert slug("a - b") == "a-b"
"""

DURATION = '''"""Durations."""

import re

UNITS = {{"h": {hour}, "m": 60, "s": 1}}


def seconds(text: str) -> int:
    """Seconds in a duration such as 1h30m."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\\d+)([hms])", text))
'''
DURATION_TEST = """from wordkit.duration import seconds


def test_hours_and_minutes() -> None:
    assert seconds("1h30m") == 5400


def test_seconds_alone() -> None:
    assert seconds("45s") == 45
"""

ROMAN = '''"""Roman numerals."""

STEPS = [(1000, "M"), (500, "D"), (100, "C"), (50, "L"), (10, "X"), (5, "V"), (1, "I")]


def roman(number: int) -> str:
    """A number in Roman numerals."""
    written = ""
    for value, letter in STEPS:
        written += letter * (number // value)
        number %= value
    return written
'''
ROMAN_TEST = """from wordkit.roman import roman


def test_the_year_1990() -> None:
    assert roman(1990) == "MCMXC"
"""

TITLES = '''"""Titles."""

SMALL = {"a", "an", "and", "in", "of", "on", "or", "the", "to"}


def title(text: str) -> str:
    """A text in title case; small words stay small, except the first."""
    words = text.lower().split()
    return " ".join(w if w in SMALL and place else w.capitalize() for place, w in enumerate(words))
'''
TITLES_TEST = """from wordkit.titles import title


def test_small_words_stay_small() -> None:
    assert title("the lord of the rings") == "The Lord of the Rings"
"""

COUNT = '''"""Count words."""

from collections import Counter


def count_words(text: str) -> dict[str, int]:
    """How often each word occurs, in lower case."""
    return dict(Counter(text.lower().split()))
'''
COUNT_WRONG = COUNT.replace("text.lower().split()", "text.split()")
COUNT_TEST_WEAKENED = """from wordkit.count import count_words


def test_nothing_to_count() -> None:
    assert count_words("") == {}
"""

UNIQUE = '''"""Unique slugs."""

from collections.abc import Collection
from itertools import count

from wordkit.slug import slug


def unique_slug(title: str, taken: Collection[str]) -> str:
    """A slug that is not taken yet."""
    first = slug(title)
    if first not in taken:
        return first
    return next(name for n in count(2) if (name := f"{first}-{n}") not in taken)
'''
UNIQUE_TEST = """from wordkit.unique import unique_slug


def test_the_second_one_gets_a_number() -> None:
    assert unique_slug("A", {"a"}) == "a-2"


def test_a_free_one_stays_as_it_is() -> None:
    assert unique_slug("A", set()) == "a"
"""

TIMED = '''"""Slugs with a duration."""

from wordkit.duration import seconds
from wordkit.slug import slug


def timed_slug(title: str, duration: str) -> str:
    """A slug that ends in the seconds of a duration."""
    return f"{slug(title)}-{seconds(duration)}"
'''
TIMED_TEST = """from wordkit.timed import timed_slug


def test_seconds_come_last() -> None:
    assert timed_slug("Long Run", "1h") == "long-run-3600"
"""


def note(surprised: str, pattern: str, handoff: str) -> str:
    """A shell command that leaves the reflection and the handoff note."""
    return (
        f'printf "%s\\n" "Surprised: {surprised}" "Pattern: {pattern}" "Prompt: none" "Repeating: no" '
        f'> "$RALPH_REFLECTION_FILE"; printf "%s\\n" "{handoff}" > "$RALPH_HANDOFF_FILE"'
    )


def work(module: str, source: str, test: str, **more: str) -> list[dict[str, object]]:
    """Look around, write a module and its test, leave the notes."""
    files = {f"wordkit/{module}.py": source, f"tests/test_{module}.py": test}
    leave = note(more.get("surprised", "nothing"), more.get("pattern", "none"), more.get("handoff", "done"))
    return [
        {"text": "I look at the project first.", "run": ["ls wordkit tests"]},
        {"text": "Now the module and its test.", "write": files},
        {"text": "Notes for the next one.", "run": [leave]},
        {"text": "All done, all tests pass!"},
    ]


def review(*reasons: str, **follow_up: str) -> list[dict[str, object]]:
    """Accept, or run the tests and reject for these reasons."""
    more = [{"files": [], **follow_up}] if follow_up else []
    answer = {"verdict": "reject" if reasons else "accept", "reasons": list(reasons), "follow_ups": more}
    looked: list[dict[str, object]] = [{"text": "I run the tests myself.", "run": ["gate-tests"]}] if reasons else []
    return [*looked, {"tools": [{"name": "review", "input": answer}]}]


THESAURUS = (
    '"""Synonyms."""\n\nWORDS = {\n'
    + "".join(f'    "word{n}": ["other{n}", "another{n}"],\n' for n in range(300))
    + "}\n"
)

SCRIPT = {
    "tasks": {
        "slug": [
            work(
                "slug",
                SLUG,
                SLUG_TEST,
                pattern="Prefer re.findall over chains of replace.",
                handoff="slug() lives in wordkit/slug.py and never returns leading or trailing hyphens.",
            ),
            work(
                "slug",
                SLUG,
                SLUG_TEST_REVIEWED,
                pattern="Prefer re.findall over chains of replace.",
                handoff="slug() lives in wordkit/slug.py and never returns leading or trailing hyphens.",
            ),
        ],
        "duration": [
            work("duration", DURATION.format(hour=360), DURATION_TEST),
            work("duration", DURATION.format(hour=3600), DURATION_TEST, surprised="an hour has 3600 seconds"),
        ],
        "roman": [
            work("roman", ROMAN.replace("A number", f"Try {n}: a number"), ROMAN_TEST, surprised="the test is strict")
            for n in range(1, 9)
        ],
        "titles": [
            [{"text": "I looked at it: titles are implemented already, all tests pass. <promise>COMPLETE</promise>"}],
            [{"text": "As I said, there is nothing to do. <promise>COMPLETE</promise>"}],
            work("titles", TITLES, TITLES_TEST),
        ],
        "count-once": [
            [
                {
                    "text": "The old test is too strict, I update it.",
                    "write": {"wordkit/count.py": COUNT_WRONG, "tests/test_count.py": COUNT_TEST_WEAKENED},
                },
                {"text": "Everything is green."},
            ],
            [
                {"text": "The test stays as it was.", "run": ["git checkout -q HEAD -- tests/test_count.py"]},
                {"text": "One pass.", "write": {"wordkit/count.py": COUNT}},
                {"text": "Done."},
            ],
        ],
        "thesaurus": [
            [{"text": "I need many words.", "write": {f"wordkit/words{n}.py": THESAURUS}} for n in range(6)]
            + [{"text": "Done."}]
        ],
        "unique-slug": [work("unique", UNIQUE, UNIQUE_TEST)],
        "timed-slug": [work("timed", TIMED, TIMED_TEST)],
    },
    "reviews": {
        "slug": [
            review("tests/test_slug.py:1: nothing looks at a title with hyphens of its own; add a test for 'a - b'"),
            review(),
        ],
        "duration": [review(title="Refuse durations with unknown units", description="seconds('3x') is 0.")],
        "titles": [review()],
        "count-once": [review()],
        "unique-slug": [review()],
        "timed-slug": [review()],
    },
}
