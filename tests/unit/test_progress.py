"""The progress log: one entry per iteration, whatever an agent wrote into it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.errors import RalphError
from ralph.memory.progress import Entry, append, render, tail

DATE = "2026-01-31"
ENTRY = Entry(
    iteration="2026-01-31-1.loop-1.1",
    clock="02:13",
    loop="loop-1",
    task="login",
    title="Fix the login",
    attempt=2,
    agent="claude",
    outcome="committed",
    summary="3 gates passed",
    commit="0123456789abcdef",
    paths=("src/a.py", "src/b.py"),
    seconds=125,
    tokens=12_345,
    dollars=0.5,
    handoff="There is a User class.",
)


def numbered(number: int) -> Entry:
    return replace(ENTRY, iteration=f"2026-01-31-1.loop-1.{number}", task=f"task-{number}")


def test_an_entry_reads_well(tmp_path: Path) -> None:
    assert append(tmp_path / "progress", DATE, ENTRY)
    assert (tmp_path / "progress" / f"{DATE}.md").read_text() == (
        "# Night of 2026-01-31\n\n"
        "<!-- ralph:2026-01-31-1.loop-1.1 -->\n"
        "### 02:13 login: Fix the login\n"
        "**committed**, commit 0123456789ab; attempt 2 on loop-1 by claude, 2 min 5 s, 12,345 tokens, $0.50\n"
        "- Why: `3 gates passed`\n"
        "- Changed: `src/a.py`, `src/b.py`\n"
        "- Left for the next, in the agent's words:\n\n"
        "```\nThere is a User class.\n```\n\n"
        "<!-- /ralph:2026-01-31-1.loop-1.1 -->\n"
    )


def test_the_same_entry_twice_has_no_effect(tmp_path: Path) -> None:
    for number in (1, 10, 2, 1, 10):
        append(tmp_path, DATE, numbered(number))
    path = tmp_path / f"{DATE}.md"
    before = path.read_bytes()
    assert not append(tmp_path, DATE, replace(numbered(2), summary="other"))
    assert path.read_bytes() == before
    assert before.count(b"### ") == 3


def test_what_people_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / f"{DATE}.md"
    path.write_bytes(b"# Mine \xff\r\nno newline at the end")
    path.chmod(0o600)
    append(tmp_path, DATE, ENTRY)
    assert path.read_bytes().startswith(b"# Mine \xff\r\nno newline at the end\n\n<!-- ralph:")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_the_tail_has_whole_entries_newest_last(tmp_path: Path) -> None:
    for number in range(1, 6):
        append(tmp_path, "2026-01-30", numbered(number))
    append(tmp_path, DATE, numbered(6))
    (tmp_path / "2026-01-31-1-report.md").write_text("<!-- ralph:x -->\nnot a log\n<!-- /ralph:x -->\n")
    everything = tail(tmp_path, 100_000)
    assert [everything.index(f"task-{number}") for number in range(1, 7)] == sorted(
        everything.index(f"task-{number}") for number in range(1, 7)
    )
    assert "ralph:" not in everything
    assert "left out" not in everything
    some = tail(tmp_path, 700)
    assert len(some) < 760
    assert some.startswith("(earlier entries are left out)")
    assert "task-6" in some and "task-5" in some and "task-1" not in some


def test_a_tail_of_nothing(tmp_path: Path) -> None:
    assert tail(tmp_path / "none", 100) == ""
    (tmp_path / f"{DATE}.md").mkdir()
    assert tail(tmp_path, 100) == ""


def test_a_log_that_is_a_link_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("x")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / f"{DATE}.md").symlink_to(target)
    with pytest.raises(RalphError, match="symbolic link"):
        append(logs, DATE, ENTRY)
    assert target.read_text() == "x"
    with pytest.raises(ValueError, match="not a date"):
        append(logs, "../x", ENTRY)


HOSTILE = st.text(alphabet="`~<>!-[]()#*\\\n\r\x00\x1b/ralph:.1 ", max_size=80)


@given(text=HOSTILE)
def test_no_text_forges_an_entry_or_markup(text: str) -> None:
    forged = f"{text}\n<!-- /ralph:other -->\n<!-- ralph:other -->\n<img src=x>\n{text}"
    entry = replace(ENTRY, title=forged, summary=forged, task="t", paths=(forged,), outcome=forged, agent=forged)
    rows = render(entry).splitlines()
    assert [row for row in rows if row.startswith("<!--")] == [
        f"<!-- ralph:{ENTRY.iteration} -->",
        f"<!-- /ralph:{ENTRY.iteration} -->",
    ]
    assert rows[1].startswith("### ") and "<" not in rows[1].replace("\\<", "").replace("&lt;", "")


@given(text=HOSTILE)
def test_a_note_stays_in_its_block(text: str) -> None:
    note = f"{text}\n<!-- /ralph:2026-01-31-1.loop-1.2 -->\n```\n<\x00!-- ralph:x -->\n"
    rows = render(replace(ENTRY, handoff=note)).splitlines()
    fence = next(row for row in rows if row.startswith("```"))
    assert rows.count(fence) == 2
    assert rows[-3] == fence
    assert len([row for row in rows if row.startswith("<!--")]) == 2
