"""A stage for the built-in agent: one agent, one desk with real processes, one scripted model server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ralph.agents.api import ApiAgent, Patience
from ralph.config import Agent
from ralph.domain import AgentResult
from ralph.modelserver import Script, Server, serve
from tests.desk import LocalDesk, job

QUICK = Patience(retries=2.0, idle=5.0, scale=0.001)
KEY = "sk-test-key"


class Stage:
    """One agent, one desk, one server."""

    def __init__(self, root: Path, turns: list[dict[str, Any]]) -> None:
        self.root = root
        self.server: Server = serve(Script.parse({"tasks": {"t": [turns]}}))
        self.job = job(root)
        self.desk = LocalDesk(root / "tree", root / "run")

    def run(self, patience: Patience = QUICK, settings: dict[str, Any] | None = None, **given: Any) -> AgentResult:
        agent = Agent(kind="api", base_url=self.server.url, **(settings or {}))
        prices = given.pop("prices", {})
        the_job = job(self.root, **given)
        return ApiAgent("api", agent, prices, patience=patience, chance=lambda: 0.5).run(the_job, self.desk)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [one.body for one in self.server.messages()]

    def last_results(self) -> list[str]:
        content = self.calls[-1]["messages"][-1]["content"]
        return [block["content"] for block in content if block["type"] == "tool_result"]


def stages(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Fixture: make stages, and close them at the end."""
    made: list[Stage] = []

    def make(*turns: dict[str, Any]) -> Stage:
        made.append(Stage(tmp_path, list(turns)))
        return made[-1]

    yield make
    for one in made:
        one.server.close()
        one.desk.close()
