"""Title and body of a pull request from data alone: what changed, what was executed, what was not, how to repeat it.

A reader on a forge must be able to tell what the daemon executed from what somebody said. Text of people and
agents is inert: no mention, no reference, no image, no markup, no control character.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ralph.config import Config
from ralph.core import inert
from ralph.core.secrets import Redactor
from ralph.domain import Task
from ralph.forge.story import Landed, Ran, Story, story
from ralph.memory.ledger import Event

MOST_BYTES = 55_000
"""GitHub takes 65,536 characters; an attestation is added to these."""

MOST_TITLE = 120
"""Characters."""


def compose(
    events: Iterable[Event],
    branch: str,
    config: Config,
    tasks: Mapping[str, Task],
    redact: Callable[[str], str] | None = None,
) -> tuple[str, str]:
    """Title and body for ``branch``. ``redact`` takes known secret values out; credential patterns always go."""
    told = story(events, branch, config.night.base, tasks)
    redact = redact or Redactor().text
    return redact(title(told)), body(told, config, redact)


def title(told: Story) -> str:
    names = [inert.quiet(inert.line(landed.title) or landed.id) for landed in told.landed]
    if not names:
        return inert.line(told.branch, MOST_TITLE)
    counted = f"{len(names)} tasks: " if len(names) > 1 else ""
    return inert.line(counted + "; ".join(names), MOST_TITLE)


@dataclass(frozen=True, slots=True)
class _Detail:
    tasks: int
    files: int
    acceptance: int
    said: int
    """Characters of the agent's words for each task."""


_DETAILS = (_Detail(500, 60, 20, 1500), _Detail(500, 20, 10, 300), _Detail(200, 8, 5, 0), _Detail(60, 3, 0, 0))


def body(told: Story, config: Config, redact: Callable[[str], str] = str) -> str:
    """At most MOST_BYTES of Markdown, with as much detail as fits."""
    text = ""
    for detail in _DETAILS:
        text = redact("\n".join(_lines(told, config, detail)) + "\n")
        if len(text.encode("utf-8", "replace")) <= MOST_BYTES:
            return text
    return _cut(text)


def _cut(text: str) -> str:
    kept = text.encode("utf-8", "replace")[: MOST_BYTES - 200].decode("utf-8", "ignore")
    return kept[: kept.rfind("\n")] + "\n\nThe rest was cut. `ralph evidence` shows everything.\n"


def _lines(told: Story, config: Config, detail: _Detail) -> Iterator[str]:
    nights = ", ".join(told.nights) or "?"
    yield (
        f"Opened by ralph after night {inert.code(nights)}, on {inert.code(told.base)} at "
        f"{inert.code(told.base_commit[:12] or '?')}. Everything below comes from the record of what the daemon "
        "executed, except where it says *reported*."
    )
    if told.after:
        names = ", ".join(inert.code(name) for name in told.after)
        yield f"\n**Stacks on {names}**: review and merge that first."
    shown = told.landed[: detail.tasks]
    yield from _declared(shown, detail)
    yield from ("", "## What changed", "")
    for landed in shown:
        yield from _changed(landed, detail)
    if len(told.landed) > len(shown):
        yield f"- and {len(told.landed) - len(shown)} more tasks; `git log` names them"
    yield from ("", "## What was executed, on exactly the committed tree", "")
    yield from ("| task | gate | result | grade | tree |", "|---|---|---|---|---|")
    yield from (_row(landed, ran) for landed in shown for ran in landed.ran)
    if weak := list(_weak(told)):
        yield from ("", "## Look at first", "", *(f"- {line}" for line in weak[: detail.files]))
    yield from ("", "## What was not", "")
    yield from (f"- {line}" for line in _not_executed(told))
    yield from ("", "## Run it again", "", _again(told, config))
    yield from ("", "## Cost", "", _cost(told))
    yield from _said(shown, detail)


def _declared(shown: Iterable[Landed], detail: _Detail) -> Iterator[str]:
    """Weaker tests and changed settings of checks come before anything else."""
    lines = [(landed.id, place) for landed in shown for place in landed.declared]
    if lines:
        yield from ("", "## Changes to tests and checks that the tasks declare", "")
        yield from (f"- {inert.code(id)}: {inert.markdown(place, 300)}" for id, place in lines[: detail.files])
    if len(lines) > detail.files:
        yield f"- and {len(lines) - detail.files} more; `ralph evidence` names them"


def _changed(landed: Landed, detail: _Detail) -> Iterator[str]:
    more = len(landed.files) - detail.files
    files = ", ".join(inert.code(path) for path in landed.files[: detail.files]) or "no file"
    yield f"### {inert.code(landed.id)} {inert.markdown(landed.title)}".rstrip()
    yield f"Commit {inert.code(landed.commit[:12])}: {files}{f' and {more} more' if more > 0 else ''}"
    if landed.acceptance and detail.acceptance:
        yield from ("", "Acceptance, as the task states it:")
        yield from (f"- {inert.markdown(line, 300)}" for line in landed.acceptance[: detail.acceptance])
        if len(landed.acceptance) > detail.acceptance:
            yield f"- and {len(landed.acceptance) - detail.acceptance} more"
    yield ""


def _row(landed: Landed, ran: Ran) -> str:
    cells = [inert.code(landed.id), inert.code(ran.name), _result(ran), ran.grade, inert.code(landed.tree[:12])]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    """A pipe ends a cell even inside a code span; ``markdown`` has escaped its own already."""
    return text.replace("\\|", "|").replace("|", "\\|")


def _result(ran: Ran) -> str:
    counts = ran.counts
    numbers = ""
    if counts:
        parts = [f"{counts[word]} {word}" for word in ("passed", "failed", "skipped") if counts.get(word)]
        numbers = f": {', '.join(parts)}" if parts else ""
    if ran.said and ran.verdict == "passed" and (ran.grade != "reported" or ran.kind == "review"):
        return inert.markdown(ran.said, 200)
    verdict = ran.verdict.replace("_", " ")
    if ran.verdict == "passed" and ran.grade != "verified":
        verdict = "reported as passed" if ran.grade == "reported" else "exit 0"
    reason = f" ({inert.markdown(ran.reason, 120)})" if ran.verdict not in ("passed", "") and ran.reason else ""
    return f"{verdict}{numbers}{reason}{', advisory' if ran.advisory else ''}"


def _not_executed(told: Story) -> Iterator[str]:
    for landed in told.landed:
        if not landed.ran:
            yield f"{inert.code(landed.id)}: no gate ran on its tree."
    skipped = sorted({(ran.name, ran.verdict) for landed in told.landed for ran in landed.ran if "not_" in ran.verdict})
    for name, verdict in skipped[:20]:
        yield f"Gate {inert.code(name)}: {verdict.replace('_', ' ')} for at least one task."
    weak = [landed.id for landed in told.landed if any(_by_exit_code(ran) for ran in landed.ran)]
    if weak:
        names = ", ".join(inert.code(id) for id in weak[:20])
        yield f"Results for each test: only the exit code is known for {names}."
    if told.sandbox in ("", "none"):
        yield "A sandbox: agents and gates ran without one."
    if any(ran.network for landed in told.landed for ran in landed.ran):
        yield "Isolation from the network: some gates shared the machine's."
    kinds = {ran.kind for landed in told.landed for ran in landed.ran}
    if "proof" not in kinds:
        yield "Proof that new tests fail without the change."
    if "strength" not in kinds:
        yield "How much the tests would notice: no fault was planted in the changed lines."
    if "review" not in kinds:
        yield "A review. The acceptance criteria are the task's; no gate reads them."


def _weak(told: Story) -> Iterator[str]:
    """What was executed, and showed that the tests do not say much about the change."""
    if bare := [landed.id for landed in told.landed if any(ran.unproven for ran in landed.ran)]:
        yield f"Proof by a test: none shows what {', '.join(inert.code(id) for id in bare[:20])} changed."
    for landed in told.landed:
        yield from (f"{inert.code(landed.id)}: {inert.markdown(said, 160)}" for said in landed.named[:3])
        alive = [one for ran in landed.ran for one in ran.survivors]
        if alive:
            more = f" and {len(alive) - 1} more" if len(alive) > 1 else ""
            yield f"{inert.code(landed.id)}: faults that no test notices: {inert.markdown(alive[0], 160)}{more}."


def _by_exit_code(ran: Ran) -> bool:
    return ran.kind == "tests" and ran.verdict == "passed" and not ran.counts


def _again(told: Story, config: Config) -> str:
    fetch = "" if config.forge.kind == "local" else f"git fetch {shlex.quote(config.forge.remote)} && "
    commands = [f"{fetch}git switch --detach {told.landed[-1].commit}"] if told.landed else []
    commands += [config.workspace.setup] if config.workspace.setup else []
    commands += [_gate_command(gate.command, gate.cwd) for gate in config.gates]
    if not config.gates:
        seen = dict.fromkeys(shlex.join(ran.argv) for landed in told.landed for ran in landed.ran if ran.argv)
        commands += list(seen)
    return inert.fenced("\n".join(commands), 4000, "sh")


def _gate_command(command: str, directory: str) -> str:
    return f"(cd {shlex.quote(directory)} && {command})" if directory else command


def _cost(told: Story) -> str:
    iterations = sum(landed.iterations for landed in told.landed)
    if told.dollars is None:
        cost = "not metered"
    else:
        cost = f"${told.dollars:,.2f}" + ("" if told.complete else " plus a part that was not metered")
    return f"{cost}; {told.tokens:,} tokens; {iterations} iteration{'' if iterations == 1 else 's'}."


def _said(shown: Iterable[Landed], detail: _Detail) -> Iterator[str]:
    words = [(landed.id, landed.said) for landed in shown if landed.said.strip()]
    if not words or not detail.said:
        return
    yield from ("", "## What the agent said (reported, not verified)")
    for id, said in words:
        yield from ("", inert.code(id), "", inert.fenced(inert.quiet(inert.visible(said)), detail.said, "text"))
