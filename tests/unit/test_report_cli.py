"""`ralph report`, `prs`, `cost` and `evidence` over a real ledger, beside a writer that still has it open."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from recorded_night import RecordedNight

from ralph import report as room
from ralph.cli.evidence import evidence
from ralph.cli.report import cost, prs, report
from ralph.errors import RalphError
from ralph.forge import Proposal
from ralph.forge.local import LocalForge
from ralph.host.paths import Layout, layout


@pytest.fixture
def where(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.chdir(git_repo)
    (git_repo / "ralph.toml").write_text("")
    return layout(git_repo)


@pytest.fixture
def night(where: Layout) -> RecordedNight:
    return RecordedNight(where.ledger)


def run(command: click.Command, *args: str) -> Result:
    return CliRunner().invoke(command, args, catch_exceptions=False)


def fails(command: click.Command, *args: str) -> RalphError:
    with pytest.raises(RalphError) as caught:
        run(command, *args)
    return caught.value


def said(command: click.Command, *args: str) -> Any:
    return json.loads(run(command, *args, "--json").output)


@pytest.mark.parametrize("command", [report, cost, evidence])
def test_before_the_first_night(where: Layout, command: click.Command) -> None:
    assert fails(command).message == "no night has run here yet"


def test_the_last_night_is_shown_while_it_runs(night: RecordedNight, where: Layout) -> None:
    RecordedNight(where.ledger, "2026-11-20-2").land("later")
    RecordedNight(where.ledger, "2026-11-21-1").land("last")
    assert "Night 2026-11-21-1: the only task landed\n====" in run(report).output
    assert "Running since" in run(report).output
    assert said(report, "2026-11-20")["night"] == "2026-11-20-2"
    assert said(report, "2026-11-20-1")["tasks"] == []
    assert "the last ones: 2026-11-20-1, 2026-11-20-2, 2026-11-21-1" in fails(report, "2020-01-01").hint


def test_json_is_the_written_report(night: RecordedNight, where: Layout) -> None:
    night.land("t1")
    night.ends()
    assert "not written yet" in fails(report, "--path").message
    path, data = room.write(where.repo / "progress", room.collect(night.ledger, night.night))
    night.row("reported", path=str(path))
    assert run(report, "--json").output == data.read_text()
    assert run(report, "--path").output == f"{path}\n"


def test_piped_text_has_no_control_characters(night: RecordedNight) -> None:
    night.land("t1", title="a\x1b[31mb\x07")
    assert "\x1b" not in run(report).output
    assert "t1 ab: tests 14 passed" in run(report).output


def test_local_pull_requests(where: Layout) -> None:
    assert run(prs).output == "No pull request yet.\n"
    LocalForge(where.prs).publish(Proposal("ralph/loop-1", "main", "1" * 40, "0" * 40, "One", "", True))
    (row,) = said(prs)
    assert (row["number"], row["branch"], row["state"], row["draft"]) == (1, "ralph/loop-1", "open", True)
    assert "1       draft  ralph/loop-1" in run(prs).output


def test_pull_requests_on_github_are_as_last_seen(night: RecordedNight, where: Layout) -> None:
    (where.repo / "ralph.toml").write_text('[forge]\nkind = "github"\n')
    for number, branch, state in ((2, "ralph/b", "open"), (1, "ralph/a", "open"), (1, "ralph/a", "merged")):
        night.row("pull_request", branch=branch, number=number, url=f"https://x/{number}", state=state, draft=False)
    assert [(row["number"], row["state"]) for row in said(prs)] == [(1, "merged"), (2, "open")]


def test_cost_by_everything(night: RecordedNight, where: Layout) -> None:
    night.land("t1")
    step = night.began("t2", "loop-2", agent="other")
    step.spends(dollars=None, model="mystery")
    step.agent_ends()
    for by, names in {
        "task": ["t1", "t2"],
        "loop": ["loop-1", "loop-2"],
        "agent": ["claude", "other"],
        "model": ["claude-sonnet-5-5", "mystery"],
        "night": ["2026-11-20-1"],
    }.items():
        value = said(cost, "--by", by)
        assert [row[by] for row in value["rows"]] == names
        assert value["total"]["tokens"] == sum(row["tokens"] for row in value["rows"]) == 320
    lines = run(cost).output.splitlines()
    assert lines[2].split() == ["t1", "160", "100", "10", "5,000", "50", "1", "$0.25"]
    assert lines[3].endswith("cost not metered")
    assert lines[4].startswith("total") and lines[4].endswith("$0.25 plus a part not metered")


def test_cost_by_night_is_every_night(night: RecordedNight, where: Layout) -> None:
    night.land("t1")
    RecordedNight(where.ledger, "2026-11-21-1").land("t2")
    assert [row["night"] for row in said(cost, "--by", "night")["rows"]] == ["2026-11-20-1", "2026-11-21-1"]
    assert [row["task"] for row in said(cost)["rows"]] == ["t2"]


def test_evidence_and_the_state_of_its_log(night: RecordedNight, where: Layout) -> None:
    log = b"14 passed\n"
    step = night.began("t1")
    execution = {"argv": ["pytest"], "exit_code": 0, "log": "gates/tests.log"}
    step.gate(execution={**execution, "log_sha256": hashlib.sha256(log).hexdigest()})
    commit = step.commits()
    night.land("t2")
    path = where.run(step.where["iteration"]) / "gates" / "tests.log"
    assert said(evidence, "t1")[0]["log"] == f"{path} (gone)"
    path.parent.mkdir(parents=True)
    path.write_bytes(log)
    for what in ("t1", step.where["iteration"], commit, commit[:12]):
        (row,) = said(evidence, what)
        assert (row["verdict"], row["exit"], row["tests"], row["argv"]) == ("passed", 0, "14 of 14", ["pytest"])
        assert row["log"] == f"{path} (unchanged)"
    path.write_bytes(b"15 passed\n")
    assert said(evidence, "t1")[0]["log"] == f"{path} (CHANGED)"
    assert [row["task"] for row in said(evidence)] == ["t1", "t2"]
    assert "t1    tests  passed   reported" in run(evidence).output
    assert "nothing was executed for 'nope'" in fails(evidence, "nope").message
