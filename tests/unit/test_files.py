from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ralph.errors import RalphError
from ralph.host import files


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    root = tmp_path / "state"
    files.own_directory(root)
    return root


def test_write_atomic_replaces_and_sets_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    files.write_atomic(path, b"one")
    files.write_atomic(path, b"two", mode=0o644)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in tmp_path.iterdir()] == ["tasks.json"]


def test_write_atomic_replaces_a_planted_link_and_leaves_its_target(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "state.json"
    target.write_bytes(b"precious")
    path.symlink_to(target)
    files.write_atomic(path, b"new")
    assert target.read_bytes() == b"precious"
    assert not path.is_symlink()


def test_a_write_that_fails_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError):
            files.write_atomic(path, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert not list(tmp_path.glob("*.tmp")) and not list(tmp_path.glob(".*.tmp"))


def test_read_regular_takes_files_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    assert files.read_regular(tmp_path / "file", 3) == b"abc"
    for name in ("link", "pipe", "missing"):
        with pytest.raises(RalphError, match="cannot read"):
            files.read_regular(tmp_path / name, 100)
    with pytest.raises(RalphError, match="cannot read"):
        files.read_regular(Path("/dev/zero"), 100)
    with pytest.raises(RalphError, match="larger than 2 bytes"):
        files.read_regular(tmp_path / "file", 2)


def test_read_beneath_follows_no_link_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "tree" / "docs").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"key")
    (tmp_path / "tree" / "docs" / "a.md").write_bytes(b"a")
    (tmp_path / "tree" / "up").symlink_to("..")
    (tmp_path / "tree" / "file").symlink_to("../secret")
    os.mkfifo(tmp_path / "tree" / "pipe")
    root = tmp_path / "tree"
    assert files.read_beneath(root, "docs/a.md", 10) == b"a"
    for path in ("up/secret", "file", "pipe", "missing", "docs", "docs/a.md/x"):
        assert files.read_beneath(root, path, 10) is None
    for path in ("../secret", "/etc/passwd", "", "docs/../../secret"):
        with pytest.raises(RalphError, match="not a path below"):
            files.read_beneath(root, path, 10)


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_reading_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    before = open_descriptors()
    for path in ("file", "missing", "file/x"):
        files.read_beneath(tmp_path, path, 10)
    assert open_descriptors() == before


def test_a_directory_of_somebody_else_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years")
    with pytest.raises(RalphError, match="was not made by ralph"):
        files.own_directory(tmp_path / "home")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    with pytest.raises(RalphError, match="not a directory of yours"):
        files.own_directory(tmp_path / "link")


def test_own_directory_is_private_and_may_be_claimed_again(owned: Path) -> None:
    files.own_directory(owned)
    assert owned.stat().st_mode & 0o777 == 0o700


def test_delete_tree_removes_links_without_following_them(owned: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("keep")
    tree = owned / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "link").symlink_to(outside)
    (tree / "a" / "b" / "locked").mkdir(mode=0)
    os.mkfifo(tree / "pipe")
    files.delete_tree(tree, owned)
    assert not tree.exists()
    assert (outside / "keep").exists()
    files.delete_tree(tree, owned)


def test_delete_tree_stays_below_a_marked_directory(owned: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "data").mkdir(parents=True)
    (owned / "escape").symlink_to(victim)
    refused = [
        (victim, owned),
        (owned, owned),
        (owned / ".." / "victim", owned),
        (owned / "escape" / "data", owned),
        (victim / "data", victim),
        (owned / files.MARKER, owned),
        (Path("/"), owned),
    ]
    for path, inside in refused:
        with pytest.raises(RalphError, match="refusing to delete"):
            files.delete_tree(path, inside)
    assert (victim / "data").is_dir()
    files.delete_tree(owned / "escape", owned)
    assert (victim / "data").is_dir()


def test_delete_tree_manages_a_nest_deeper_than_descriptors_and_recursion(owned: Path) -> None:
    tree = owned / "tree"
    tree.mkdir()
    code = "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tree, check=True)
    files.delete_tree(tree, owned)
    assert not tree.exists()


def test_delete_tree_refuses_another_file_system(owned: Path) -> None:
    """A mount can't be made here, so the directory is said to lie on a device that it does not lie on."""
    (owned / "tree" / "mounted").mkdir(parents=True)
    folder = os.open(owned, os.O_RDONLY)
    with pytest.raises(RalphError, match="another file system"):
        files._remove(folder, "tree", owned.stat().st_dev + 1)
    os.close(folder)
    assert (owned / "tree" / "mounted").is_dir()


def test_free_bytes_asks_the_nearest_existing_parent(tmp_path: Path) -> None:
    assert files.free_bytes(tmp_path / "not" / "yet") > 0


@pytest.mark.parametrize("name", ["file/state", "/proc/nope/state"])
def test_a_place_where_nothing_can_be_made_is_no_bug(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RalphError, match="can't be made") as caught:
        files.own_directory(tmp_path / name)
    assert "XDG_STATE_HOME" in caught.value.hint
