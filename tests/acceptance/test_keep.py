"""[workspace]: who makes the folders that are kept, who may write them, and what every program finds around it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from project import Project

SETUP = """
mkdir -p .venv/bin
[ ! -e broken ] || { echo "no such package: left-pad" >&2; exit 7; }
date >> .venv/made
cp lock.txt .venv/lock
env > .venv/env
touch OUTSIDE/escaped 2>/dev/null || true
"""
FITS = '[[gates]]\nname = "fits"\ncommand = "cmp .venv/lock lock.txt"\n'
AGENT = """
echo "$RALPH_TASK_ID" >> $OUT/ran
cat .venv/lock >> $OUT/locks
case $RALPH_TASK_ID in
  plant) echo evil > .venv/sitecustomize.py && echo written >> $OUT/planted
         mv .venv away && echo moved >> $OUT/planted ;;
  dep) echo two > lock.txt ;;
  bad) if [ -e $OUT/mended ]; then rm broken; else touch broken $OUT/mended; fi; echo three > lock.txt ;;
  *) ;;
esac
echo work > "$RALPH_TASK_ID.txt"
"""


def workspace(project: Project, setup: str = SETUP, mode: str = "", gates: str = FITS, more: str = "") -> None:
    setup = setup.replace("OUTSIDE", str(project.outside))
    table = f"[workspace]\nsetup = '''{setup}'''\ninputs = [\"lock.txt\"]\nkeep = [\".venv\"]\n{more}"
    project.commit({"lock.txt": "one\n", ".gitignore": ".venv\n"})
    project.configure(table, gates=gates, mode=mode)
    project.agent(AGENT)


def kept(project: Project) -> dict[str, Path]:
    """Kept .venv folders by the lock file they were made from."""
    return {(path / "lock").read_text().strip(): path for path in (project.where.root / "keep").glob("*/.venv")}


@pytest.mark.parametrize("mode", ["", "none"])
def test_setup_runs_once_for_each_set_of_inputs(project: Project, mode: str) -> None:
    """A change of an input makes the folders anew before the gates; the commits after it use them too."""
    workspace(project, mode=mode)
    project.env["ANTHROPIC_API_KEY"] = "sk-ant-not-for-setup"
    project.tasks("plain", "dep", {"id": "after", "depends_on": ["dep"]})
    project.once()
    assert set(project.status_of().values()) == {"completed"}
    folders = kept(project)
    assert sorted(folders) == ["one", "two"]
    assert [len((path / "made").read_text().splitlines()) for path in folders.values()] == [1, 1]
    assert project.lines("locks") == ["one", "one", "two"]
    assert "not-for-setup" not in (folders["one"] / "env").read_text()
    assert not (project.root / ".venv").exists()
    assert ".venv" not in project.git("ls-tree", "-r", "--name-only", "ralph/loop-1")
    project.tasks("plain", "dep", "after", "next")
    project.once()
    assert len((kept(project)["two"] / "made").read_text().splitlines()) == 1


@pytest.mark.sandbox
def test_nobody_but_setup_writes_what_is_kept(project: Project, sandbox_or_skip: object) -> None:
    gates = FITS + '[[gates]]\nname = "write"\ncommand = "touch .venv/forged || true"\nshell = true\n'
    workspace(project, gates=gates)
    project.tasks("plant", "plain")
    project.once()
    assert project.lines("planted") == []
    assert project.lines("ran") == ["plant", "plain"]
    assert not (project.outside / "escaped").exists()
    (folder,) = kept(project).values()
    assert sorted(path.name for path in folder.iterdir()) == ["bin", "env", "lock", "made"]


def test_a_setup_that_fails_is_one_clear_message(project: Project) -> None:
    workspace(project, setup="echo no matching distribution: requsts; exit 3")
    project.tasks("plain")
    refused = project.ralph("start", "--once", code=1)
    assert "[workspace] setup failed with exit code 3: no matching distribution: requsts" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert project.lines("ran") == []


def test_a_change_that_setup_refuses_is_the_tasks_failure(project: Project) -> None:
    """The attempt counts, the next one is told what setup said, and mends it."""
    workspace(project)
    project.tasks("bad")
    project.once()
    assert project.outcomes("bad") == ["rejected", "committed"]
    (first, second) = project.events("ended")
    assert "setup failed with exit code 7" in first.data["summary"]
    assert "no such package: left-pad" in project.log(second.iteration, "prompt.md")
    assert project.rows()["bad"]["attempts"] == 2


@pytest.mark.sandbox
def test_an_editable_install_of_the_checkout_tests_the_tree(project: Project, sandbox_or_skip: object) -> None:
    """The user's own .venv points at the user's checkout; inside, that path is the tree under test."""
    project.commit({"src/app.py": "VALUE = 1\n", "expected.py": "VALUE = 1\n", ".gitignore": ".venv\n__pycache__\n"})
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=project.root, check=True)
    (site,) = (project.root / ".venv").glob("lib/python*/site-packages")
    (site / "__editable__.app.pth").write_text(f"{project.root}/src\n")
    command = "python -c 'import app, expected, sys; assert app.VALUE == expected.VALUE, app.__file__'"
    project.configure(
        '[workspace]\nkeep = [".venv"]', gates=f'[[gates]]\nname = "app"\ncommand = "{command}"\nshell = true\n'
    )
    project.agent(
        """
        echo "VALUE = 2" > src/app.py
        echo "VALUE = 2" > expected.py
        command -v python >> $OUT/python
        echo "raise SystemExit(0)" > .venv/lib/python*/site-packages/sitecustomize.py && echo planted >> $OUT/planted
        true
        """
    )
    project.tasks("a")
    project.once()
    assert project.outcomes("a") == ["committed"]
    assert project.lines("python") == [f"{project.root}/.venv/bin/python"]
    assert project.lines("planted") == []
    assert not (site / "sitecustomize.py").exists()
    assert (project.root / "src/app.py").read_text() == "VALUE = 1\n"


@pytest.mark.parametrize("mode", ["", "none"])
def test_scratch_is_writable_and_empty_at_each_reset(project: Project, mode: str) -> None:
    command = "[ ! -e build/gate ] && mkdir -p build && touch build/gate"
    gate = f'[[gates]]\nname = "build"\ncommand = "{command}"\nshell = true\n'
    project.configure('[workspace]\nscratch = ["build"]', gates=gate, mode=mode)
    project.agent(
        '[ ! -e build/agent ] || echo dirty >> $OUT/dirty; touch build/agent; echo work > "$RALPH_TASK_ID.txt"'
    )
    project.tasks("a", "b")
    project.once()
    assert project.lines("dirty") == []
    assert project.git("ls-tree", "-r", "--name-only", "ralph/loop-1").splitlines() == [
        ".gitignore", "README.md", "a.txt", "b.txt",
    ]  # fmt: skip


AROUND = """
echo "$RALPH_LOOP $RALPH_PORT_BASE $COLOR" >> $OUT/around
ls -A $HOME $TMPDIR >> $OUT/found
[ -d "$HOME" ] && [ "$HOME" != "$TMPDIR" ] || echo shared >> $OUT/shared
touch $HOME/mark-$RALPH_TASK_ID $TMPDIR/mark-$RALPH_TASK_ID
while [ $(wc -l < $OUT/around) -lt 2 ]; do sleep 0.02; done
echo work > "$RALPH_TASK_ID.txt"
"""


@pytest.mark.parametrize("mode", ["", "none"])
def test_loops_share_neither_home_nor_ports(project: Project, mode: str) -> None:
    gate = (
        '[[gates]]\nname = "env"\nshell = true\n'
        'command = "ls -A $HOME $TMPDIR; echo gate $RALPH_LOOP $RALPH_PORT_BASE $COLOR; touch $HOME/x $TMPDIR/x"\n'
    )
    project.configure('[workspace.env]\nCOLOR = "blue"', night="loops = 2", gates=gate, mode=mode)
    project.agent(AROUND)
    project.tasks(*"abcd")
    project.once()
    around = [line.split() for line in project.lines("around")]
    ports = {words[0]: words[1] for words in around}
    assert len(set(ports.values())) == 2
    assert {words[2] for words in around} == {"blue"}
    assert "mark-" not in (project.outside / "found").read_text()
    assert not list(Path.home().glob("mark-*"))
    assert project.lines("shared") == []
    for event in project.events("gate"):
        if event.loop:  # the others are the train's
            log = project.where.run(event.iteration) / event.data["execution"]["log"]
            assert f"gate {event.loop} {ports[event.loop]} blue" in log.read_text()
            assert "mark-" not in log.read_text()
