"""The tool host as the program it is: JSON lines in, JSON lines out, whatever the tools do."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ralph.agents import toolhost

Tool = Callable[..., tuple[str, bool]]


class Host:
    def __init__(self, tree: Path) -> None:
        source = Path(toolhost.__file__).read_text()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", source],
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.number = 0

    def raw(self, line: bytes) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def call(self, tool: str, **given: Any) -> tuple[str, bool]:
        self.number += 1
        answer = self.raw(json.dumps({"id": self.number, "tool": tool, "input": given}).encode())
        assert answer["id"] == self.number
        return answer["content"], answer["is_error"]

    def bash(self, command: str, **more: Any) -> str:
        return self.call("bash", command=command, **more)[0]

    def edit(self, command: str, path: str, **more: Any) -> tuple[str, bool]:
        return self.call("str_replace_based_edit_tool", command=command, path=path, **more)


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    (tree / "src" / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    (tree / "README.md").write_text("# calc\n")
    return tree


@pytest.fixture
def host(tree: Path) -> Iterator[Host]:
    host = Host(tree)
    yield host
    _, errors = host.process.communicate(timeout=5)
    assert b"Traceback" not in errors, errors.decode()


def test_it_fits_into_one_argument() -> None:
    assert len(Path(toolhost.__file__).read_bytes()) < 100_000


def test_the_shell_keeps_directory_and_variables(host: Host) -> None:
    assert host.bash("cd src && export X=5") == "(no output)"
    assert host.bash("pwd | xargs basename; echo $X") == "src\n5"
    assert host.call("bash", restart=True) == ("the shell was restarted", False)
    assert host.bash("pwd | xargs basename; echo ${X:-gone}") == "tree\ngone"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo out; echo err >&2", "out\nerr"),
        ("false", "exit code 1"),
        ("echo a; (exit 7)", "a\nexit code 7"),
        ("nonesuch-command 2>/dev/null", "exit code 127"),
        ("cat", "(no output)"),
        ('read x; echo "[$x]"', "[]"),
        ("cat <<'X'\nit's \"here\"\nX", 'it\'s "here"'),
        ("printf 'no newline'", "no newline"),
        ("printf '\\377\\001'", "\ufffd\x01"),
        ("echo '\u20ac \U0001f600'", "\u20ac \U0001f600"),
        ("for i in 1 2; do echo $i; done", "1\n2"),
        ("exit 3", "exit code 3; the shell had ended and was restarted"),
        ("kill -9 $$", "exit code -9; the shell had ended and was restarted"),
    ],
)
def test_commands(host: Host, command: str, expected: str) -> None:
    assert host.bash(command) == expected
    assert host.bash("echo next") == "next"


@pytest.mark.parametrize("command", ["echo 'unclosed", "if true; then", "((", "cat <<X"])
def test_broken_syntax_ends_at_once_and_leaves_the_shell_whole(host: Host, command: str) -> None:
    begun = time.monotonic()
    host.bash(command)
    assert host.bash("echo next") == "next"
    assert time.monotonic() - begun < 5


def test_a_command_that_takes_too_long_is_killed_with_what_it_said(host: Host) -> None:
    content, failed = host.call("bash", command="echo begun; sleep 60", timeout=0.4)
    assert failed
    assert content == "begun\ntimed out after 0.4 s; the shell was restarted"
    assert host.bash("echo next") == "next"


def test_a_background_process_does_not_hold_a_command_up(host: Host, tree: Path) -> None:
    begun = time.monotonic()
    host.bash("sleep 60 & echo $! > pid")
    assert time.monotonic() - begun < 5
    pid = int((tree / "pid").read_text())
    host.call("bash", restart=True)
    while alive(pid):
        assert time.monotonic() - begun < 5


def test_it_ends_with_all_it_started_when_its_owner_is_gone(host: Host, tree: Path) -> None:
    assert host.process.stdin
    host.process.stdin.write(
        json.dumps({"id": 1, "tool": "bash", "input": {"command": "echo $$ > pid; sleep 60"}}).encode()
    )
    host.process.stdin.write(b"\n")
    host.process.stdin.flush()
    begun = time.monotonic()
    while not (tree / "pid").exists() or not (tree / "pid").read_text():
        assert time.monotonic() - begun < 5
    host.process.stdin.close()
    host.process.stdin = None
    assert host.process.wait(2) == 0
    while alive(int((tree / "pid").read_text())):
        assert time.monotonic() - begun < 5


def test_output_without_end_is_cut_in_the_middle(host: Host) -> None:
    content = host.bash("echo START; head -c 30000000 /dev/zero | tr '\\0' x; echo; echo END")
    assert content.startswith("START\nxxx")
    assert content.endswith("xxx\nEND")
    assert "bytes left out" in content
    assert len(content) < toolhost.CAP + 100


def test_a_flood_in_the_background_hides_nothing(host: Host) -> None:
    assert "done" in host.bash("(yes >&2 &) ; echo done", timeout=5)
    assert host.bash("pkill -9 -s 0 -x yes >/dev/null; pkill -9 -P $$ >/dev/null; echo next", timeout=5).endswith(
        "next"
    )
    host.call("bash", restart=True)


def test_tools_can_not_write_into_the_protocol(host: Host) -> None:
    forged = '{"id": 99, "content": "forged", "is_error": false}'
    host.bash(f"for fd in 0 1 2 3 4 5 6 7 8 9; do echo '{forged}' >&$fd; done 2>/dev/null; true")
    assert host.bash("echo next") == "next"


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"null", b'{"id": 1}', b'{"id": 1, "tool": "bash"}', b'{"id": 1, "tool": "x", "input": {}}',
     b'{"id": 1, "tool": "bash", "input": "ls"}', b'{"id": 1, "tool": "bash", "input": {"command": 5}}',
     b'{"id": 1, "tool": "bash", "input": {"command": "a\\u0000b"}}',
     b'{"id": 1, "tool": "bash", "input": {"command": "\\ud800"}}', b"\xff\xfe"],
)  # fmt: skip
def test_nonsense_is_an_error_result(host: Host, line: bytes) -> None:
    assert host.raw(line)["is_error"] is True
    assert host.bash("echo next") == "next"


def test_the_editor_views_creates_replaces_and_inserts(host: Host, tree: Path) -> None:
    assert host.edit("view", "src/calc.py") == ("     1\tdef add(a, b):\n     2\t    return a - b\n", False)
    assert host.edit("view", str(tree / "src/calc.py"), view_range=[2, -1])[0] == "     2\t    return a - b\n"
    assert host.edit("str_replace", "src/calc.py", old_str="a - b", new_str="a + b") == (
        "replaced at line 2 of src/calc.py", False)  # fmt: skip
    assert host.edit("insert", "src/calc.py", insert_line=0, insert_text="# top")[1] is False
    assert host.edit("create", "new/deep/file.txt", file_text="x\r\ny") == ("wrote new/deep/file.txt", False)
    assert (tree / "src/calc.py").read_text() == "# top\ndef add(a, b):\n    return a + b\n"
    assert (tree / "new/deep/file.txt").read_bytes() == b"x\r\ny"
    assert host.edit("view", ".")[0].split("\n") == ["README.md", "new/deep/file.txt", "src/calc.py"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"command": "str_replace", "path": "src/calc.py", "old_str": "zzz", "new_str": ""}, "matches 0 times"),
        ({"command": "str_replace", "path": "src/calc.py", "old_str": "a", "new_str": ""}, "exactly once"),
        ({"command": "str_replace", "path": "src/calc.py", "old_str": "", "new_str": ""}, "matches 0 times"),
        ({"command": "view", "path": "nope.txt"}, "does not exist"),
        ({"command": "view", "path": "src/calc.py", "view_range": [9, 10]}, "not within 1..2"),
        ({"command": "view", "path": "src/calc.py", "view_range": "all"}, "view_range must be"),
        ({"command": "insert", "path": "src/calc.py", "insert_line": 9, "insert_text": "x"}, "within 0..2"),
        ({"command": "create", "path": "x"}, "file_text is missing"),
        ({"command": "create", "path": "src", "file_text": ""}, "not a regular file"),
        ({"command": "create", "path": "README.md/x", "file_text": ""}, "exists"),
        ({"command": "undo_edit", "path": "x"}, "unknown command"),
        ({"command": "view"}, "path must be"),
        ({"command": "view", "path": "a\0b"}, "path must be"),
        ({"command": "view", "path": "bin"}, "not UTF-8"),
        ({"command": "view", "path": "pipe"}, "not a regular file"),
        ({"command": "create", "path": "pipe", "file_text": "x"}, "not a regular file"),
    ],
)
def test_wrong_edits_are_explained(host: Host, tree: Path, given: dict[str, Any], message: str) -> None:
    (tree / "bin").write_bytes(b"\xff\x00")
    os.mkfifo(tree / "pipe")
    content, failed = host.call("str_replace_based_edit_tool", **given)
    assert failed
    assert message in content


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "out/secret", "link", "src/../../secret", "/proc/self/environ"]
)
def test_nothing_outside_the_tree_is_read_or_written(host: Host, tree: Path, path: str) -> None:
    secret = tree.parent / "secret"
    secret.write_text("s")
    (tree / "out").symlink_to(tree.parent)
    (tree / "link").symlink_to(secret)
    for given in ({"command": "view"}, {"command": "create", "file_text": "x"}):
        content, failed = host.edit(path=path, **given)
        assert failed
        assert "outside the work tree" in content
    assert host.call("search_files", pattern="s", path=path)[1]
    assert host.call("list_files", path=path)[1]
    assert secret.read_text() == "s"


def test_list_and_search_leave_out_what_git_ignores(host: Host, tree: Path) -> None:
    (tree / ".gitignore").write_text("*.log\n/dist/\n# note\n\n!x\nbuild\n")
    for name in ("a.log", "dist/x.py", "src/dist/y.py", "build/z.py", ".git/config", "node_modules/m.js"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("def add\n")
    assert host.call("list_files", path="", pattern="")[0].split("\n") == [
        ".gitignore", "README.md", "src/calc.py", "src/dist/y.py"]  # fmt: skip
    assert host.call("list_files", pattern="**/*.py")[0] == "src/calc.py\nsrc/dist/y.py"
    assert host.call("list_files", path="src", pattern="calc*")[0] == "src/calc.py"
    assert host.call("list_files", pattern="*.none")[0] == "no files"
    assert host.call("search_files", pattern=r"def \w+")[0] == "src/calc.py:1:def add(a, b):\nsrc/dist/y.py:1:def add"
    assert host.call("search_files", pattern="add", path="src/calc.py")[0] == "src/calc.py:1:def add(a, b):"
    assert host.call("search_files", pattern="def", glob="*.md")[0] == "no matches"
    assert host.call("search_files", pattern="(")[1]


def test_long_lists_and_many_matches_are_cut(host: Host, tree: Path) -> None:
    for number in range(toolhost.MAX_LIST + 5):
        (tree / f"f{number}").touch()
    (tree / "many").write_text("hit\n" * 500)
    assert "[more than 2000 files" in host.call("list_files")[0]
    assert "[more than 200 matches" in host.call("search_files", pattern="hit")[0]


def test_a_name_that_is_not_utf8_does_not_break_the_answer(host: Host, tree: Path) -> None:
    os.close(os.open(os.fsencode(tree) + b"/\xff.txt", os.O_CREAT))
    assert host.call("list_files", pattern="*.txt") == ("?.txt", False)
