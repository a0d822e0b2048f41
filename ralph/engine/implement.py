"""The step in which an agent works: its prompt, its jail, its limits."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from ralph import agents
from ralph.agents.base import Job
from ralph.core import prompt
from ralph.domain import AgentResult
from ralph.engine.desk import WorkerDesk, redact_file
from ralph.engine.jails import agent_environment, agent_jail

if TYPE_CHECKING:
    from ralph.engine.worker import Worker


def implement(worker: Worker, kept: dict[str, Path]) -> AgentResult:
    """Run the spec's agent in its jail until it ends or a limit ends it."""
    spec, config, place = worker.spec, worker.config, worker.place
    table = config.agents[spec.agent]
    root = Path(spec.checkout)
    agent = agents.make(spec.agent, table, prices=config.prices, redactor=worker.redactor, root=root)
    text = compose(worker)
    (place.run / "prompt.md").write_text(worker.redactor.text(f"{text.system}\n\n{text.user}"), encoding="utf-8")
    state = [Path(path).expanduser() for path in table.state]
    jail = agent_jail(place, kept, getattr(agent, "binds", list)(), state)
    passed = {name: worker.secrets[name] for name in table.env if name in worker.secrets}
    env = agent_environment(place, jail, passed)
    desk = WorkerDesk(place, worker.line, worker.shim, jail, worker.redactor)
    if spec.seconds_left:
        desk.deadline = monotonic() + spec.seconds_left
    job = Job(
        prompt=text.user,
        system=text.system,
        prompt_file=Path(env["RALPH_PROMPT_FILE"]),
        run_dir=place.run,
        directory=str(place.directory),
        env=env,
        secrets=worker.secrets,
        task_id=spec.task.id,
        seconds=spec.seconds_left,
        tokens=spec.tokens_left,
        usage_file=place.notes / "usage.txt",
    )
    try:
        return agent.run(job, desk)
    finally:
        for name in ("agent.log", "agent.err", "tools.err", "transcript.jsonl"):
            if (place.run / name).is_file():
                redact_file(place.run / name, worker.redactor)


def compose(worker: Worker) -> prompt.Prompt:
    """The prompt of this attempt, from the base's AGENTS.md, the task and what is known of earlier attempts."""
    spec = worker.spec
    role = worker.config.roles.get(spec.task.role)
    return prompt.build(
        prompt.Parts(
            task=spec.task,
            attempt=spec.attempt,
            gates=tuple((gate.name, gate.command) for gate in worker.config.gates),
            role=role.prompt if role else "",
            agents_md=spec.agents_md,
            repository_map=spec.repository_map,
            nested=spec.nested,
            progress=spec.progress_tail,
            handoffs=spec.handoffs,
            feedback=spec.feedback,
            kept=spec.start_tree is not None,
            taken=spec.shared_files,
            cut=spec.knowledge_cut,
        )
    )
