"""What an agent can plant so that somebody's git runs it: none of it runs in the daemon, none of it hides a change.

Each payload is first shown to be alive where plain git runs it, so that no row of the table is an empty threat.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from loops import BRANCH, Loop, commit_all, git, make_loop

from ralph.vcs.delivery import deliver, snapshot_state, write_note

HOOKS = ("pre-commit", "commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-merge-commit")
HOOKS += ("prepare-commit-msg", "reference-transaction", "post-index-change", "pre-push", "pre-rebase", "pre-auto-gc")


@dataclass
class Scene:
    """A work tree for an attack, with a script that proves that it ran."""

    loop: Loop
    payload: Path
    fired: Path

    @property
    def tree(self) -> Path:
        return self.loop.tree

    @property
    def dot(self) -> Path:
        return self.tree / ".git"

    def config(self, key: str, value: str = "") -> None:
        git(self.tree, "config", key, value or str(self.payload))

    def attributes(self, line: str) -> None:
        (self.dot / "info/attributes").unlink(missing_ok=True)
        (self.tree / ".gitattributes").write_text(line + "\n")


@pytest.fixture
def scene(git_repo: Path, tmp_path: Path) -> Scene:
    for number in range(3):
        (git_repo / f"f{number}.txt").write_text("line\n")
    commit_all(git_repo)
    fired, payload = tmp_path / "fired", tmp_path / "payload"
    payload.write_text(f'#!/bin/sh\necho "$0 $*" >> {fired}\nexit 1\n')
    payload.chmod(0o755)
    return Scene(make_loop(git_repo, tmp_path / "state"), payload, fired)


def hooks(scene: Scene) -> None:
    (scene.dot / "hooks").mkdir()
    for name in HOOKS:
        shutil.copy(scene.payload, scene.dot / "hooks" / name)


def hooks_path(scene: Scene) -> None:
    hooks(scene)
    (scene.dot / "hooks").rename(scene.tree / "tools")
    scene.config("core.hooksPath", str(scene.tree / "tools"))


def fsmonitor(scene: Scene) -> None:
    scene.config("core.fsmonitor")


def include(scene: Scene) -> None:
    (scene.tree / "conf").write_text(f"[core]\n\tfsmonitor = {scene.payload}\n")
    scene.config("include.path", str(scene.tree / "conf"))


def worktree_config(scene: Scene) -> None:
    scene.config("extensions.worktreeConfig", "true")
    (scene.dot / "config.worktree").write_text(f"[core]\n\tfsmonitor = {scene.payload}\n")


def elsewhere(scene: Scene) -> None:
    fsmonitor(scene)
    scene.dot.rename(scene.tree / "real")
    scene.dot.write_text("gitdir: real\n")


def gone_and_new(scene: Scene) -> None:
    shutil.rmtree(scene.dot)
    git(scene.tree, "init", "-q")
    fsmonitor(scene)


def clean_filter(scene: Scene) -> None:
    scene.attributes("*.txt filter=x")
    scene.config("filter.x.clean")
    scene.config("filter.x.smudge")


def process_filter(scene: Scene) -> None:
    scene.attributes("*.txt filter=x")
    scene.config("filter.x.process")


def lfs_filter(scene: Scene) -> None:
    scene.attributes("*.txt filter=lfs diff=lfs merge=lfs -text")
    scene.config("filter.lfs.clean")


def textconv(scene: Scene) -> None:
    scene.attributes("*.txt diff=x")
    scene.config("diff.x.textconv")


def diff_command(scene: Scene) -> None:
    scene.attributes("*.txt diff=x")
    scene.config("diff.x.command")


def external_diff(scene: Scene) -> None:
    scene.config("diff.external")


def signing(scene: Scene) -> None:
    scene.config("commit.gpgSign", "true")
    scene.config("gpg.program")


def ssh_signing(scene: Scene) -> None:
    scene.config("commit.gpgSign", "true")
    scene.config("gpg.format", "ssh")
    scene.config("gpg.ssh.defaultKeyCommand")


def upload_pack(scene: Scene) -> None:
    scene.config("remote.origin.url", str(scene.loop.repo))
    scene.config("remote.origin.uploadpack")
    scene.config("remote.origin.receivepack")


def ssh_command(scene: Scene) -> None:
    scene.config("remote.origin.url", "ssh://host/repo")
    scene.config("core.sshCommand")


def ext_url(scene: Scene) -> None:
    scene.config("protocol.ext.allow", "always")
    scene.config("remote.origin.url", str(scene.loop.repo))
    scene.config(f"url.ext::{scene.payload} .insteadOf", "/")


def editor(scene: Scene) -> None:
    scene.config("core.editor")
    scene.config("sequence.editor")
    scene.config("core.pager")
    scene.config("alias.status", f"!{scene.payload}")


def merge_driver(scene: Scene) -> None:
    scene.attributes("*.txt merge=x")
    scene.config("merge.x.driver")


def trailer(scene: Scene) -> None:
    scene.config("trailer.ralph-task.command")
    scene.config("trailer.ralph-task.cmd")


def submodule_update(scene: Scene) -> None:
    (scene.tree / ".gitmodules").write_text('[submodule "s"]\n\tpath = s\n\turl = ./s\n')
    nested(scene)
    scene.config("submodule.s.update", f"!{scene.payload}")
    scene.config("submodule.recurse", "true")


def nested(scene: Scene) -> None:
    """A repository inside: git asks it for its state and so runs what its configuration says."""
    inner = scene.tree / "s"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "file").write_text("x")
    commit_all(inner)
    git(inner, "config", "core.fsmonitor", str(scene.payload))
    git(inner, "config", "core.hooksPath", str(scene.tree))


def nested_in_tracked(scene: Scene) -> None:
    (scene.tree / "docs").mkdir()
    (scene.tree / "docs/x").write_text("x")
    scene.loop.space.prepare(scene.loop.land(scene.loop.space.snapshot()))
    git(scene.tree / "docs", "init", "-q")
    git(scene.tree / "docs", "config", "core.fsmonitor", str(scene.payload))


def bare_inside(scene: Scene) -> None:
    git(scene.tree, "init", "-q", "--bare", "inner")
    with (scene.tree / "inner/config").open("a") as file:
        file.write(f"[core]\n\tfsmonitor = {scene.payload}\n\tworktree = {scene.tree}\n\tbare = false\n")


ALIVE: dict[Callable[[Scene], None], str] = {
    hooks: "git commit -qam x",
    hooks_path: "git commit -qam x",
    fsmonitor: "git status",
    include: "git status",
    worktree_config: "git status",
    elsewhere: "git status",
    gone_and_new: "git status",
    clean_filter: "git add -A",
    process_filter: "git add -A",
    lfs_filter: "git add -A",
    textconv: "git diff",
    diff_command: "git diff",
    external_diff: "git diff",
    signing: "git commit -qam x",
    ssh_signing: "git commit -qam x",
    upload_pack: "git fetch",
    ssh_command: "git fetch",
    ext_url: "git fetch",
    editor: "git commit -a",
    merge_driver: "git commit -qam x; git branch o; git reset -q HEAD~; echo z>f0.txt; git commit -qam y; git merge o",
    trailer: "git commit -qam x --trailer ralph-task:y",
    submodule_update: "git add -A && git commit -qm x && git status",
    nested: "git add -A && git status",
    nested_in_tracked: "cd docs && git status",
    bare_inside: "cd inner && git status",
}


def plain_git_runs_it(scene: Scene, command: str) -> bool:
    (scene.tree / "f0.txt").write_text("changed by hand\n")
    subprocess.run(["sh", "-c", command], cwd=scene.tree, capture_output=True, timeout=20)
    ran = scene.fired.exists()
    scene.fired.unlink(missing_ok=True)
    return ran


def full_cycle(loop: Loop, text: str) -> set[str]:
    """Everything the daemon does with a work tree, from the agent's end to the next start."""
    space = loop.space
    (loop.tree / "f1.txt").write_text(text)
    tree = space.snapshot()
    changes = space.changes(loop.base, tree)
    space.newly_ignored(loop.base, changes)
    space.diff(loop.base, tree, 100_000)
    for change in changes:
        if change.new_mode.startswith("100"):
            space.blob(change.new_blob, 1000)
    space.keep_attempt(f"2026-11-20-1.alpha.{len(text)}", tree, loop.base)
    space.clean_for_gates(tree, parent=loop.base)
    space.verify_tree(tree)
    old = space.ref(BRANCH)
    commit = loop.land(tree)
    space.merge(commit, loop.base)
    deliver(loop.repo, space.git_dir, BRANCH, commit, old)
    write_note(loop.repo, commit, "evidence")
    space.prepare(commit)
    space.prepare(loop.base, start_tree=tree)
    return {change.path for change in changes}


@pytest.mark.parametrize("attack", ALIVE, ids=lambda attack: attack.__name__)
def test_nothing_that_an_agent_plants_runs(scene: Scene, attack: Callable[[Scene], None]) -> None:
    attack(scene)
    assert plain_git_runs_it(scene, ALIVE[attack]), "an attack that plain git survives proves nothing"
    scene.loop.space.prepare(scene.loop.base)
    before = snapshot_state(scene.loop.repo)
    attack(scene)
    assert {"f1.txt"} <= full_cycle(scene.loop, "once")
    shutil.rmtree(scene.tree / "s", ignore_errors=True)
    if attack in (nested, submodule_update):
        attack(scene)
    full_cycle(scene.loop, "twice!")
    assert not scene.fired.exists(), scene.fired.read_text()
    assert snapshot_state(scene.loop.repo) == before


def test_a_repository_planted_on_a_known_submodule_is_not_asked(git_repo: Path, tmp_path: Path, scene: Scene) -> None:
    """The index already knows a nested repository there: without care git would run a status inside it."""
    git(git_repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s")
    git(git_repo, "commit", "-qm", "submodule")
    loop = make_loop(git_repo, tmp_path / "other")
    (loop.tree / "s").rmdir()
    nested(Scene(loop, scene.payload, scene.fired))
    assert full_cycle(loop, "once") == {"f1.txt"}
    assert not scene.fired.exists()


def assume_unchanged(scene: Scene) -> None:
    git(scene.tree, "update-index", "--assume-unchanged", "f0.txt")


def skip_worktree(scene: Scene) -> None:
    git(scene.tree, "update-index", "--skip-worktree", "f0.txt")


def exclude(scene: Scene) -> None:
    (scene.dot / "info/exclude").write_text("*\n")
    scene.config("status.showUntrackedFiles", "no")


def no_file_mode(scene: Scene) -> None:
    scene.config("core.fileMode", "false")


def no_diff(scene: Scene) -> None:
    scene.attributes("* -diff binary")


def sparse(scene: Scene) -> None:
    git(scene.tree, "sparse-checkout", "set", "nothing")


def same_times(scene: Scene) -> None:
    for path in scene.tree.glob("f*.txt"):
        os.utime(path, ns=(10**18, 10**18))


def replaced(scene: Scene) -> None:
    git(scene.tree, "commit", "-q", "--allow-empty", "-m", "x")
    git(scene.tree, "replace", "HEAD", "HEAD~1")


@pytest.mark.parametrize(
    "trick",
    [assume_unchanged, skip_worktree, exclude, no_file_mode, no_diff, sparse, same_times, replaced],
    ids=lambda trick: trick.__name__,
)
def test_no_trick_hides_a_change(scene: Scene, trick: Callable[[Scene], None]) -> None:
    trick(scene)
    (scene.tree / "f0.txt").write_text("evil\n")
    (scene.tree / "new.py").write_text("evil\n")
    (scene.tree / "f2.txt").write_text("line\n")
    (scene.tree / "f2.txt").chmod(0o755)
    tree = scene.loop.space.snapshot()
    seen = {change.path for change in scene.loop.space.changes(scene.loop.base, tree)}
    assert {"f0.txt", "f2.txt", "new.py"} <= seen
    assert scene.loop.space.diff(scene.loop.base, tree, 10_000).count("+evil") == 2


def test_a_work_tree_set_to_somewhere_else_is_not_cleaned(scene: Scene, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("p")
    scene.config("core.worktree", str(victim))
    (scene.tree / "junk").symlink_to(victim)
    full_cycle(scene.loop, "x")
    assert (victim / "precious").read_text() == "p"


def test_links_are_kept_as_links_and_never_followed(scene: Scene) -> None:
    (scene.tree / "out").symlink_to("/etc/passwd")
    (scene.tree / "f0.txt").unlink()
    (scene.tree / "f0.txt").symlink_to("../../../../../../etc")
    tree = scene.loop.space.snapshot()
    changes = {change.path: change for change in scene.loop.space.changes(scene.loop.base, tree)}
    assert changes["out"].new_mode == "120000"
    assert scene.loop.space.blob(changes["out"].new_blob, 100) == b"/etc/passwd"
    assert changes["f0.txt"].status == "T"
    scene.loop.space.clean_for_gates(tree)
    assert scene.loop.space.verify_tree(tree) == []
    scene.loop.space.prepare(scene.loop.base)
    assert not (scene.tree / "out").is_symlink()
    assert Path("/etc/passwd").exists()


def test_nothing_is_left_over_after_many_cycles(scene: Scene) -> None:
    import psutil

    full_cycle(scene.loop, "warm")
    me = psutil.Process()
    before = me.num_fds()
    for number in range(6):
        full_cycle(scene.loop, "x" * (number + 5))
    assert me.num_fds() == before
    assert me.children() == []
