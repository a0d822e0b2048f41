"""The page: what needs a person first, ten minutes at most, no stronger word than was earned, nothing alive in it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from recorded_night import Iteration, RecordedNight

from ralph import report
from ralph.domain import Grade, TestCounts, Verdict
from ralph.report.model import GateLine, NightReport, Spend
from ralph.report.page import MOST_WORDS, amount, duration, gate_words, money

EVIL = (
    "<img src=x onerror=alert(1)> ![i](http://evil.example/x.png) [a](javascript:alert(1)) @everyone fixes #12 "
    "https://evil.example/?q=1 </script> `x` **b** \x1b]0;t\x07\x1b[31mred\u202e\U000e0041\x00 FAIL\rPASS"
)


def page(night: RecordedNight) -> str:
    return report.render_markdown(report.collect(night.ledger, night.night))


@pytest.fixture
def night(tmp_path: Path) -> RecordedNight:
    return RecordedNight(tmp_path / "ledger.db")


def headings(text: str) -> list[str]:
    return [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]


def test_the_order_of_the_page(night: RecordedNight) -> None:
    night.land("t1")
    for id, status in (("t2", "failed"), ("t3", "needs_human"), ("t4", "pending")):
        step = night.began(id)
        step.refused()
        step.moves(status, "three equal failures")
    night.ends("the window is over", 4)
    text = page(night)
    assert headings(text) == [
        "Night 2026-11-20-1: 1 of 4 tasks landed, 1 failed, 1 needs you, 1 unfinished",
        "Needs you",
        "Landed, in the order to review",
        "Failed",
        "Stopped",
        "Money and tokens",
        "Not verified",
    ]
    assert "`ralph tasks retry t3`" in text
    assert "`tests/test_a.py::test_b`: `assert 1 == 2`" in text
    assert "Ended: the window is over." in text
    assert "base `main` at `bbbbbbbbbb`; sandbox bwrap" in text


def test_a_night_where_everything_failed_says_so_in_its_first_line(night: RecordedNight) -> None:
    for id in ("t1", "t2"):
        step = night.began(id)
        step.refused()
        step.moves("failed", "8 attempts used up")
    first, *rest = page(night).splitlines()
    assert first == "# Night 2026-11-20-1: nothing landed: all 2 tasks failed"
    assert "## Landed, in the order to review" not in rest
    assert "- Try again: `ralph tasks retry t1 t2`" in rest


def test_an_agents_word_is_not_on_the_page(night: RecordedNight) -> None:
    night.land("t1")
    assert "everything works" not in page(night)


@pytest.mark.parametrize("render", [report.render_markdown, report.render_terminal])
def test_words_follow_the_grade(night: RecordedNight, render: Callable[[NightReport], str]) -> None:
    step = night.began("t1")
    step.gate()
    step.gate("unit", counts=None)
    step.gate("audit", "security", execution=None, counts=None)
    step.gate("docs", "other", "not_run", reason="exit 127")
    step.commits()
    text = render(report.collect(night.ledger, night.night))
    assert "tests 14 passed, unit exit 0 (observed), audit reported as passed, docs did not run" in text


def test_what_ran_on_the_base_is_no_verdict_of_a_change(night: RecordedNight) -> None:
    first = night.land("t1")
    base = {"argv": ["test"], "exit_code": 1, "log": "x.log", "purpose": "base"}
    step = night.began("t2")
    step.gate()
    step.gate("check-1", "other", counts=None)
    step.gate("check-1", "other", "failed", counts=None, execution=base, tree=first.tree, reason="red on the base")
    step.ends("limit", "out of time")
    found = report.collect(night.ledger, night.night)
    landed, other = found.tasks
    assert [gate.name for gate in landed.gates] == ["tests"]
    assert {gate.name: gate.verdict for gate in other.gates} == dict.fromkeys(("tests", "check-1"), Verdict.PASSED)
    assert other.failure is not None
    assert "red on the base" not in other.failure.message


@pytest.mark.parametrize("render", [report.render_markdown, report.render_terminal])
def test_proof_strength_and_review_say_what_they_showed_and_no_more(
    night: RecordedNight, render: Callable[[NightReport], str]
) -> None:
    step = night.began("t1")
    ran = [{"execution": {"log": "gate-x.log", "argv": ["pytest"]}, "counts": None, "outcomes": {}}]
    proof = {"grade": "proven", "tests": {"t.py::a": "proven"}, "turned": []}
    strength = {"changed": 4, "covered": 4, "mutants": [{"fate": "survived"}, {"fate": "killed"}]}
    step.gate()
    step.gate("proof", "proof", execution=None, counts=None, proof=proof, runs=ran)
    step.gate("strength", "strength", execution=None, counts=None, strength=strength, runs=ran)
    step.gate("review", "review", execution=None, counts=None, review={"accepted": True, "agent": "api"})
    step.gate("said", "proof", execution=None, counts=None, proof=proof)
    step.commits()
    text = " ".join(render(report.collect(night.ledger, night.night)).split())
    assert ", proven by t.py::a, strength 1 of 2 mutants survived, 4 of 4 changed lines ran," in text
    assert ", reviewed by api: accepted, said reported as passed;" in text


@pytest.mark.parametrize("grade", list(Grade))
@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("counts", [None, TestCounts(3, 3)])
def test_only_a_verified_pass_is_said_to_have_passed(grade: Grade, verdict: Verdict, counts: TestCounts | None) -> None:
    said = gate_words(GateLine("g", "tests", verdict, "", grade, "t", counts))
    plain = re.fullmatch(r"(\d+ )?passed", said) is not None
    assert plain == (grade is Grade.VERIFIED and verdict is Verdict.PASSED)


def test_a_pull_request_is_the_only_link(night: RecordedNight) -> None:
    night.land("t1", title=EVIL)
    request = {"branch": "ralph/loop-1", "number": 3, "state": "open", "draft": True}
    night.row("pull_request", **request, url="https://github.com/octo/project/pull/3")
    assert "draft <https://github.com/octo/project/pull/3>" in page(night)
    assert links(page(night)) == ["https://github.com/octo/project/pull/3"]
    night.row("pull_request", **request, url="javascript:alert(1)")
    assert links(page(night)) == []


def links(text: str) -> list[str]:
    found = []
    for block in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        assert block.type not in ("html_block", "fence", "code_block", "hr", "lheading_open")
        for token in block.children or []:
            assert token.type not in ("image", "html_inline"), token
            if token.type == "link_open":
                found.append(str(token.attrs["href"]))
    return found


def everything_says(night: RecordedNight, text: str, tasks: int = 20) -> NightReport:
    """A night in which every text that others wrote is ``text``."""
    with night.ledger.together():
        record_everything(night, text, tasks)
    return report.collect(night.ledger, night.night)


def record_everything(night: RecordedNight, text: str, tasks: int) -> None:
    outcomes = ["landed", "failed", "needs_human", "pending"]
    for n in range(tasks):
        loop, outcome = f"loop-{n % 5}", outcomes[n % 4]
        if outcome == "landed":
            night.land(f"t{n}", loop, title=text, agent=text).gate(text, "lint", "not_run", reason=text)
            continue
        step = night.began(f"t{n}", loop, title=text)
        step.spends(model=text)
        step.agent_ends(said=text, error=text)
        step.refused(text, text)
        step.moves(outcome, text)
    for kind in ("halted", "waiting"):
        night.row(kind, account=text, reason=text, until=text)
    night.row("paused", scope=text, reason=text)
    night.row("limit", scope=text, cause=text, cap=1, used=2)
    night.row("limit", scope="disk", cause="disk", cap=0, used=0, text=text)
    night.row("warning", text=text)
    night.row("delivered", branch="ralph/loop-1", how="parked", commit="c" * 40, detail=text)
    night.row("delivery_failed", branch=f"ralph/{text}", reason=text)
    night.row("pull_request", branch="ralph/loop-2", number=1, url=text, state=text, draft=False)
    night.ends(text)


def check_inert(found: NightReport) -> None:
    text = report.render_markdown(found)
    assert len(text.split()) <= MOST_WORDS
    assert links(text) == []
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff]", text
    )
    plain = report.render_terminal(found)
    assert len(plain.split()) <= MOST_WORDS
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", plain)
    coloured = report.render_terminal(found, colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).strip() == plain.strip() or "=" in plain
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", re.sub(r"\x1b\[[0-9;]*m", "", coloured))


@pytest.mark.parametrize(
    "text", [EVIL, EVIL * 50, "a " * 3000, "a" * 9000, "x. " * 2000, "# h\n\n- l\n\n```\n", "[/] [red]x[/red]"]
)
def test_foreign_text_is_inert_and_the_page_stays_short(night: RecordedNight, text: str) -> None:
    check_inert(everything_says(night, text))


@given(st.text(max_size=300))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_inert(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    night = RecordedNight(tmp_path_factory.mktemp("night") / "ledger.db")
    check_inert(everything_says(night, text, tasks=4))
    night.ledger.close()


@pytest.mark.parametrize("tasks", [20, 200])
def test_a_long_night_is_read_in_ten_minutes(night: RecordedNight, tasks: int) -> None:
    found = everything_says(night, "A title of the usual length that says what the change is about", tasks)
    text = report.render_markdown(found)
    assert len(text.split()) <= MOST_WORDS
    if tasks == 20:
        assert all(f"`t{n}`" in text or f"**t{n} " in text for n in range(20))
    else:
        assert "more: `ralph report --json`" in text


def test_json_has_a_version_and_everything(night: RecordedNight) -> None:
    night.land("t1")
    found = report.collect(night.ledger, night.night)
    value = json.loads(report.render_json(found))
    assert value["version"] == 1
    assert set(value) == {"version", *(field.name for field in dataclasses.fields(NightReport))}
    assert value["tasks"][0]["gates"][0]["verdict"] == "passed"
    assert value["tasks"][0]["said"] == "All done, everything works!"


def test_files_are_named_after_the_night(night: RecordedNight, tmp_path: Path) -> None:
    night.land("t1")
    found = report.collect(night.ledger, night.night)
    markdown, data = report.write(tmp_path / "progress", found)
    assert [path.name for path in (markdown, data)] == ["2026-11-20-1-report.md", "2026-11-20-1-report.json"]
    assert markdown.read_text() == report.render_markdown(found)
    assert data.read_text() == report.render_json(found)
    assert report.write(tmp_path / "progress", found) == (markdown, data)
    assert len(list((tmp_path / "progress").iterdir())) == 2


@pytest.mark.parametrize(
    ("spend", "said"),
    [
        (Spend(), "$0.00"),
        (Spend(dollars=1234.5), "$1,234.50"),
        (Spend(dollars=None, unmetered_iterations=1), "cost not metered"),
        (Spend(dollars=2.0, unpriced_calls=3), "$2.00 plus a part not metered"),
        (Spend(dollars=2.0, unsettled_tokens=9), "$2.00 plus a part not metered"),
    ],
)
def test_money(spend: Spend, said: str) -> None:
    assert money(spend) == said


def test_amounts() -> None:
    assert [duration(seconds) for seconds in (0, 59.4, 60, 3599, 3600, 32_280)] == [
        "0 s",
        "59 s",
        "1 min",
        "59 min",
        "1 h 0 min",
        "8 h 58 min",
    ]
    assert [amount("dollars", 5.2), amount("tokens", 400_000.0), amount("timeout", 2700), amount("x", 1.5)] == [
        "$5.20",
        "400,000",
        "45 min",
        "1.50",
    ]


def test_a_gate_without_tests_says_what_it_said(night: RecordedNight) -> None:
    step = night.began("t1")
    step.gate(
        "types", "types", "failed", reason="exit 2", excerpt="checking\nsrc/a.ts(1,54): error TS2322: no", counts=None
    )
    step.ends("rejected", "gate types: exit 2")
    step.moves("failed", "used up")
    night.ends(exit_code=4)
    assert "`exit 2: src/a.ts(1,54): error TS2322: no`" in page(night)


def test_a_panic_says_what_was_wrong_and_not_where(night: RecordedNight) -> None:
    step = night.began("t1")
    step.refused(
        "src/lib.rs::adds", "thread 'adds' (57) panicked at src/lib.rs:11:9:\nassertion `left == right` failed"
    )
    step.moves("failed", "used up")
    night.ends(exit_code=4)
    assert "left == right" in page(night)
    assert "panicked" not in page(night)


def test_what_a_person_was_told_is_not_told_twice(night: RecordedNight) -> None:
    step = night.began("t1")
    step.agent_ends(exit_code=127, error="exit 127: claudette was not found")
    step.ends("agent_failed", "exit 127: claudette was not found")
    step.moves("needs_human", "stuck; last: exit 127: claudette was not found")
    night.ends(exit_code=4)
    assert page(night).count("claudette") == 1


def test_unmetered_agents_have_no_figures(night: RecordedNight) -> None:
    step = night.began("t1")
    step.agent_ends(metered=False)
    step.ends("no_change", "no change")
    night.ends()
    text = page(night)
    assert "Not metered: nobody counted what the agents used." in text
    assert "0 calls" not in text


def test_a_night_on_a_red_base_did_not_start(night: RecordedNight) -> None:
    night.ends("the base is red: tests: exit 1", 4)
    assert headings(page(night))[0].endswith(": it did not start")


@pytest.mark.parametrize("colour", [True, False])
def test_words_wrap_in_a_terminal_and_paths_stay_whole(night: RecordedNight, colour: bool) -> None:
    night.land("t1", title="A long title that says what is to be done about the thing in the other module")
    night.ends()
    found = report.collect(night.ledger, night.night)
    wide, narrow = (report.render_terminal(found, colour=colour, width=width) for width in (0, 40))
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", text) for text in (wide, narrow)]
    assert plain[0].split() == plain[1].split()
    assert max(len(line) for line in plain[1].splitlines() if " " in line.strip().removeprefix("- ")) <= 40


def guarded(step: Iteration, verdict: str, message: str, *, note: bool = False, name: str = "tampering") -> None:
    finding = {"rule": "weaken-test", "path": "tests/test_a.py", "line": 7, "message": message, "note": note}
    step.row("guard", name=name, tree=step.tree, verdict=verdict, findings=[finding])


def test_what_was_done_to_tests_comes_first(night: RecordedNight) -> None:
    refused = night.began("t1")
    guarded(refused, "failed", "the assertion is weaker")
    refused.ends("rejected", "guard tampering")
    night.land("t1")
    step = night.began("t2")
    guarded(step, "passed", "declared by the task: the expected value changed", note=True)
    step.commits()
    leftover = night.began("t3")
    guarded(leftover, "passed", "a print is left", note=True)
    leftover.commits()
    text = page(night)
    assert headings(text)[1:3] == ["Changes to tests and checks", "Landed, in the order to review"]
    first = text.index("`t2`: landed as declared in `00000003cc`: tests/test_a.py:7: the expected value changed")
    assert first < text.index("`t1`: refused: tests/test_a.py:7: the assertion is weaker")
    assert "`t3`: landed as declared" not in text
    assert "- `tests/test_a.py:7`: a print is left (`t3`)" in text[text.index("## Look at first") :]


def test_faults_that_no_test_noticed_are_where_to_look(night: RecordedNight) -> None:
    for task, alive in (("t1", 1), ("t2", 2)):
        step = night.began(task)
        fates = ["killed", *["survived"] * alive]
        mutants = [
            {"path": f"src/{task}.py", "line": n, "before": "<", "after": "<=", "fate": fate}
            for n, fate in enumerate(fates)
        ]
        step.gate("strength", "strength", strength={"changed": 3, "covered": 3, "mutants": mutants}, execution=None)
        step.gate("proof", "proof", proof={"grade": "not_provable", "tests": {}, "reason": ""}, execution=None)
        step.commits()
    text = page(night)
    first = text.index("`src/t2.py:1`: no test notices a fault planted here: &lt; became &lt;=, and 1 more (`t2`)")
    assert first < text.index("`src/t1.py:1`: no test notices a fault planted here: &lt; became &lt;= (`t1`)")
    assert "No test shows what these changed. (`t1`, `t2`)" in text


def test_lines_that_no_test_runs_and_runs_without_a_planted_failure_are_said(night: RecordedNight) -> None:
    step = night.began("t1")
    mutants = [{"path": "src/a.py", "line": n, "before": "<", "after": "<=", "fate": "untested"} for n in (3, 3, 4)]
    step.gate("strength", "strength", strength={"changed": 2, "covered": 0, "mutants": mutants}, counts=None)
    step.gate(execution={"argv": ["pytest"], "canary": ""})
    step.commits()
    night.land("t2")
    text = page(night)
    assert "strength 3 not tried, on lines that no test runs, 0 of 2 changed lines ran" in text
    assert "`src/a.py:3`: no test runs it, and 1 more (`t1`)" in text
    assert "No failing test was planted in these runs: nothing shows that they would report one. (`t1`)" in text


def test_what_was_probed_before_and_after_a_restart_counts_together(night: RecordedNight) -> None:
    for path, caught in (("a.py", 1), ("b.py", 4)):
        night.row("gate_strength", files=[{"path": path, "planted": 4, "caught": caught, "raised": caught < 2}])
    assert "Your gates catch 62 % of 8 faults planted in tonight's files. Weak: `a.py` 1 of 4" in page(night)


def test_a_change_that_was_refused_for_its_tests_names_the_first_fault(night: RecordedNight) -> None:
    step = night.began("t1")
    mutants = [{"path": "src/a.js", "line": 3, "before": "", "after": "+ became -", "fate": "survived"}]
    told = {"reason": "0 of 1", "excerpt": "No test notices when this is changed:\n  src/a.js:3: + became -"}
    strength = {"changed": 1, "covered": 1, "mutants": mutants}
    step.gate("strength", "strength", "failed", strength=strength, counts=None, **told)
    step.ends("rejected", "gate strength")
    step.moves("failed", "1 of 1 attempts used")
    assert "`strength`: `no test notices src/a.js:3: + became -`" in page(night)
