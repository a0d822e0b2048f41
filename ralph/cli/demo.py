"""`ralph demo`: a whole night on a throwaway project, with a scripted model and no account."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ralph.errors import EXPECTED, RalphError

if TYPE_CHECKING:
    from ralph.host.paths import Layout
    from ralph.host.sandbox import Probe

NEEDED = ("pytest", "mypy", "ruff")
EXPECTED_END = {
    "slug": "completed",
    "duration": "completed",
    "roman": "needs_human",
    "titles": "completed",
    "count-once": "completed",
    "thesaurus": "pending",
    "unique-slug": "completed",
    "timed-slug": "completed",
}
"""How each task of the script must stand in the morning."""

CONFIG = """\
# The policy of the demo's night. In a project of yours `ralph init` writes this file.
[night]
base = "main"
loops = 3

[limits]
iteration_tokens = 60_000
task_iterations = 8

[agents.junior]                  # both talk to the scripted model server on this machine
kind = "api"
model = "claude-haiku-5-5"
base_url = "{url}"
api_key_env = "RALPH_DEMO_KEY"
max_tokens = 1000

[agents.senior]
kind = "api"
model = "claude-sonnet-5-5"
base_url = "{url}"
api_key_env = "RALPH_DEMO_KEY"
max_tokens = 1000

[agents.critic]
kind = "api"
model = "claude-opus-5-5"
base_url = "{url}"
api_key_env = "RALPH_DEMO_KEY"
max_tokens = 1000

[routes]
implementer = ["junior", "senior"]   # senior takes over where junior is stuck
reviewer = ["critic"]                # reads what passed, and may refuse it

[[gates]]
name = "lint"
command = "python -m ruff check ."
kind = "lint"
cost = "cheap"

[[gates]]
name = "types"
command = "python -m mypy"
kind = "types"

[[gates]]
name = "tests"
command = "python -m pytest -q"
kind = "tests"

[sandbox]
mode = "{mode}"
"""


@click.command(
    epilog="""\b
Examples:
  ralph demo                     in ./ralph-demo, made anew
  ralph demo --directory /tmp/d
"""
)
@click.option(
    "--directory", type=click.Path(path_type=Path, file_okay=False), default=Path("ralph-demo"), show_default=True
)
def demo(directory: Path) -> None:
    """Run a whole night on a throwaway project; the model is scripted, everything else is real."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise RalphError(f"the demo's gates need {', '.join(missing)}", "pip install 'ralph[demo]'")
    folder = directory.absolute()
    project = _project(folder)
    sys.exit(_night(folder, project))


def _project(folder: Path) -> Path:
    """Make the demo's folder anew: a project in git, and a state directory of its own."""
    from ralph.host.files import own_directory
    from ralph.vcs.git import Git, identity

    if folder.exists():
        if not (folder / ".ralph-demo").exists():
            raise RalphError(f"{folder} exists and is not a demo's", "choose another with --directory")
        shutil.rmtree(folder)
    project = folder / "project"
    own_directory(folder)
    (folder / ".ralph-demo").touch()
    source = resources.files("ralph") / "demo"
    with resources.as_file(source) as path:
        shutil.copytree(path / "project", project, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(path / "tasks.json", project / "tasks.json")
    git = Git(project / ".git", project)
    git.run("init", "--quiet", "--initial-branch=main")
    (project / ".git" / "info").mkdir(exist_ok=True)
    (project / ".git" / "info" / "exclude").write_text("/tasks.json\n/progress/\n/.ralph\n/ralph.toml\n")
    git.run("config", "user.name", "A Developer")
    git.run("config", "user.email", "developer@example.com")
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message=A small project", env=identity("A Developer", "developer@example.com"))
    return project


def _night(folder: Path, project: Path) -> int:
    from ralph.cli.follow import follow
    from ralph.cli.night import launch
    from ralph.host import sandbox
    from ralph.host.paths import layout
    from ralph.modelserver.script import Script
    from ralph.modelserver.server import serve

    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    os.environ["RALPH_DEMO_KEY"] = "no-real-key"
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    where = layout(project)
    probe = sandbox.probe("auto")
    with resources.as_file(resources.files("ralph") / "demo" / "script.py") as path:
        script = Script.load(path)
    with serve(script) as server:
        mode = "auto" if probe.sandbox else "none"
        (project / "ralph.toml").write_text(CONFIG.format(url=server.url, mode=mode), encoding="utf-8")
        _introduce(project, probe)
        code = follow(where, launch(where, "once"), as_json=False)
    return _verdict(where, code)


def _introduce(project: Path, probe: Probe) -> None:
    click.echo("ralph demo: one night on a small real project, with real tests, types and lint.")
    click.echo("The model is SCRIPTED: a local server answers in its place. Everything else is real.")
    if probe.sandbox is None:
        click.echo(f"No sandbox works here ({probe.detail}); the demo runs without one. Install bubblewrap to have it.")
    else:
        click.echo(f"Sandbox: {probe.detail}.")
    click.echo(f"Project: {project}\n")


def _verdict(where: Layout, code: int) -> int:
    """Compare the morning with the script; the demo has gone well when each task stands as it must."""
    from ralph.memory.ledger import Ledger
    from ralph.memory.tasks import TaskFile

    tasks = {t.id: t.status.value for t in TaskFile(where.repo / "tasks.json", where.good_tasks).load().tasks}
    pulls = Ledger.read_only(where.ledger).query(
        "select distinct json_extract(data, '$.url') from events where kind = 'pull_request'"
    )[1]
    click.echo("\nPull requests (local files, with their diffs):")
    for (url,) in pulls:
        click.echo(f"  {url}")
    wrong = {id: status for id, status in tasks.items() if EXPECTED_END.get(id) != status}
    if wrong or code not in (0, 4):
        click.echo(f"\nThe night did not go as scripted: {wrong or code}", err=True)
        return EXPECTED
    click.echo("\nThe night went as scripted. Next: `ralph init` in a project of yours.")
    return 0
