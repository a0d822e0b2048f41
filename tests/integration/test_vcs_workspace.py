"""Work trees: prepared, changed by an agent, turned into trees, cleaned and checked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from loops import Loop, commit_all, git, make_loop

from ralph.errors import GitError
from ralph.vcs.objects import EMPTY_TREE, blob_id
from ralph.vcs.store import Store
from ralph.vcs.tree import TICK


@pytest.fixture
def loop(git_repo: Path, tmp_path: Path) -> Loop:
    (git_repo / "src").mkdir()
    (git_repo / "src/a.py").write_text("a = 1\n")
    (git_repo / "src/run.sh").write_text("#!/bin/sh\n")
    (git_repo / "src/run.sh").chmod(0o755)
    (git_repo / "link").symlink_to("src/a.py")
    (git_repo / ".gitignore").write_text("__pycache__/\n.venv/\nnode_modules/\n*.log\n")
    commit_all(git_repo)
    return make_loop(git_repo, tmp_path / "state")


def changed(loop: Loop, tree: str) -> dict[str, str]:
    return {change.path: change.status for change in loop.space.changes(loop.base, tree)}


def files(root: Path) -> set[str]:
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
    return {path for path in found if not path.startswith(".git/")}


ALL = {".gitignore", "README.md", "link", "src/a.py", "src/run.sh"}


def test_a_new_workspace_is_the_base(loop: Loop) -> None:
    assert files(loop.tree) == ALL
    assert os.access(loop.tree / "src/run.sh", os.X_OK)
    assert (loop.tree / "link").is_symlink()
    assert loop.space.snapshot() == loop.space.tree_of(loop.base)
    assert loop.space.verify_tree(loop.space.tree_of(loop.base)) == []


def test_the_agent_has_a_git_of_its_own(loop: Loop) -> None:
    assert git(loop.tree, "status", "--porcelain") == ""
    assert git(loop.tree, "log", "--format=%s") == "change\nfirst"
    assert git(loop.tree, "branch", "--show-current") == "work"
    assert git(loop.tree, "config", "user.email") == "ada@example.org"
    git(loop.tree, "checkout", "-q", "-b", "mine")
    (loop.tree / "src/a.py").write_text("a = 2\n")
    git(loop.tree, "commit", "-qam", "mine")
    assert changed(loop, loop.space.snapshot()) == {"src/a.py": "M"}


def test_a_snapshot_holds_what_the_agent_left(loop: Loop) -> None:
    (loop.tree / "src/a.py").write_text("a = 2\n")
    (loop.tree / "src/run.sh").chmod(0o644)
    (loop.tree / "README.md").unlink()
    (loop.tree / "new/deep").mkdir(parents=True)
    (loop.tree / "new/deep/b.py").write_text("b\n")
    (loop.tree / "x.log").write_text("ignored")
    (loop.tree / "link").unlink()
    (loop.tree / "link").write_text("a file now")
    expected = {"src/a.py": "M", "src/run.sh": "M", "README.md": "D", "new/deep/b.py": "A", "link": "T"}
    assert changed(loop, loop.space.snapshot()) == expected


@pytest.mark.parametrize("ruin", ["rm", "init", "file", "link", "refs", "worktree"])
def test_the_result_depends_only_on_the_tree(loop: Loop, ruin: str, tmp_path: Path) -> None:
    dot = loop.tree / ".git"
    (loop.tree / "src/a.py").write_text("a = 2\n")
    if ruin == "refs":
        git(loop.tree, "commit", "-qam", "gone")
        shutil.rmtree(dot / "refs")
        (dot / "index").write_bytes(b"garbage")
    elif ruin == "worktree":
        git(loop.tree, "config", "core.worktree", str(tmp_path))
    else:
        shutil.rmtree(dot)
        if ruin == "init":
            git(loop.tree, "init", "-q")
        elif ruin == "file":
            dot.write_text(f"gitdir: {loop.repo}/.git\n")
        elif ruin == "link":
            dot.symlink_to(loop.repo / ".git")
    tree = loop.space.snapshot()
    assert changed(loop, tree) == {"src/a.py": "M"}
    loop.space.clean_for_gates(tree, parent=loop.base)
    assert (loop.repo / ".git/HEAD").exists()
    assert git(loop.tree, "status", "--porcelain") == ""


def test_prepare_removes_everything_but_the_kept_folders(loop: Loop, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("p")
    for name in (".venv/lib/x.py", "node_modules/m/index.js", "src/__pycache__/a.pyc", "build/out", "web/keep/file"):
        (loop.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (loop.tree / name).write_text("x")
    (loop.tree / "web/other").write_text("x")
    (loop.tree / "way-out").symlink_to(victim)
    shutil.rmtree(loop.tree / "src")
    (loop.tree / "src").symlink_to(victim)
    loop.space.prepare(loop.base, keep=[".venv", "node_modules/", "web/keep"], scratch=["target"])
    assert files(loop.tree) == ALL | {".venv/lib/x.py", "node_modules/m/index.js", "web/keep/file"}
    assert (victim / "precious").read_text() == "p"
    assert (loop.tree / "src").is_dir()
    assert not (loop.tree / "src").is_symlink()
    assert (loop.tree / "target").is_dir()


def write_run_state(tree: Path) -> None:
    for name in ("deps/x", "out put/y", "tasks.json", ".aider.chat", "progress/log.md"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("x")


def test_kept_and_scratch_folders_are_never_part_of_a_snapshot(loop: Loop) -> None:
    loop.space.prepare(loop.base, keep=["deps"], scratch=["out put"])
    (loop.tree / ".gitignore").write_text("!deps\n!/out put\n")
    write_run_state(loop.tree)
    assert "deps/x" not in changed(loop, loop.space.snapshot(keep=["deps"]))
    loop.space.prepare(loop.base, keep=["deps"], scratch=["out put"])
    write_run_state(loop.tree)
    (loop.tree / ".gitignore").write_text("__pycache__/\n")
    assert changed(loop, loop.space.snapshot(keep=["deps"])) == {".gitignore": "M"}


def test_prepare_starts_from_a_kept_tree(loop: Loop) -> None:
    (loop.tree / "src/a.py").write_text("a = 2\n")
    tree = loop.space.snapshot()
    loop.space.prepare(loop.base)
    assert (loop.tree / "src/a.py").read_text() == "a = 1\n"
    loop.space.prepare(loop.base, start_tree=tree)
    assert (loop.tree / "src/a.py").read_text() == "a = 2\n"
    assert git(loop.tree, "diff", "HEAD", "--name-only") == "src/a.py"
    assert loop.space.snapshot() == tree


def test_prepare_survives_a_damaged_index_and_a_link_for_a_tree(loop: Loop, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_text("stay")
    loop.space.index.write_bytes(b"DIRC garbage")
    shutil.rmtree(loop.tree)
    loop.tree.symlink_to(tmp_path / "elsewhere")
    loop.space.prepare(loop.base)
    assert files(loop.tree) == ALL
    assert files(tmp_path / "elsewhere") == {"file"}


def test_gates_see_exactly_the_candidate(loop: Loop) -> None:
    (loop.tree / "src/a.py").write_text("a = 2\n")
    (loop.tree / "x.log").write_text("ignored")
    (loop.tree / ".venv").mkdir()
    (loop.tree / ".venv/x").write_text("kept")
    tree = loop.space.snapshot(keep=[".venv"])
    loop.space.clean_for_gates(tree, keep=[".venv"], parent=loop.base)
    assert files(loop.tree) == ALL | {".venv/x"}
    assert git(loop.tree, "rev-parse", "HEAD^{tree}") == tree
    assert git(loop.tree, "rev-parse", "HEAD^") == loop.base
    assert git(loop.tree, "status", "--porcelain") == ""


@pytest.mark.parametrize("how", ["content", "mode", "delete", "link", "directory", "parent"])
def test_what_a_gate_writes_is_seen(loop: Loop, how: str) -> None:
    tree = loop.space.snapshot()
    loop.space.clean_for_gates(tree)
    target = loop.tree / "src/a.py"
    if how == "content":
        times = (target.stat().st_atime_ns, target.stat().st_mtime_ns)
        target.write_text("a = 9\n")
        os.utime(target, ns=times)
    elif how == "mode":
        target.chmod(0o755)
    elif how == "parent":
        (loop.tree / "src").rename(loop.tree / "moved")
        (loop.tree / "src").symlink_to("moved")
    else:
        target.unlink()
        if how == "link":
            target.symlink_to("/etc/passwd")
        elif how == "directory":
            target.mkdir()
    assert "src/a.py" in loop.space.verify_tree(tree)


def test_touching_and_adding_files_is_no_change_of_tracked_bytes(loop: Loop) -> None:
    tree = loop.space.snapshot()
    loop.space.clean_for_gates(tree)
    os.utime(loop.tree / "src/a.py")
    (loop.tree / "report.xml").write_text("new")
    assert loop.space.verify_tree(tree) == []
    with pytest.raises(GitError, match="not prepared"):
        loop.space.verify_tree(EMPTY_TREE)


def test_an_edit_that_restores_size_and_times_is_part_of_the_snapshot(loop: Loop) -> None:
    """git compares whole seconds: an edit within the second of the last look would escape it."""
    target = loop.tree / "src/a.py"
    old = 1_600_000_000 * 10**9
    for value in range(2, 9):
        target.write_text(f"a = {value}\n")
        os.utime(target, ns=(old, old))
        tree = loop.space.snapshot()
        assert loop.space.blob(loop.space.changes(loop.base, tree)[0].new_blob, 100) == b"a = %d\n" % value


def test_an_edit_that_restores_size_and_times_is_seen_after_a_gate(loop: Loop) -> None:
    target = loop.tree / "src/a.py"
    old = 1_600_000_000 * 10**9
    target.write_text("a = 2\n")
    os.utime(target, ns=(old, old))
    outlive(target)
    (loop.tree / "other").write_text("o")
    tree = loop.space.snapshot()
    loop.space.clean_for_gates(tree)
    assert loop.space.verify_tree(tree) == []
    target.write_text("a = 3\n")
    os.utime(target, ns=(old, old))
    assert loop.space.verify_tree(tree) == ["src/a.py"]
    loop.space.clean_for_gates(tree)
    assert target.read_text() == "a = 2\n"


def outlive(path: Path) -> None:
    """Return when the kernel's clock has moved well past the file's last change."""
    probe = path.with_name("probe")
    while not probe.exists() or probe.stat().st_ctime_ns < path.stat().st_ctime_ns + 3 * TICK:
        probe.write_text("")
    probe.unlink()


def test_names_that_hurt(loop: Loop) -> None:
    names = [b"new\nline", b'quo"te', b"bytes\xff\xfe", b"-rf", b":(top)x", b"sp ace ", b"a" * 255, b"\xe2\x80\xaertl"]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(loop.tree), name))).write_bytes(b"x" + name)  # noqa: PTH118
    tree = loop.space.snapshot()
    assert {os.fsencode(path) for path in changed(loop, tree)} == set(names)
    loop.space.clean_for_gates(tree)
    assert loop.space.verify_tree(tree) == []
    loop.space.prepare(loop.base)
    assert files(loop.tree) == ALL


def test_what_git_can_not_store_is_told_and_does_not_stop_the_rest(loop: Loop) -> None:
    (loop.tree / ".GIT").mkdir()
    (loop.tree / ".GIT/config").write_text("[core]")
    (loop.tree / "sub/git~1").mkdir(parents=True)
    (loop.tree / "sub/git~1/x").write_text("x")
    os.mkfifo(loop.tree / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        place = os.open(loop.tree, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{place}/sock")
        os.close(place)
    (loop.tree / "src/a.py").write_text("a = 2\n")
    tree = loop.space.snapshot()
    assert changed(loop, tree) == {"src/a.py": "M"}
    assert {(odd.rule, odd.path) for odd in loop.space.oddities} == {
        ("unstorable-name", ".GIT/config"),
        ("unstorable-name", "sub/git~1/x"),
    }
    loop.space.clean_for_gates(tree)
    assert files(loop.tree) == ALL


def test_a_tree_deeper_than_paths_can_be(loop: Loop) -> None:
    script = "import os\nfor _ in range(1500):\n os.mkdir('d'*40); os.chdir('d'*40)\nopen('f','w').close()"
    subprocess.run(["python3", "-c", script], cwd=loop.tree, check=True)
    (loop.tree / "src/a.py").write_text("a = 2\n")
    assert changed(loop, loop.space.snapshot()) == {"src/a.py": "M"}
    assert [odd.rule for odd in loop.space.oddities] == ["too-deep"]
    loop.space.prepare(loop.base)
    assert sorted(path.name for path in loop.tree.iterdir()) == [".git", ".gitignore", "README.md", "link", "src"]


def test_nested_repositories_show_as_such_and_do_not_come_back(loop: Loop) -> None:
    for name, commit in (("full", True), ("bare", False)):
        nested = loop.tree / "vendor" / name
        nested.mkdir(parents=True)
        git(nested, "init", "-q")
        (nested / "f").write_text("x")
        if commit:
            commit_all(nested)
    git(loop.tree / "src", "init", "-q")
    (loop.tree / "src/new.py").write_text("n")
    tree = loop.space.snapshot()
    modes = {change.path: change.new_mode for change in loop.space.changes(loop.base, tree)}
    assert modes == {"vendor/full": "160000", "vendor/bare": "160000", "src/new.py": "100644"}
    assert {odd.path for odd in loop.space.oddities} == {"vendor/full", "vendor/bare"}
    loop.space.clean_for_gates(tree)
    assert files(loop.tree) == ALL | {"src/new.py"}
    loop.space.prepare(loop.base, start_tree=tree)
    assert changed(loop, loop.space.snapshot()) == {"src/new.py": "A"}


def test_a_submodule_of_the_base_stays(git_repo: Path, tmp_path: Path) -> None:
    git(git_repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    git(git_repo, "commit", "-qm", "submodule")
    loop = make_loop(git_repo, tmp_path / "state")
    (loop.tree / "lib/planted").write_text("x")
    (loop.tree / "README.md").write_text("changed")
    tree = loop.space.snapshot()
    assert changed(loop, tree) == {"README.md": "M"}
    loop.space.clean_for_gates(tree)
    assert not (loop.tree / "lib/planted").exists()
    (loop.tree / "lib").rmdir()
    assert changed(loop, loop.space.snapshot()) == {"README.md": "M", "lib": "D"}


def test_attributes_change_no_byte(loop: Loop) -> None:
    (loop.tree / ".gitattributes").write_text("* text eol=lf\n*.u working-tree-encoding=UTF-16 ident\n")
    (loop.tree / "crlf.txt").write_bytes(b"one\r\ntwo\r\n")
    (loop.tree / "x.u").write_bytes(b"$Id$\xff\xfe")
    tree = loop.space.snapshot()
    stored = {change.path: loop.space.blob(change.new_blob, 100) for change in loop.space.changes(loop.base, tree)}
    assert stored["crlf.txt"] == b"one\r\ntwo\r\n"
    assert stored["x.u"] == b"$Id$\xff\xfe"
    loop.space.prepare(loop.base)
    loop.space.clean_for_gates(tree)
    assert (loop.tree / "crlf.txt").read_bytes() == b"one\r\ntwo\r\n"


def test_files_hidden_by_a_changed_gitignore_are_told(loop: Loop) -> None:
    (loop.tree / "x.log").write_text("was ignored before")
    (loop.tree / ".gitignore").write_text("__pycache__/\n*.log\nsecret.py\nhidden/\n")
    (loop.tree / "secret.py").write_text("s")
    (loop.tree / "hidden").mkdir()
    (loop.tree / "hidden/f").write_text("s")
    tree = loop.space.snapshot()
    changes = loop.space.changes(loop.base, tree)
    assert [change.path for change in changes] == [".gitignore"]
    assert loop.space.newly_ignored(loop.base, changes) == ["hidden/", "secret.py"]
    assert loop.space.newly_ignored(loop.base, []) == []


def test_the_users_own_excludes_count(git_repo: Path, tmp_path: Path) -> None:
    (git_repo / ".git/info/exclude").write_text("*.private\n")
    loop = make_loop(git_repo, tmp_path / "state")
    (loop.tree / "my.private").write_text("x")
    (loop.tree / "shown").write_text("x")
    assert changed(loop, loop.space.snapshot()) == {"shown": "A"}


def test_a_file_that_can_not_be_written_is_an_error_and_never_a_smaller_tree(loop: Loop) -> None:
    (loop.tree / "src/a.py").write_text("a = 2\n")
    (loop.tree / "z.py").write_text("z\n")
    (loop.tree / ".venv").mkdir()
    (loop.tree / ".venv/x").write_text("kept and ignored, which git reports with the same exit code")
    in_the_way = loop.space.objects / blob_id(b"a = 2\n")[:2]
    in_the_way.write_text("as a full disk: this object can not be written")
    with pytest.raises(GitError):
        loop.space.snapshot(keep=[".venv"])
    in_the_way.unlink()
    assert changed(loop, loop.space.snapshot(keep=[".venv"])) == {"src/a.py": "M", "z.py": "A"}


def test_permissions_that_were_taken_away(loop: Loop) -> None:
    (loop.tree / "src/new.py").write_text("n")
    (loop.tree / "src/new.py").chmod(0)
    (loop.tree / "src").chmod(0)
    assert changed(loop, loop.space.snapshot()) == {"src/new.py": "A"}
    loop.space.prepare(loop.base)
    assert files(loop.tree) == ALL


def test_a_prepared_tree_costs_no_process(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = loop.space.tree_of(loop.base)
    commit = loop.commit(tree)
    loop.space.prepare(commit)
    (loop.tree / "junk").write_text("x")
    monkeypatch.setenv("PATH", "/nonexistent")
    loop.space.prepare(commit)
    assert loop.space.verify_tree(tree) == []
    assert loop.space.snapshot() == tree
    loop.space.clean_for_gates(tree)
    assert not (loop.tree / "junk").exists()


def test_the_paths_before_a_change_are_known_without_asking_git(loop: Loop) -> None:
    before = loop.space.paths(loop.base)
    (loop.tree / "new").write_text("n\n")
    (loop.tree / "README.md").write_text("other\n")
    (loop.tree / "src" / "a.py").unlink()
    tree = loop.space.snapshot()
    changes = loop.space.changes(loop.space.tree_of(loop.base), tree)
    assert {change.status for change in changes} == {"A", "M", "D"}
    assert loop.space.paths_before(changes, tree) == sorted(before)
    assert loop.space.paths_before([], loop.space.tree_of(loop.base)) is None


def test_changes_between_snapshots_are_what_git_says(loop: Loop, tmp_path: Path) -> None:
    """Also where a file becomes a link, a directory or a program, and where a repository lies in the tree."""
    top = loop.tree
    (top / "src" / "run.sh").chmod(0o644)
    (top / "src" / "a.py").unlink()
    (top / "src" / "a.py").mkdir()
    (top / "src" / "a.py" / "inside").write_text("i\n")
    (top / "link").unlink()
    (top / "link").write_text("a file now\n")
    (top / "README.md").unlink()
    (top / "README.md").symlink_to("link")
    (top / "n\udcffew").write_text("n\n")
    git(top, "init", "-q", "nested")
    before = loop.space.tree_of(loop.base)
    tree = loop.space.snapshot()
    assert set(loop.space._trees) == {before, tree}, "else git is asked after all"
    found = loop.space.changes(before, tree)
    assert found == Store.changes(loop.space, before, tree)
    assert {change.status for change in found} == {"A", "D", "M", "T"}
    loop.space.prepare(loop.base, start_tree=tree)
    (top / "more").write_text("m\n")
    again = loop.space.snapshot()
    for old in (before, tree):
        assert loop.space.changes(old, again) == Store.changes(loop.space, old, again)
