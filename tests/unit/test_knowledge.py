"""AGENTS.md: what is read for a task, what agents propose, what a person lets in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.errors import RalphError
from ralph.memory.knowledge import (
    SECTIONS,
    Proposal,
    approve,
    insert,
    parse_reflection,
    pending,
    read,
    remember,
    skeleton,
)
from ralph.memory.ledger import Event

FILES = {
    "AGENTS.md": b"root",
    "src/AGENTS.md": b"src",
    "src/app/db/AGENTS.md": b"db",
    "docs/AGENTS.md": b"../README.md",
    "README.md": b"the readme",
}


def test_the_root_and_the_nearest_file_are_read() -> None:
    knowledge = read(FILES.get, ["src/app/db/*.py", "/src/web/**", "docs/x.md", "*.py", "src/app/[ab]/x"])
    assert knowledge.root == "root"
    assert dict(knowledge.near) == {
        "src/app/db/AGENTS.md": "db",
        "src/AGENTS.md": "src",
        "docs/AGENTS.md": "the readme",
    }
    assert knowledge.cut == ()


@pytest.mark.parametrize("link", [b"/etc/passwd.md", b"../../x.md", b"gone.md"])
def test_links_that_lead_nowhere_are_shown_as_they_are(link: bytes) -> None:
    assert read({"AGENTS.md": link}.get).root == link.decode()


def test_too_much_is_cut_at_a_line_and_said() -> None:
    knowledge = read({"AGENTS.md": b"line of text\n" * 10_000, "a/AGENTS.md": b"z" * 9_000}.get, ["a/b"])
    assert len(knowledge.root) <= 32_000
    assert knowledge.root.endswith("line of text")
    assert len(knowledge.cut) == 2
    assert knowledge.cut[0].startswith("AGENTS.md: the last 98,")


def test_bytes_that_are_no_text() -> None:
    assert read({"AGENTS.md": b"a\xff\x1b[31mb\x00"}.get).root == "a\ufffdb"
    assert read({}.get, ["a/b"]).root == ""


def test_a_reflection_in_the_asked_form() -> None:
    found = parse_reflection(
        "surprised: the tests need a\n  database\npattern: GOTCHAS: run make db first\nprompt: none\n"
        "failed: test_x\nchange: start it\nrepeating: no\n"
    )
    assert found.surprised == "the tests need a database"
    assert found.pattern == "GOTCHAS: run make db first"
    assert (found.prompt, found.repeating) == ("", False)
    assert "change: start it" in found.raw


@pytest.mark.parametrize(
    "text",
    [
        "## What surprised me\n- **Pattern:** STYLE: tabs\n- **Repeating**: Yes, I am\n",
        "1. Pattern: STYLE: tabs\n2. Am I repeating the same approach? Yes.\n",
        "* PATTERN : STYLE: tabs\r\n* repeating: YES\r\n",
        "One pattern for AGENTS.md: STYLE: tabs\nrepeating: true",
    ],
)
def test_a_reflection_in_other_forms(text: str) -> None:
    found = parse_reflection(text)
    assert found.pattern == "STYLE: tabs"
    assert found.repeating is True


@given(st.text(max_size=400))
def test_any_text_is_a_reflection(text: str) -> None:
    parse_reflection(text).raw.encode()


def test_a_reflection_is_capped() -> None:
    found = parse_reflection("pattern: " + "x" * 100_000)
    assert len(found.raw) <= 16_384
    assert len(found.pattern) <= 2000


def ended(pattern: object, prompt: object = "", task: str = "t") -> Event:
    data = {"outcome": "committed", "reflection": {"pattern": pattern, "prompt": prompt}}
    return Event(1, "2026-01-01T00:00:00+00:00", "2026-01-01-1", "loop-1", task, "i", "ended", data)


def test_proposals_are_one_line_sorted_into_sections_and_counted(tmp_path: Path) -> None:
    events = [
        ended("[test_strategy] - run\n\n`make test`", "say more", task="a"),
        ended("TEST_STRATEGY: Run `make test`!", task="b"),
        ended("no section \u202e here"),
        ended(None, 3),
        ended("STYLE:"),
        Event(2, "", "", "", "", "", "ended", {"outcome": "abandoned", "reflection": None}),
        Event(3, "", "", "", "", "", "began", {"reflection": {"pattern": "x"}}),
    ]
    found = pending(events, tmp_path / "learned.json")
    assert [(each.section, each.text, each.times, each.task, each.kind) for each in found] == [
        ("TEST_STRATEGY", "run `make test`", 2, "a", "pattern"),
        ("STYLE", "say more", 1, "a", "prompt"),
        ("GOTCHAS", "no section here", 1, "t", "pattern"),
    ]


def proposal(text: str, section: str = "GOTCHAS") -> Proposal:
    return Proposal(f"id-{text}", "n", "t", text, section)


def test_approved_lines_enter_agents_md_and_are_not_asked_again(tmp_path: Path) -> None:
    decided = tmp_path / "learned.json"
    events = [ended("GOTCHAS: one"), ended("STYLE: two"), ended("STYLE: three")]
    one, two, three = pending(events, decided)
    assert approve([one, two], tmp_path, decided, "now") == ["- one", "- two"]
    assert (tmp_path / "AGENTS.md").read_text() == "# AGENTS.md\n\n## GOTCHAS\n\n- one\n\n## STYLE\n\n- two\n"
    assert pending(events, decided) == [three]
    remember([three], "rejected", decided, "now")
    assert pending(events, decided) == []
    assert approve([one], tmp_path, decided, "now") == []


def test_the_rest_of_agents_md_and_its_mode_stay(tmp_path: Path) -> None:
    path = tmp_path / "AGENTS.md"
    path.write_bytes(b"# Ours\r\n\r\nText.\r\n")
    path.chmod(0o664)
    approve([proposal("x")], tmp_path, tmp_path / "d.json", "now")
    assert path.read_bytes() == b"# Ours\r\n\r\nText.\r\n\r\n## GOTCHAS\r\n\r\n- x\r\n"
    assert path.stat().st_mode & 0o777 == 0o664


def test_a_link_inside_the_repository_stays_a_link_and_one_outside_is_refused(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "CLAUDE.md").write_text("# Claude\n")
    (repo / "AGENTS.md").symlink_to("CLAUDE.md")
    approve([proposal("x")], repo, tmp_path / "d.json", "now")
    assert (repo / "AGENTS.md").is_symlink()
    assert "- x" in (repo / "CLAUDE.md").read_text()
    (repo / "AGENTS.md").unlink()
    (repo / "AGENTS.md").symlink_to("/etc/hostname")
    with pytest.raises(RalphError, match="outside the repository"):
        approve([proposal("y")], repo, tmp_path / "d.json", "now")


def test_a_damaged_file_of_decisions_is_named(tmp_path: Path) -> None:
    decided = tmp_path / "learned.json"
    for bad in ("{", "[]", '{"decided": [1]}'):
        decided.write_text(bad)
        with pytest.raises(RalphError, match="is damaged"):
            pending([], decided)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RalphError, match="not a regular file"):
        pending([], tmp_path / "fifo")


def test_the_skeleton_has_every_section_and_takes_lines() -> None:
    text = skeleton()
    for section in SECTIONS:
        assert f"\n## {section}\n" in text
        changed = insert(text, section, "- new")
        assert [row for row in changed.splitlines() if row not in text.splitlines()] == ["- new"]
        assert "-->\n\n- new\n" in changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "\n## STYLE\n\n- n\n"),
        ("## STYLE\n- a\n## X\n", "## STYLE\n- a\n- n\n\n## X\n"),
        ("# Style #\n\ntext\n\n## Sub\n- s\n# Y\n", "# Style #\n\ntext\n\n## Sub\n- s\n- n\n\n# Y\n"),
        ("```\n## STYLE\n```\n", "```\n## STYLE\n```\n\n## STYLE\n\n- n\n"),
        ("## STYLE\n````\n```\n## X\n````\n", "## STYLE\n````\n```\n## X\n````\n\n- n\n"),
        ("## STYLE", "## STYLE\n\n- n\n"),
        ("## STYLEGUIDE\n", "## STYLEGUIDE\n\n## STYLE\n\n- n\n"),
    ],
)
def test_where_a_line_goes(before: str, after: str) -> None:
    assert insert(before, "STYLE", "- n") == after
