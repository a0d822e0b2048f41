"""`ralph evidence` and `ralph verify`: what was executed to support a claim, and whether the record holds."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ralph.cli.record import night_named, nights, opened
from ralph.errors import DONE, EXPECTED, RalphError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ralph.engine.audit.claims import Claim, Executed
    from ralph.engine.audit.findings import Findings
    from ralph.host.paths import Layout
    from ralph.memory.ledger import Event, Ledger

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(
    epilog="""\b
Examples:
  ralph evidence                what the last night executed
  ralph evidence fix-the-login  for one task, attempt by attempt
  ralph evidence 3f9a2c1        for one commit
  ralph evidence HEAD --log tests | less
  ralph evidence 2026-11-20-1.loop-1.3 --fetch
"""
)
@click.argument("what", required=False)
@_JSON
@click.option("--log", "log", metavar="GATE", help="Print the log of the last run of GATE.")
@click.option("--flaky", is_flag=True, help="List the tests in quarantine.")
@click.option("--fetch", is_flag=True, help="Copy what an iteration left into a branch here, to look at it.")
def evidence(what: str | None, as_json: bool, log: str | None, flaky: bool, fetch: bool) -> None:
    """Show what was executed to support a task, an iteration or a commit, and what is left of it.

    Grades: verified (executed on exactly that tree), observed (weaker: no results for each test, or only digests
    left), reported (somebody's word), stale (the tree has changed since), not_run.
    """
    from ralph.engine.audit.claims import Claims

    with opened() as (where, ledger):
        if flaky:
            _print_flaky(where, as_json)
            return
        if fetch:
            click.echo(_fetched(where, ledger, what))
            return
        claims = Claims(where, ledger)
        found = claims.of(what) if what else list(claims.of_night(night_named(ledger, None)))
        guards = claims.guards(what) if what else []
    if log:
        _print_log(found, log)
    elif as_json:
        _emit_json(found)
    elif what and (found or guards):
        parts = [*(_guard_story(event) for event in guards), *(_story(claim) for claim in found)]
        click.echo("\n\n".join("\n".join(part) for part in parts))
    else:
        _print_table(found)


def _print_flaky(where: Layout, as_json: bool) -> None:
    """Expired ones are listed too, as long as they are on the list."""
    from ralph.cli.output import emit_json, table
    from ralph.memory import quarantine

    entries = quarantine.read(where.quarantine)
    if as_json:
        emit_json([entry.model_dump(mode="json") for entry in entries])
    elif not entries:
        click.echo("No test is in quarantine.")
    else:
        rows = [
            [one.gate, one.test, f"{one.failed} of {one.runs}", one.owner, f"{one.since}", f"{one.expires}"]
            for one in entries
        ]
        click.echo(table(["gate", "test", "failed", "owner", "since", "gates again"], rows, limit=100))


def _print_table(found: list[Claim]) -> None:
    from ralph.cli.output import table

    if not found:
        click.echo("Nothing was executed yet.")
        return
    columns = ["task", "gate", "verdict", "grade", "exit", "tests", "tree", "log"]
    rows = [_row(claim) for claim in found]
    shown = [[row[name] if name != "tree" else row[name][:12] for name in columns] for row in rows]
    click.echo(table(columns, shown, limit=100))


def _emit_json(found: list[Claim]) -> None:
    from ralph.cli.output import emit_json

    emit_json([{**_row(claim), **_detail(claim)} for claim in found])


def _row(claim: Claim) -> dict[str, Any]:
    data, counts = claim.data, claim.data.get("counts") or {}
    ran = data.get("execution") or {}
    own = claim.runs[0] if data.get("execution") else None
    return {
        "task": claim.event.task,
        "iteration": claim.event.iteration,
        "gate": data.get("name", ""),
        "verdict": data.get("verdict", ""),
        "grade": claim.grade.value,
        "reason": data.get("reason", ""),
        "exit": ran.get("exit_code"),
        "tests": f"{counts.get('passed', 0)} of {counts.get('collected', 0)}" if counts else None,
        "tree": data.get("tree", ""),
        "argv": list(ran.get("argv") or ()),
        "log": _file(own, "log") if own else None,
    }


def _detail(claim: Claim) -> dict[str, Any]:
    data = claim.data
    told = {key: data.get(key) for key in ("kind", "comparison", "proof", "strength", "review", "flaky", "failures")}
    return {
        **told,
        "commit": claim.commit or None,
        "said": claim.said,
        "executions": [
            {**run.data, "counts": run.counts, "log": _file(run, "log"), "report": _file(run, "report")}
            for run in claim.runs
        ],
    }


def _file(run: Executed, kind: str) -> str | None:
    """The path of log or report with what became of it; loud where it should not be so."""
    path, state = (run.log, run.log_state) if kind == "log" else (run.report, run.report_state)
    if path is None:
        return None
    word = {"changed": "CHANGED", "lost": "gone", "removed": "removed, digest only"}.get(state.value, state.value)
    return f"{path} ({word})"


def _guard_story(event: Event) -> Iterator[str]:
    """What a guard found in a change: it runs no command, so it is no claim with a grade."""
    from ralph.core.claim_words import place
    from ralph.core.inert import visible

    yield click.style(f"guard {event.data.get('name')}: {event.data.get('verdict')}".replace("_", " "), bold=True)
    yield f"  {event.task or '-'}, {event.iteration}, tree {str(event.data.get('tree', ''))[:12]}"
    for finding in event.data["findings"]:
        yield f"  {visible(place(finding))}: {visible(str(finding.get('message', '')))}"


def _story(claim: Claim) -> Iterator[str]:
    """A claim in lines for a person."""
    from ralph.core.inert import visible

    data = claim.data
    head = f"{data.get('name')}: {str(data.get('verdict')).replace('_', ' ')} ({claim.grade.value})"
    yield click.style(head, bold=True) + (f"  {visible(str(data.get('reason', '')))}" if data.get("reason") else "")
    commit = f", commit {claim.commit[:12]}" if claim.commit else ""
    yield f"  {claim.event.task or '-'}, {claim.event.iteration}, tree {str(data.get('tree', ''))[:12]}{commit}"
    if claim.said:
        yield f"  {visible(claim.said)}"
    for run in claim.runs:
        yield from _run(run, str(data.get("tree", "")))


def _run(run: Executed, tree: str) -> Iterator[str]:
    from ralph.core.inert import visible

    data, counts = run.data, run.counts or {}
    ended = f"signal {data['signal']}" if data.get("signal") else f"exit {data.get('exit_code')}"
    ended = f"ended by ralph: {data['cause']}" if data.get("cause") else ended
    words = ("passed", "failed", "skipped", "xfailed")
    tests = ", ".join(f"{counts[word]} {word}" for word in words if counts.get(word))
    attempt = f" {data['attempt']}" if data.get("attempt", 1) != 1 else ""
    yield f"  {data.get('purpose') or 'head'}{attempt}: {visible(shlex.join(map(str, data.get('argv') or ())))}"
    on = f"tree {str(data.get('tree', ''))[:12]}, " if data.get("tree") not in (None, "", tree) else ""
    yield f"    {on}in {data.get('directory') or '?'}, sandbox {data.get('sandbox') or 'none'}{_environment(data)}"
    took = f", {float(data.get('seconds') or 0):.2f} s"
    yield f"    {data.get('started') or '?'}{took}, {ended}{f'; {tests}' if tests else ''}"
    for kind in ("log", "report"):
        if said := _file(run, kind):
            yield f"    {kind} {said}"


def _environment(data: Any) -> str:
    tools = ", ".join(f"{name} {version}" for name, version in (data.get("tools") or {}).items())
    told = f", environment {data['environment']}" if data.get("environment") else ""
    return f"{told}{f', {tools}' if tools else ''}{', dirty' if data.get('dirty') else ''}"


def _print_log(found: list[Claim], gate: str) -> None:
    named = [claim for claim in found if claim.data.get("name") == gate]
    if not named:
        known = ", ".join(dict.fromkeys(str(claim.data.get("name")) for claim in found)) or "none"
        raise RalphError(f"no gate {gate!r} was run for it", f"there are: {known}")
    logs = [run.log for run in named[-1].runs if run.log]
    if not logs or not logs[0].is_file():
        raise RalphError(f"the log of {gate} is gone", "`[keep] logs_days` says how long logs are kept")
    from ralph.verify.excerpt import read_log

    click.echo(read_log(logs[0]), nl=False)


def _fetched(where: Layout, ledger: Ledger, what: str | None) -> str:
    """Copy the attempt of an iteration into a branch of the user's repository."""
    from ralph.vcs import delivery
    from ralph.vcs.store import attempt_ref

    began = next(iter(ledger.events(kinds=("began",), iteration=what or "-")), None)
    if began is None:
        raise RalphError(f"there is no iteration {what!r}", "`ralph evidence --json` names them")
    git_dir = where.loop(began.loop) / "git"
    commit = delivery.existing_branch(git_dir, attempt_ref(began.iteration)) if git_dir.is_dir() else None
    made = next(iter(ledger.events(kinds=("committed",), iteration=began.iteration)), None)
    commit = commit or (str(made.data["commit"]) if made else None)
    if commit is None:
        raise RalphError(f"nothing of {began.iteration} is kept", "`[keep] attempts_days` says how long attempts are")
    branch = f"refs/heads/ralph-attempt/{began.iteration}"
    known = delivery.existing_branch(where.repo, branch)
    found = delivery.deliver(where.repo, git_dir, branch, commit, known)
    return f"{found.branch.removeprefix('refs/heads/')} is at {commit[:12]}"


@click.command(
    epilog="""\b
Examples:
  ralph verify                  the last night
  ralph verify 2026-11-20       another one
  ralph verify 3f9a2c1          one commit
  ralph verify HEAD --rerun     execute its gates again, and compare test by test
  gh pr view 7 --json body -q .body | ralph verify --pr-body - --head "$(git rev-parse HEAD)"
"""
)
@click.argument("what", required=False)
@click.option("--rerun", is_flag=True, help="Also execute the commands again at the commits, in the sandbox.")
@click.option("--pr-body", type=click.File("r"), metavar="FILE", help="Check the attestation in a pull request's body.")
@click.option("--head", metavar="COMMIT", help="With --pr-body: the head that the pull request has now.")
@_JSON
def verify(what: str | None, rerun: bool, pr_body: IO[str] | None, head: str | None, as_json: bool) -> None:
    """Derive every verdict of a night or a commit again from the stored bytes, and compare with what is on record.

    Checked: the ledger's chain and its export, digests of logs and reports, verdicts, guards, commits, messages and
    notes, and that no attempt is missing. Exit code 1 with the first mismatch of each kind.
    """
    if bool(head) != bool(pr_body) or (pr_body and (what or rerun)):
        raise click.UsageError("--pr-body goes with --head, and with nothing else")
    if pr_body:
        sys.exit(_tell(_body(pr_body.read(), str(head)), str(head)[:12], as_json))
    with opened() as (where, ledger):
        name, found = _verified(where, ledger, what, rerun)
    sys.exit(_tell(found, name, as_json))


def _verified(where: Layout, ledger: Ledger, what: str | None, rerun: bool) -> tuple[str, Findings]:
    from ralph.engine.audit import night as story
    from ralph.engine.audit.rerun import rerun_commits

    known = nights(ledger)
    if what is None or what in known or any(night.startswith(f"{what}-") for night in known):
        name = night_named(ledger, what)
        found = story.verify_night(where, ledger, name)
        commits = [str(event.data["commit"]) for event in ledger.events(night=name, kinds=("committed",))]
    else:
        commits = [_commit(where, ledger, what)]
        name, found = commits[0][:12], story.verify_commit(where, ledger, commits[0])
    if rerun:
        rerun_commits(where, ledger, commits, found)
    return name, found


def _commit(where: Layout, ledger: Ledger, what: str) -> str:
    """Full id of what a person calls a commit: of the repository, or of the ledger by its beginning."""
    from ralph.vcs import user
    from ralph.vcs.git import text

    git = user.open_repository(where.repo)
    code, out, _ = git.status("rev-parse", "--verify", "--quiet", "--end-of-options", f"{what}^{{commit}}")
    if code == 0:
        return text(out).strip()
    made = [str(event.data["commit"]) for event in ledger.events(kinds=("committed",))]
    matching = [commit for commit in made if len(what) >= 4 and commit.startswith(what)]
    if not matching:
        raise RalphError(f"{what!r} is no night and no commit", f"the last nights: {', '.join(nights(ledger)[-5:])}")
    return matching[0]


def _body(text: str, head: str) -> Findings:
    from ralph.engine.audit.attested import check_body
    from ralph.host.paths import find_repo, layout

    return check_body(layout(find_repo(Path.cwd())), text, head)


def _tell(found: Findings, name: str, as_json: bool) -> int:
    from dataclasses import asdict

    from ralph.cli.output import emit_json
    from ralph.core.inert import visible

    code = EXPECTED if found.mismatches else DONE
    if as_json:
        wrong = [asdict(one) for one in found.mismatches]
        told = {"what": name, "sound": not wrong, "mismatches": wrong, "remarks": found.remarks}
        emit_json({**told, "checked": dict(found.checked)})
        return code
    for one, more in found.first_of_each:
        others = f" (and {more} more of this kind)" if more else ""
        click.echo(f"{click.style(one.kind, fg='red')}: {visible(one.where)}: {visible(one.said)}{others}")
    for remark in found.remarks:
        click.echo(f"note: {visible(remark)}")
    looked = ", ".join(f"{count} {what}" for what, count in found.checked.items())
    word = "does not hold" if found.mismatches else "holds"
    click.echo(f"{name}: the record {word} ({looked or 'nothing'} checked)")
    return code
