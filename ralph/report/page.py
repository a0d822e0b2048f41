"""The page a person reads in the morning, written once for every medium; an Ink makes it Markdown or terminal text.

What needs a person comes first. The words never exceed the grade: *passed* is said of what was executed on
exactly the committed tree, everything weaker says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ralph.core.inert import line
from ralph.domain import Grade, Verdict
from ralph.report.model import BranchLine, GateLine, LimitLine, NightReport, Spend, TaskLine
from ralph.report.sums import strength_words, sum_words
from ralph.report.train import removal_words, sentences

MOST_WORDS = 1200
"""What a person reads in ten minutes, tables and code included."""


class Ink(Protocol):
    """How one medium writes; every text that goes through comes out inert."""

    def words(self, text: str) -> str: ...
    def code(self, text: str) -> str: ...
    def strong(self, text: str) -> str: ...
    def heading(self, level: int, text: str) -> str: ...
    def link(self, url: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of each thing is shown: words of a title, words of a reason, items of a list."""

    title: int
    reason: int
    items: int


_DETAILS = (Detail(12, 30, 60), Detail(8, 16, 25), Detail(7, 10, 20), Detail(6, 8, 10), Detail(4, 5, 6))


def write(report: NightReport, ink: Ink) -> str:
    """The page with as much detail as fits in MOST_WORDS."""
    text = ""
    for detail in _DETAILS:
        text = "\n".join(_Writer(report, ink, detail).page()) + "\n"
        if len(text.split()) <= MOST_WORDS:
            break
    return text


@dataclass(frozen=True, slots=True)
class _Writer:
    report: NightReport
    ink: Ink
    detail: Detail

    def page(self) -> Iterator[str]:
        yield self.ink.heading(1, f"Night {self.report.night}: {self.report.headline}")
        yield ""
        yield from self._summary()
        sections = [
            ("Changes to tests and checks", self._touched()),
            ("Needs you", self._needs()),
            ("Landed, in the order to review", self._landed()),
            ("Failed", self._failed()),
            ("Stopped", self._stopped()),
            ("Proposed by reviewers", self._proposed()),
            ("Look at first", self._look()),
            ("Money and tokens", self._money()),
            ("Not verified", self._not_verified()),
        ]
        for title, lines in sections:
            body = list(lines)
            if body:
                yield from ("", self.ink.heading(2, title), "", *body)

    def title(self, task: TaskLine) -> str:
        named = f"{self.name(task.id)} {self.ink.words(short(task.title, self.detail.title))}"
        return named.rstrip()

    def name(self, text: str) -> str:
        """A branch, a test, an id: whole, unless somebody wrote a story into it."""
        return self.ink.code(short(text, 4, 160))

    def label(self, text: str) -> str:
        return self.ink.words(short(text, 3, 80))

    def reason(self, text: str) -> str:
        return self.ink.words(short(text, self.detail.reason))

    def cut(self, items: Sequence[object]) -> list[str]:
        more = len(items) - self.detail.items
        return [f"- and {more} more: {self.ink.code('ralph report --json')}"] if more > 0 else []

    def _summary(self) -> Iterator[str]:
        report, totals = self.report, self.report.totals
        span = f"{clock(report.started)} to {clock(report.ended)} UTC, {duration(report.seconds)}"
        running = f"Running since {clock(report.started)} UTC, {duration(report.seconds)} so far"
        ended = f" Ended: {self.reason(report.reason)}." if report.reason else ""
        base = f"base {self.name(report.base or '?')} at {self.ink.code(report.base_commit[:10] or '?')}"
        sandbox = self.label(report.sandbox or "none")
        yield f"{span if report.ended else running}; {base}; sandbox {sandbox}.{ended}"
        yield (
            f"{plural(totals.iterations, 'iteration')}, {plural(totals.commits, 'commit')}, "
            f"{plural(totals.files, 'file')} changed, {totals.spend.tokens:,} tokens, {money(totals.spend)}."
        )

    def _touched(self) -> Iterator[str]:
        """One line a task: what was let through stands before what was refused."""
        for one in self.report.touched[: self.detail.items]:
            more = f" and {len(one.places) - 1} more" if len(one.places) > 1 else ""
            how = f"landed as declared in {self.ink.code(one.commit[:10])}" if one.commit else "refused"
            yield f"- {self.name(one.task)}: {how}: {self.reason(one.places[0])}{more}"
        yield from self.cut(self.report.touched)

    def _needs(self) -> Iterator[str]:
        failures = {task.id: task.failure for task in self.report.of("needs_human")}
        for position, need in enumerate(self.report.needs[: self.detail.items], start=1):
            failure = failures.get(need.subject) if need.code == "needs_human" else None
            message = failure.message if failure and failure.message not in need.why else ""
            seen = f"; first failure {self.ink.code(short(message, self.detail.reason))}" if message else ""
            why = f": {self.reason(need.why)}" if need.why else ""
            yield f"{position}. {self.ink.strong(short(need.what, self.detail.title + 2))}{why}{seen}"
            if need.command and len(need.command.split()) <= 12:
                yield f"   Then: {self.ink.code(need.command)}"
        yield from self.cut(self.report.needs)

    def _proposed(self) -> Iterator[str]:
        for one in self.report.proposals[: self.detail.items]:
            yield f"- {self.ink.words(short(one.title, self.detail.reason))} (beside {self.name(one.task)})"
        yield from self.cut(self.report.proposals)

    def _look(self) -> Iterator[str]:
        sums = self.report.sums
        if sums and sums.files:
            yield f"- {sum_words(sums)}"
            for spot in sums.spots[: self.detail.items]:
                place = f"{spot.path}:{spot.line}" if spot.line else spot.path
                whose = f" ({', '.join(self.name(task) for task in spot.tasks[:3])})" if spot.tasks else ""
                yield f"- {self.name(place)}: {self.reason(spot.why)}{whose}"
        most = min(self.detail.items, 5)
        for spot in (*self.report.unnoticed[:most], *self.report.leftovers[:most]):
            yield f"- {self.name(spot.path)}: {self.reason(spot.why)} ({self.name(spot.tasks[0])})"
        if said := strength_words(self.report.gate_strength, self.name):
            yield f"- {said}"

    def _landed(self) -> Iterator[str]:
        yield from self._together()
        tasks = {task.id: task for task in self.report.tasks}
        shown = 0
        for branch in self.report.review:
            if shown >= self.detail.items:
                break
            yield f"{branch.position}. {self._branch(branch)}"
            for name in branch.tasks[: self.detail.items - shown]:
                yield f"   - {self._landed_task(tasks[name])}"
            shown += max(1, len(branch.tasks))
        yield from self.cut(self.report.of("landed"))

    def _together(self) -> Iterator[str]:
        """What lands with what: from the train, else as far as it was foreseen."""
        train, said = self.report.train, []
        if train:
            said = list(sentences(train, self.name, self.reason))
        else:
            for one in self.report.forecast[: self.detail.items]:
                pair = " and ".join(self.name(branch) for branch in one.branches)
                said.append(f"{pair} conflict in {', '.join(self.name(path) for path in one.paths[:3])}.")
        if said:
            yield from (" ".join(said), "")

    def _branch(self, branch: BranchLine) -> str:
        size = f"{plural(branch.commits, 'commit')}, {plural(branch.files, 'file')}"
        after = f", after {', '.join(self.name(name) for name in branch.after)}" if branch.after else ""
        after += f", together with {', '.join(self.name(name) for name in branch.together)}" if branch.together else ""
        request = branch.pull_request
        if request is None:
            return f"{self.name(branch.branch)}: {size}{after}, no pull request yet"
        state = "draft" if request.draft and request.state == "open" else self.label(request.state)
        return f"{self.name(branch.branch)}: {size}{after}; {state} {self.ink.link(request.url)}"

    def _landed_task(self, task: TaskLine) -> str:
        gates = ", ".join(self._gate(gate) for gate in task.gates if gate.verdict is not Verdict.NOT_APPLICABLE)
        commit = self.ink.code((task.commit or "")[:10])
        train = self.report.train
        out = next((one for one in train.removals if one.task == task.id), None) if train else None
        again = f"; {removal_words(out, self.name)}" if out and out.how == "proven" else ""
        return f"{self.title(task)}: {gates or 'no gate ran'}; {commit}{again}"

    def _gate(self, gate: GateLine) -> str:
        words = gate_words(gate)
        if gate.said and words.startswith(("proven by", "reviewed by")):
            return self.reason(words)
        return f"{self.label(gate.name)} {self.reason(words) if gate.said else words}"

    def _failed(self) -> Iterator[str]:
        failed = self.report.of("failed")
        for task in failed[: self.detail.items]:
            failure = task.failure
            where = f"{self.name(failure.where)}: " if failure else ""
            what = self.ink.code(short(failure.message, self.detail.reason)) if failure else self.reason(task.reason)
            yield f"- {self.title(task)} ({plural(task.attempts, 'attempt')}): {where}{what}"
        yield from self.cut(failed)
        if failed:
            names = " ".join(task.id for task in failed[: self.detail.items])
            yield f"- Try again: {self.ink.code(f'ralph tasks retry {names}')}"

    def _stopped(self) -> Iterator[str]:
        limits = self.report.limits
        for limit in limits[: self.detail.items]:
            yield f"- Limit: {self._limit(limit)}"
        yield from self.cut(limits)
        for wait in self.report.waits[: self.detail.items]:
            spent = f"for {duration(wait.seconds)}" if wait.seconds is not None else "until the end of the night"
            yield f"- Waited {spent}: {self.label(wait.account)}, {self.reason(wait.reason)}"
        yield from self.cut(self.report.waits)
        stopped = self.report.of("unfinished", "not_started", "cancelled")
        for task in stopped[: self.detail.items]:
            yield f"- {self.title(task)}: {task.outcome.replace('_', ' ')}. {self.reason(task.reason)}".rstrip()
        yield from self.cut(stopped)

    def _limit(self, limit: LimitLine) -> str:
        if limit.text:
            return self.reason(limit.text)
        whose = [name for name in (limit.loop, limit.task) if name and name not in limit.scope.split()]
        named = f" ({', '.join(self.name(name) for name in whose)})" if whose else ""
        used = f"{amount(limit.cause, limit.used)} of {amount(limit.cause, limit.cap)}"
        return f"{self.label(limit.scope)} {self.label(limit.cause)} {used}{named}"

    def _money(self) -> Iterator[str]:
        spend = self.report.totals.spend
        if spend.unmetered_iterations and not spend.calls:
            yield "- Not metered: nobody counted what the agents used."
        if not spend.calls:
            return
        yield (
            f"- {money(spend)} in {plural(spend.calls, 'call')}: {spend.input_tokens:,} input, "
            f"{spend.cache_write_tokens:,} cache write, {spend.cache_read_tokens:,} cache read, "
            f"{spend.output_tokens:,} output."
        )
        for model, part in list(self.report.by_model.items())[:6]:
            yield f"- {self.label(model)}: {part.tokens:,} tokens, {money(part)}"
        dear = sorted(self.report.tasks, key=lambda task: (-task.spend.tokens, task.id))[:3]
        costly = [f"{self.name(task.id)} {task.spend.tokens:,}" for task in dear if task.spend.tokens]
        if len(self.report.tasks) > 1 and costly:
            yield f"- Most tokens: {', '.join(costly)}"

    def _not_verified(self) -> Iterator[str]:
        for doubt in self.report.not_verified[: self.detail.items]:
            yield f"- {self.ink.words(short(doubt.text, self.detail.reason + 10))}{self._ids(doubt.tasks)}"
        for warning in self.report.warnings[: self.detail.items]:
            yield f"- Warning: {self.reason(warning)}"
        yield from self.cut([*self.report.not_verified, *self.report.warnings])

    def _ids(self, names: Sequence[str]) -> str:
        most = min(self.detail.items, 8)
        more = f" and {len(names) - most} more" if len(names) > most else ""
        return f" ({', '.join(self.name(name) for name in names[:most])}{more})" if names else ""


def gate_words(gate: GateLine) -> str:
    """What may be said of a gate: no stronger word than its grade."""
    counts = gate.counts
    if gate.verdict is Verdict.NOT_RUN or gate.grade is Grade.NOT_RUN:
        return "did not run"
    if gate.verdict is not Verdict.PASSED:
        return f"{gate.verdict.value}{', advisory' if gate.advisory else ''}"
    if gate.said and (gate.grade is not Grade.REPORTED or gate.kind == "review"):
        return f"{gate.said} ({gate.grade.value})" if gate.grade in (Grade.OBSERVED, Grade.STALE) else gate.said
    if gate.grade is Grade.REPORTED:
        return "reported as passed"
    number = f"{counts.passed} passed" if counts and counts.collected else ""
    if gate.grade in (Grade.OBSERVED, Grade.STALE):
        return f"{number or 'exit 0'} ({gate.grade.value})"
    return number or "passed"


def money(spend: Spend) -> str:
    """US dollars; an unknown part is never shown as nothing."""
    if spend.dollars is None:
        return "cost not metered"
    known = f"${spend.dollars:,.2f}"
    return known if spend.complete else f"{known} plus a part not metered"


def amount(cause: str, value: float) -> str:
    if "dollar" in cause:
        return f"${value:,.2f}"
    if "second" in cause or cause in ("timeout", "stall"):
        return duration(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest} s"


def clock(moment: str | None) -> str:
    """``22:04`` of an ISO moment."""
    return (moment or "")[11:16] or "?"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def short(text: str, words: int, characters: int = 0) -> str:
    """At most so many words on one line, and nine times as many characters where no other number is given."""
    parts = line(text, words * 40 + characters).split()
    kept = " ".join(parts[:words])
    return line(kept if len(parts) <= words else f"{kept} …", characters or words * 9)
