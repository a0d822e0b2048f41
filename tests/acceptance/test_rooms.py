"""Homes and temporary directories: nothing that an agent or a gate leaves there reaches another program."""

from __future__ import annotations

import os
import subprocess

import pytest
from project import RALPH, Project

PLANT = 'mkdir -p "$HOME/.config" && echo planted > "$HOME/.config/left" && echo planted > "$TMPDIR/left"'
CLEAN = '! cat "$HOME/.config/left" "$TMPDIR/left"'


def test_what_an_agent_leaves_at_home_reaches_no_gate_and_no_later_agent(project: Project) -> None:
    project.configure(gates=f"[[gates]]\nname = \"clean\"\ncommand = '''{CLEAN}'''\nshell = true\n")
    project.agent(f'{CLEAN} && {PLANT} && echo x > "$RALPH_TASK_ID.txt"')
    project.tasks("one", "two")
    project.once()
    assert project.status_of() == {"one": "completed", "two": "completed"}


def test_what_a_gate_leaves_at_home_reaches_no_other_gate(project: Project) -> None:
    gates = "".join(
        f"[[gates]]\nname = \"{name}\"\ncommand = '''{CLEAN} && {PLANT}'''\nshell = true\n" for name in ("a", "b")
    )
    project.configure(gates=gates)
    project.agent('echo x > "$RALPH_TASK_ID.txt"')
    project.tasks("one", "two")
    project.once()
    assert project.status_of() == {"one": "completed", "two": "completed"}


@pytest.mark.usefixtures("sandbox_or_skip")
def test_tools_may_write_their_caches_in_kept_node_modules_and_nothing_else_there(project: Project) -> None:
    """vitest ends with 1 where it can't write its results to node_modules/.vite."""
    write = "cd node_modules && echo x > .vite/results.json && ! echo x > planted.js"
    project.configure(
        """
        [workspace]
        setup = "echo made > node_modules/made.js"
        keep = ["node_modules"]
        """,
        mode="auto",
        gates=f"[[gates]]\nname = \"g\"\ncommand = '''[ ! -e node_modules/.vite/agent ] && {write}'''\nshell = true\n",
    )
    project.agent(
        'echo x > node_modules/.vite/agent; ! echo x > node_modules/planted.js && echo x > "$RALPH_TASK_ID.txt"'
    )
    project.tasks("one")
    project.once()
    assert project.status_of() == {"one": "completed"}


def test_a_failing_setup_says_what_it_said_first_and_where_the_rest_is(project: Project) -> None:
    say = "echo the cause >&2; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo usage $n; done; exit 3"
    project.configure(f"[workspace]\nsetup = '''{say}'''\nkeep = [\"node_modules\"]")
    project.tasks("one")
    rows = project.ralph("doctor", "--json", code=4).stdout
    assert "setup failed with exit code 3: the cause" in rows
    assert "setup.log" in rows


def test_a_reader_that_leaves_does_not_end_the_night(project: Project) -> None:
    project.configure()
    project.agent('sleep 1; echo x > "$RALPH_TASK_ID.txt"')
    project.tasks("one")
    line = f'{RALPH} start --once | head -n 1; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", line], cwd=project.root, env=os.environ | project.env, capture_output=True)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1), done.stderr
    assert project.status_of() == {"one": "completed"}
