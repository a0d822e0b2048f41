"""Nights with a reviewer: what it refuses goes back, what it can't say holds nothing up."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from model_night import KEY
from project import Project, wait_until

from ralph.modelserver import Script, serve

ACCEPT = {"verdict": "accept", "reasons": [], "follow_ups": []}
REJECT = {"verdict": "reject", "reasons": ["a.txt:1: no greeting; add one"], "follow_ups": []}
WORK = 'echo "attempt $RALPH_ATTEMPT" >> "$RALPH_TASK_ID.txt"; cat > "$OUT/prompt-$RALPH_TASK_ID-$RALPH_ATTEMPT"'


def command_reviewer(project: Project, script: str, text: str = "", **configured: str) -> None:
    """A reviewer that is a shell script; it may write ``$OUT`` and its review."""
    path = project.outside.parent / "critic.sh"
    path.write_text(f"#!/bin/sh\nOUT={project.outside}\n{script}\n")
    path.chmod(0o755)
    project.agent(WORK)
    project.configure(
        f'[agents.critic]\nkind = "command"\ncommand = ["{path}"]\nstate = ["{project.outside}"]\n'
        f'[routes]\nimplementer = ["sh"]\nreviewer = ["critic"]\n{text}',
        **configured,
    )


def scripted_reviewer(project: Project, *said: dict[str, Any], text: str = "") -> None:
    """A reviewer that says these things, one an attempt."""
    script = {"reviews": {"a": [{"said": json.dumps(one)} for one in said]}}
    (project.outside.parent / "critic.json").write_text(json.dumps(script))
    project.agent(WORK)
    project.configure(
        f'[agents.critic]\nkind = "scripted"\nscript = "{project.outside.parent}/critic.json"\n'
        f'[routes]\nimplementer = ["sh"]\nreviewer = ["critic"]\n{text}'
    )


def reviews(project: Project) -> list[dict[str, Any]]:
    return [event.data for event in project.events("gate") if event.data["kind"] == "review"]


def codes(project: Project) -> set[str]:
    return {doubt["code"] for doubt in project.report()["not_verified"]}


def test_a_rejection_goes_back_and_an_acceptance_lets_it_land(project: Project) -> None:
    scripted_reviewer(project, REJECT, {**ACCEPT, "follow_ups": [{"title": "Greet in French", "files": ["fr.txt"]}]})
    project.tasks("a")
    project.once()
    assert project.outcomes("a") == ["rejected", "committed"]
    first, second = reviews(project)
    assert (first["verdict"], first["grade"], first["advisory"]) == ("failed", "reported", False)
    assert first["review"]["reasons"] == REJECT["reasons"]
    assert second["reason"] == "accepted by critic"
    assert "a.txt:1: no greeting; add one" in (project.outside / "prompt-a-2").read_text()
    assert "no_review" not in codes(project)
    task = project.report()["tasks"][0]
    assert task["grade"] == "verified", "a reviewer's word makes the gates' grade no weaker"
    run = project.events("began")[1].iteration
    asked = (project.where.run(run) / "review" / "prompt.md").read_text()
    assert "+attempt 2" in asked
    assert "no greeting; add one" in asked, "it is told what was refused before"
    proposals = project.json("tasks", "proposals")
    assert [(row["task"], row["title"], row["files"]) for row in proposals] == [("a", "Greet in French", ["fr.txt"])]
    assert "Greet in French" in project.ralph("report").stdout
    assert list(project.rows()) == ["a"], "a proposal is never added by itself"
    project.sound()


def test_who_rejects_for_ever_is_overruled_after_some_rounds_and_shown_first(project: Project) -> None:
    scripted_reviewer(project, REJECT, text="[verify]\nreview_rounds = 2\n")
    project.tasks("a")
    project.once()
    assert project.outcomes("a") == ["rejected", "rejected", "committed"]
    assert [review["advisory"] for review in reviews(project)] == [False, False, True]
    report = project.report()
    assert report["needs"][0]["code"] == "objection"
    assert "still objects: a.txt:1: no greeting" in report["needs"][0]["why"]
    body = "".join(page.read_text() for page in project.where.prs.glob("*.md"))
    assert "still objects" in body


def test_a_command_reviews_by_its_file_and_runs_gates_by_name(project: Project) -> None:
    script = f"""
cat > "$OUT/asked"
gate-ok && echo green > "$OUT/gate"
gate-writes; echo $? > "$OUT/wrote"
echo '{json.dumps(ACCEPT)}' > "$RALPH_REVIEW_FILE"
"""
    gates = '[[gates]]\nname = "ok"\ncommand = "cat README.md"\n\n[[gates]]\nname = "writes"\ncommand = "touch made"\n'
    command_reviewer(project, script, gates=gates)
    project.tasks({"id": "a", "acceptance": ["a greeting is there"]})
    project.once()
    asked = (project.outside / "asked").read_text()
    assert "a greeting is there" in asked and "other ok: passed" in asked and "`gate-ok` runs `cat README.md`" in asked
    assert (project.outside / "gate").read_text() == "green\n"
    if project.mode == "auto":
        assert (project.outside / "wrote").read_text() != "0\n"
    assert reviews(project)[0]["verdict"] == "passed"


HEARD_NOT: dict[str, tuple[str, str]] = {
    "nonsense": ('echo "I like it" > "$RALPH_REVIEW_FILE"', "does not end with a JSON object"),
    "nothing": (f"echo '{json.dumps(ACCEPT)}'", "handed nothing in"),
    "failing": (f"echo '{json.dumps(ACCEPT)}' > \"$RALPH_REVIEW_FILE\"; exit 3", "exit 3"),
    "missing": ("exec /no/such/program", "127"),
    "limit": ('echo "You\'ve hit your 5-hour limit; try again in 30 minutes" >&2; exit 1', "5-hour limit"),
}


OFTEN = ("nonsense", "limit")


@pytest.mark.parametrize(
    "kind", [kind if kind in OFTEN else pytest.param(kind, marks=pytest.mark.slow) for kind in HEARD_NOT]
)
def test_a_review_that_does_not_come_about_holds_nothing_up(project: Project, kind: str) -> None:
    script, why = HEARD_NOT[kind]
    command_reviewer(project, script)
    project.tasks("a")
    project.once()
    assert project.outcomes("a") == ["committed"]
    (review,) = reviews(project)
    assert (review["verdict"], review["advisory"], review["review"]) == ("not_run", True, None)
    assert why in review["reason"]
    assert "not_reviewed" in codes(project)
    assert bool(project.events("waiting")) == (kind == "limit")


@pytest.mark.slow
def test_a_reviewer_whose_script_can_not_be_read_is_no_fault_of_the_task(project: Project) -> None:
    scripted_reviewer(project)
    (project.outside.parent / "critic.json").write_text("{")
    project.tasks("a")
    project.once()
    assert project.outcomes("a") == ["committed"]
    assert "not reviewed: critic: " in reviews(project)[0]["reason"]


def test_a_reviewer_that_hangs_is_ended(project: Project) -> None:
    command_reviewer(project, "sleep 100", "[limits]\niteration_minutes = 0.08\n")
    project.tasks("a")
    project.once()
    assert project.outcomes("a") == ["committed"]
    assert "stopped by a limit: timeout" in reviews(project)[0]["reason"]
    assert project.survivors() == []


def test_a_reviewer_that_writes_into_the_tree_is_not_heard(project: Project) -> None:
    script = f"echo better > a.txt; echo '{json.dumps(REJECT)}' > \"$RALPH_REVIEW_FILE\""
    command_reviewer(project, script, mode="none")
    project.tasks("a")
    project.once()
    assert "it wrote a.txt, so its word does not count" in reviews(project)[0]["reason"]
    assert project.git("show", "ralph/loop-1:a.txt") == "attempt 1"


@pytest.mark.slow
def test_what_a_reviewer_leaves_is_not_the_implementers(project: Project) -> None:
    script = f"""
env > "$OUT/env"
echo '{json.dumps(ACCEPT)}' > "$RALPH_REVIEW_FILE"
echo evil > "$(dirname "$RALPH_REVIEW_FILE")/handoff.txt"
"""
    command_reviewer(project, script)
    project.agent(f'{WORK}; echo "mine" > "$RALPH_HANDOFF_FILE"')
    project.tasks("a")
    project.once()
    assert project.events("ended")[0].data["handoff"] == "mine\n"
    assert "RALPH_HANDOFF_FILE" not in (project.outside / "env").read_text()


def test_without_a_key_the_reviewer_is_out_and_the_work_lands(project: Project) -> None:
    project.agent(WORK)
    project.configure('[agents.model]\nkind = "api"\n[routes]\nimplementer = ["sh"]\nreviewer = ["model"]\n')
    project.env["ANTHROPIC_API_KEY"] = ""
    project.tasks("a", {"id": "b", "depends_on": ["a"]})
    project.once(code=4)
    assert project.outcomes("a") == project.outcomes("b") == ["committed"]
    assert len(project.events("halted")) == 1, "it is not tried again for every task"
    assert all("not set" in review["reason"] for review in reviews(project))


def test_the_built_in_reviewer_is_budgeted_under_its_own_role(project: Project) -> None:
    looks = {"run": ["cat a.txt", "echo x > a.txt; env > /dev/null"]}
    turns = [looks, {"tools": [{"name": "review", "input": ACCEPT}]}]
    project.agent(WORK)
    project.env["ANTHROPIC_API_KEY"] = KEY
    with serve(Script.parse({"reviews": {"a": [turns], "b": [turns]}})) as server:
        project.configure(
            f'[agents.model]\nkind = "api"\nbase_url = "{server.url}"\nmax_tokens = 500\n'
            '[routes]\nimplementer = ["sh"]\nreviewer = ["model"]\n[roles.reviewer.limits]\niterations = 1\n'
        )
        project.tasks("a", {"id": "b", "depends_on": ["a"]})
        project.once()
        seen = len(server.messages())
    assert seen == 2
    assert project.outcomes("a") == project.outcomes("b") == ["committed"]
    first, second = reviews(project)
    assert first["verdict"] == "passed" or project.mode == "none"
    assert "the budget of reviewers is used: role reviewer: 1 of 1 iterations" in second["reason"]
    settled = project.events("settled")
    assert {event.data["role"] for event in settled} == {"reviewer"} and len(settled) == 2
    assert KEY not in "".join(path.read_text() for path in project.where.run(settled[0].iteration).rglob("*.md"))


@pytest.mark.slow
def test_the_same_agent_reviews_where_there_is_no_other_and_that_is_said(project: Project) -> None:
    script = f"""
if [ -n "$RALPH_REVIEW_FILE" ]; then echo '{json.dumps(ACCEPT)}' > "$RALPH_REVIEW_FILE"; exit; fi
echo work > "$RALPH_TASK_ID.txt"
"""
    project.agent(script)
    project.configure('[routes]\nimplementer = ["sh"]\nreviewer = ["sh"]\n')
    project.tasks("a")
    project.once()
    assert reviews(project)[0]["reason"] == "accepted by sh, which did the work as well"


@pytest.mark.slow
def test_five_loops_share_two_reviewers(project: Project) -> None:
    script = f"""
echo "+ $(date +%s%N)" >> "$OUT/log"; sleep 0.3; echo "- $(date +%s%N)" >> "$OUT/log"
echo '{json.dumps(ACCEPT)}' > "$RALPH_REVIEW_FILE"
"""
    command_reviewer(project, script, night="loops = 5")
    project.tasks(*({"id": id, "files": [f"{id}.txt"]} for id in "abcde"))
    project.once()
    assert set(project.status_of().values()) == {"completed"}
    moments = sorted((int(line[2:]), line[0]) for line in project.lines("log"))
    at_once, most = 0, 0
    for _, sign in moments:
        at_once += 1 if sign == "+" else -1
        most = max(most, at_once)
    assert len(moments) == 10
    assert most == 2


def hanging_once(project: Project) -> None:
    """A reviewer that hangs the first time it is asked, and accepts after that."""
    script = f"""
echo asked >> "$OUT/asked"
test "$(wc -l < "$OUT/asked")" = 1 && sleep 100
echo '{json.dumps(ACCEPT)}' > "$RALPH_REVIEW_FILE"
"""
    command_reviewer(project, script)
    project.tasks("a")


def test_a_killed_daemon_pays_for_the_work_once_and_asks_the_reviewer_again(project: Project) -> None:
    hanging_once(project)
    project.begin()
    wait_until(lambda: project.lines("asked"), "the reviewer is at work")
    project.kill()
    project.once()
    assert project.outcomes("a") == ["abandoned", "committed"]
    assert len(list(project.outside.glob("prompt-*"))) == 1
    assert len(project.lines("asked")) == 2
    assert [review["verdict"] for review in reviews(project)] == ["passed"]
    project.sound()


def test_a_worker_that_dies_over_a_review_gives_the_reviewer_back(project: Project) -> None:
    hanging_once(project)
    project.begin()
    wait_until(lambda: project.lines("asked"), "the reviewer is at work")
    os.kill(project.events("worker")[0].data["pid"], signal.SIGKILL)
    project.ended()
    assert project.outcomes("a") == ["infrastructure", "committed"]
    assert [review["verdict"] for review in reviews(project)] == ["passed"]
    assert project.survivors() == []


@pytest.mark.slow
def test_a_stop_ends_a_review_and_the_work_is_kept(project: Project) -> None:
    hanging_once(project)
    project.begin()
    wait_until(lambda: project.lines("asked"), "the reviewer is at work")
    assert project.json("status")["loops"][0]["step"] == "review"
    project.ralph("stop", "--now")
    project.ended()
    assert project.survivors() == []
    project.once()
    assert project.outcomes("a") == ["stopped", "committed"]
    assert len(list(project.outside.glob("prompt-*"))) == 1
    assert len(project.lines("asked")) == 2
