"""Step ``review``: another agent reads the change and the evidence, writes nothing, and may refuse, never excuse."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from ralph import agents
from ralph.agents import review as answers
from ralph.agents.base import Job
from ralph.core import prompt_review as prompts
from ralph.core.prompt import Prompt
from ralph.core.secrets import Redactor
from ralph.domain import AgentResult, Execution, GateResult, Grade, Review, Run, Verdict
from ralph.engine.desk import WorkerDesk, redact_file
from ralph.engine.jails import Place, review_environment, review_jail
from ralph.engine.judge import review_gates
from ralph.engine.judge.bench import Bench
from ralph.engine.judge.case import Assessment
from ralph.engine.judge.execute import lay
from ralph.engine.line import Line
from ralph.engine.messages import AskReview, ReviewEnded, Reviewer
from ralph.errors import ConfigError

NAME = "review"
FOLDER = "review"
"""Of the run directory: prompt, transcript and log of the reviewer."""
LOGS = ("transcript.jsonl", "agent.log")
WAIT_SECONDS = 3600.0
"""For a reviewer to come free, where nothing caps an iteration's time."""
_FILES = frozenset({"command"})
"""Kinds of agent that hand in by a file: whatever else runs in there could write it as well."""


def review(bench: Bench, found: Assessment) -> tuple[GateResult, ...]:
    """The review of a change that has passed everything; none where no reviewer is configured.

    A review that did not come about is ``not_run`` and keeps nothing from landing: it lands as not reviewed.
    """
    spec, line = bench.place.spec, bench.line
    own = next((loop for loop in bench.config.loops if loop.name == spec.loop), None)
    if line is None or not bench.config.reviewers(own):
        return ()
    known = next((result for result in found.case.known if result.review), None)
    if known and spec.validate_only:
        return (known,)
    line.send(AskReview())
    reviewer = line.await_reviewer(spec.seconds_left or bench.config.limits.iteration_minutes * 60 or WAIT_SECONDS)
    if not reviewer.agent:
        line.send(ReviewEnded())
        return (_none(reviewer.reason),)
    return (_Sitting(bench, found, reviewer, line).result(),)


def _none(why: str, runs: tuple[Run, ...] = ()) -> GateResult:
    reason = f"not reviewed: {why}"
    return GateResult(NAME, NAME, Verdict.NOT_RUN, reason, grade=Grade.NOT_RUN, advisory=True, runs=runs)


@dataclass
class _Sitting:
    """One review: a place of its own in the run directory, the tree read-only, and a clean word at the end."""

    bench: Bench
    found: Assessment
    reviewer: Reviewer
    line: Line

    def result(self) -> GateResult:
        bench, tree = self.bench, self.found.case.tree
        lay(bench, tree, self.found.kept)
        begun, started = monotonic(), datetime.now(UTC)
        try:
            said = self._run()
        except ConfigError as error:  # a script that can't be read is the reviewer's fault, not the task's
            said = AgentResult(error=error.message)
        seconds = monotonic() - begun
        self.line.send(ReviewEnded(replace(said, said=said.said[-2000:]), seconds))
        wrote = bench.workspace.verify_tree(tree)
        if wrote:
            lay(bench, tree, self.found.kept)
        ran = Run(self._execution(said, started, seconds, bool(wrote)))
        return self._judged(said, wrote, ran)

    def _run(self) -> AgentResult:
        """Run the reviewer's agent; everything it leaves is below the review's folder."""
        bench, reviewer, place = self.bench, self.reviewer, self._place()
        table, redactor = bench.config.agents[reviewer.agent], self._redactor()
        agent = agents.make(
            reviewer.agent, table, prices=bench.config.prices, redactor=redactor, root=Path(place.spec.checkout)
        )
        files = table.kind in _FILES
        gates = place.run / "gates"
        gates.mkdir()
        state = [Path(path).expanduser() for path in table.state]
        jail = review_jail(place, self.found.kept, getattr(agent, "binds", list)(), state, gates, files)
        caches = review_gates.caches(place, jail)
        passed = {name: reviewer.secrets[name] for name in table.env if name in reviewer.secrets}
        env = review_environment(place, jail, gates, {**caches, **passed}, files)
        commands = review_gates.write(bench, place, self.found, gates, env)
        text = self._prompt(commands, _how(table.kind))
        (place.run / "prompt.md").write_text(redactor.text(f"{text.system}\n\n{text.user}"), encoding="utf-8")
        desk = WorkerDesk(place, self.line, bench.shim, jail, redactor, review=True)
        if reviewer.seconds:
            desk.deadline = monotonic() + reviewer.seconds
        job = Job(
            prompt=text.user,
            system=text.system,
            prompt_file=Path(env["RALPH_PROMPT_FILE"]),
            run_dir=place.run,
            directory=str(place.directory),
            env=env,
            secrets=reviewer.secrets,
            task_id=place.spec.task.id,
            seconds=reviewer.seconds,
            tokens=reviewer.tokens,
            usage_file=place.notes / "usage.txt",
            review=place.notes / "review.txt",
        )
        try:
            return _redacted(agent.run(job, desk), redactor)
        finally:
            bench.shim.sweep(grace=0)
            for name in ("agent.log", "agent.err", "tools.err", "transcript.jsonl"):
                if (place.run / name).is_file():
                    redact_file(place.run / name, redactor)

    def _place(self) -> Place:
        """The iteration's place with a run directory of its own: the implementer's notes and logs stay as they are."""
        own = self.bench.place
        place = replace(own, spec=replace(own.spec, run_dir=str(own.run / FOLDER)))
        place.make()
        return place

    def _redactor(self) -> Redactor:
        return Redactor([*self.bench.known_secrets, *self.reviewer.secrets.values()])

    def _prompt(self, commands: Sequence[tuple[str, str]], how: str) -> Prompt:
        bench, case, spec = self.bench, self.found.case, self.bench.place.spec
        role = bench.config.roles.get("reviewer")
        before = spec.feedback.gates if spec.feedback else ()
        refused = [gate.review for gate in before if gate.review and not gate.review.accepted]
        return prompts.build(
            prompts.ReviewParts(
                task=case.task,
                attempt=spec.attempt,
                changes=case.changes,
                diff=bench.workspace.diff(case.head_tree, case.tree, 4 * prompts.CAPS["diff"]),
                commands=tuple(commands),
                hand_in=how,
                role=role.prompt if role else "",
                agents_md=spec.agents_md,
                guards=self.found.guards,
                gates=self.found.gates,
                handoffs=spec.handoffs,
                objections=tuple(reason for one in refused for reason in one.reasons),
            )
        )

    def _judged(self, said: AgentResult, wrote: Sequence[str], ran: Run) -> GateResult:
        name = self.reviewer.agent
        if why := _why_not(said, wrote):
            return _none(f"{name}: {why}", (ran,))
        given, problem = answers.read(said.said, name)
        if given is None:
            return _none(f"{name}: {problem}", (ran,))
        who = f"{name}, which did the work as well" if self.reviewer.same else name
        verdict, reason = (
            (Verdict.PASSED, f"accepted by {who}") if given.accepted else (Verdict.FAILED, _objection(given))
        )
        spent = self.reviewer.refused >= self.bench.config.verify.review_rounds
        advisory = not given.accepted and spent
        if advisory:
            reason = f"{who} still objects: {given.reasons[0]}"
        listed = "\n".join(f"- {one}" for one in given.reasons)
        return GateResult(
            NAME,
            NAME,
            verdict,
            " ".join(reason.split())[:400],
            excerpt=listed,
            grade=Grade.REPORTED,
            advisory=advisory,
            runs=(ran,),
            review=given,
        )

    def _execution(self, said: AgentResult, started: datetime, seconds: float, dirty: bool) -> Execution:
        place, case = self.bench.place, self.found.case
        log = next((path for name in LOGS if (path := place.run / FOLDER / name).is_file()), None)
        return Execution(
            argv=(NAME, self.reviewer.agent),
            directory=str(place.directory),
            tree=case.tree,
            started=started.isoformat(timespec="milliseconds"),
            seconds=round(seconds, 3),
            exit_code=said.exit_code,
            cause=said.cause,
            log=str(log.relative_to(place.run)) if log else "",
            log_sha256=hashlib.sha256(log.read_bytes()).hexdigest() if log else "",
            sandbox=place.sandbox.name,
            network=True,
            run=place.spec.iteration,
            dirty=dirty,
            ended=datetime.now(UTC).isoformat(timespec="milliseconds"),
            purpose="review",
        )


def _objection(given: Review) -> str:
    more = f" (and {len(given.reasons) - 1} more)" if len(given.reasons) > 1 else ""
    return f"{given.agent} rejects it: {given.reasons[0]}{more}"


def _why_not(said: AgentResult, wrote: Sequence[str]) -> str:
    """Why a reviewer was not heard; empty where its answer counts."""
    if said.wait:
        return said.wait.reason
    if said.cause:
        return f"stopped by a limit: {said.cause}"
    if said.error:
        return said.error
    return f"it wrote {wrote[0]}, so its word does not count" if wrote else ""


def _how(kind: str) -> str:
    return {"api": prompts.HOW_TOOL, "command": prompts.HOW_FILE}.get(kind, prompts.HOW_MESSAGE)


def _redacted(said: AgentResult, redactor: Redactor) -> AgentResult:
    wait = said.wait and replace(said.wait, reason=redactor.text(said.wait.reason))
    error = said.error and redactor.text(said.error)
    return replace(said, said=redactor.text(said.said), error=error, wait=wait)
