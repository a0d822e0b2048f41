"""The tools of the built-in agent, inside the sandbox: a shell that stays, an editor, list and search.

A stdlib-only program, run as ``python -I -S -c <this source>`` in the work tree (one file, because it crosses the
sandbox's border as one argument). One JSON request a line on stdin, ``{"id", "tool", "input"}``, one answer a line on
stdout, ``{"id", "content", "is_error"}``. Tools get other standard streams, so that nothing they print is an answer.
"""

# os.path, because pathlib would be a third of what this program imports:
# ruff: noqa: PTH103, PTH109, PTH110, PTH112, PTH113, PTH114, PTH118, PTH119, PTH120

from __future__ import annotations

import fnmatch
import json
import os
import re
import select
import shlex
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from typing import Any

CAP = 100_000
"""Bytes of output that one call may return: the first and the last half of it."""
MAX_FILE = 10_000_000
MAX_LIST = 2_000
MAX_HITS = 200
MAX_LINE = 500
MAX_SECONDS = 1800.0
BASH_SECONDS = 120.0
FILE_SECONDS = 30.0
SKIPPED = {".git", ".hg", "node_modules", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
BASH = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/opt/homebrew/bin/bash")


class ToolError(Exception):
    """Told to the model as an error result."""


class Kept:
    """Head and tail of an output of any length."""

    def __init__(self) -> None:
        self.head, self.tail, self.size = bytearray(), bytearray(), 0

    def drain(self, descriptor: int) -> bool:
        """Take what there is, a few MB at most so that a flood can't hide the end of a command. False at its end."""
        for _ in range(64):
            try:
                data = os.read(descriptor, 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.size += len(data)
            room = max(0, CAP // 2 - len(self.head))
            self.head += data[:room]
            self.tail += data[room:]
            if len(self.tail) > CAP:
                del self.tail[: -CAP // 2]
        return True

    def with_note(self, note: str) -> str:
        """The output as text and a last line."""
        tail = self.tail[-(CAP // 2) :]
        lost = self.size - len(self.head) - len(tail)
        middle = f"\n[... {lost} bytes left out ...]\n".encode() if lost else b""
        text = (bytes(self.head) + middle + bytes(tail)).decode("utf-8", "replace").rstrip("\n")
        return f"{text}\n{note}".strip("\n")


class Shell:
    """One bash that keeps its directory and variables between commands.

    Commands get an empty standard input; their exit status comes over a pipe that is closed for them. ``owner`` is
    a descriptor that can be read while a command runs only where whoever asked for it is gone; then all ends.
    """

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.process: subprocess.Popen[bytes] | None = None
        self.out = self.status = self.told = -1

    def start(self) -> subprocess.Popen[bytes]:
        self.stop()
        program = next((path for path in BASH if os.path.exists(path)), "sh")
        plain = ["--noprofile", "--norc"] if program.endswith("bash") else []
        self.out, out = os.pipe()
        self.status, self.told = os.pipe()
        os.set_blocking(self.out, False)
        self.process = subprocess.Popen(
            [program, *plain],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            pass_fds=(self.told,),
            start_new_session=True,
        )
        os.close(out)
        os.close(self.told)
        return self.process

    def stop(self) -> int | None:
        """Kill the shell and what runs in its session's group; its exit code if it had ended by itself."""
        process, self.process = self.process, None
        if process is None:
            return None
        code = process.poll()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except OSError:
            pass  # nothing of it is left
        try:
            process.__exit__(None, None, None)
        except OSError:
            pass  # a half-written command in its pipe
        os.close(self.out)
        os.close(self.status)
        return code

    def run(self, command: str, seconds: float) -> str:
        if "\0" in command:
            raise ToolError("a command can't hold a NUL character")
        process = self.process
        if process is None or process.poll() is not None:
            process = self.start()
        mark = os.urandom(8).hex()
        kept = Kept()
        status = None
        try:
            script = f"eval {shlex.quote(command)} </dev/null {self.told}>&-\nprintf '{mark} %d\\n' $? >&{self.told}\n"
            assert process.stdin is not None
            process.stdin.write(script.encode())
            process.stdin.flush()
            status = self._wait(mark.encode(), kept, time.monotonic() + seconds)
        finally:
            if status is None:
                self.stop()
        if status is None:
            raise ToolError(kept.with_note(f"timed out after {seconds:g} s; the shell was restarted"))
        if status < 0:
            process.wait()
            return kept.with_note(f"exit code {self.stop()}; the shell had ended and was restarted")
        return kept.with_note(f"exit code {status}" if status else "")

    def _wait(self, mark: bytes, kept: Kept, deadline: float) -> int | None:
        """Exit status of the command; None: out of time, -1: the shell is gone."""
        told = b""
        watched = [self.owner, self.out, self.status]
        while (left := deadline - time.monotonic()) > 0:
            ready = select.select(watched, [], [], left)[0]
            if self.owner in ready:
                raise SystemExit
            if self.out in ready and not kept.drain(self.out):
                watched = [self.owner, self.status]
            if self.status in ready:
                data = os.read(self.status, 4096)
                told += data
                found = re.search(rb"(?m)^" + mark + rb" (\d+)\n", told)
                if found or not data:
                    kept.drain(self.out)
                    return int(found[1]) if found else -1
        return None


class Files:
    """Editor, list and search, confined to one directory by real path."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)

    def path(self, given: object) -> str:
        if not isinstance(given, str) or not given or "\0" in given:
            raise ToolError("path must be a non-empty string")
        real = os.path.realpath(os.path.join(self.root, given))
        if real != self.root and not real.startswith(self.root.rstrip("/") + "/"):
            raise ToolError(f"{given} is outside the work tree {self.root}")
        return real

    def name(self, path: str) -> str:
        return os.path.relpath(path, self.root)

    def read(self, path: str) -> str:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise ToolError(f"{self.name(path)} does not exist") from None
        with os.fdopen(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise ToolError(f"{self.name(path)} is not a regular file")
            if info.st_size > MAX_FILE:
                raise ToolError(f"{self.name(path)} is larger than {MAX_FILE} bytes; use bash to look at parts of it")
            try:
                return file.read(MAX_FILE).decode("utf-8")
            except UnicodeDecodeError:
                raise ToolError(f"{self.name(path)} is not UTF-8 text") from None

    def write(self, path: str, text: str) -> None:
        if os.path.lexists(path) and not os.path.isfile(path):
            raise ToolError(f"{self.name(path)} is not a regular file")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text.encode())

    def edit(self, given: dict[str, Any]) -> str:
        path = self.path(given.get("path"))
        command = given.get("command")
        if command == "view":
            return self.view(path, given.get("view_range"))
        if command == "create":
            self.write(path, wanted(given, "file_text"))
            return f"wrote {self.name(path)}"
        if command == "str_replace":
            return self.replace(path, wanted(given, "old_str"), given.get("new_str") or "")
        if command == "insert":
            return self.insert(path, given.get("insert_line"), wanted(given, "insert_text"))
        raise ToolError(f"unknown command {command!r}: use view, create, str_replace or insert")

    def view(self, path: str, span: object) -> str:
        if os.path.isdir(path):
            return self.listing(path, "*", depth=2)
        lines = split(self.read(path))
        first, last = 1, len(lines)
        if span is not None:
            if not (isinstance(span, list) and len(span) == 2 and all(isinstance(one, int) for one in span)):
                raise ToolError("view_range must be [first line, last line], -1 for the end")
            first, last = span[0], len(lines) if span[1] == -1 else min(span[1], len(lines))
            if first < 1 or last < first:
                raise ToolError(f"view_range {span} is not within 1..{len(lines)}")
        numbered = (f"{number:6}\t{line}" for number, line in enumerate(lines[first - 1 : last], first))
        return clipped("".join(numbered)) or "(empty)"

    def replace(self, path: str, old: str, new: str) -> str:
        text = self.read(path)
        count = text.count(old) if old else 0
        if count != 1:
            raise ToolError(f"old_str must match exactly once in {self.name(path)}, it matches {count} times")
        self.write(path, text.replace(old, new))
        return f"replaced at line {text[: text.index(old)].count(chr(10)) + 1} of {self.name(path)}"

    def insert(self, path: str, line: object, new: str) -> str:
        lines = split(self.read(path))
        if not isinstance(line, int) or not 0 <= line <= len(lines):
            raise ToolError(f"insert_line must be within 0..{len(lines)}")
        if line and not lines[line - 1].endswith("\n"):
            lines[line - 1] += "\n"
        self.write(path, "".join([*lines[:line], new if new.endswith("\n") else new + "\n", *lines[line:]]))
        return f"inserted after line {line} of {self.name(path)}"

    def walk(self, top: str, depth: int = 64) -> Iterator[str]:
        """Regular files below ``top`` as paths relative to the root, without what .gitignore names (loosely)."""
        ignored: list[tuple[str, str]] = []
        for folder, names, files in os.walk(top):
            if ".gitignore" in files:
                ignored += rules(folder)
            deep = 0 if folder == top else os.path.relpath(folder, top).count("/") + 1
            names[:] = sorted(
                one
                for one in names
                if deep < depth and one not in SKIPPED and not hidden(ignored, os.path.join(folder, one))
            )
            for one in sorted(files):
                path = os.path.join(folder, one)
                if not hidden(ignored, path) and not os.path.islink(path):
                    yield self.name(path)

    def listing(self, path: str, pattern: str, depth: int = 64) -> str:
        found: list[str] = []
        for name in self.walk(path, depth):
            if len(found) == MAX_LIST:
                found.append(f"[more than {MAX_LIST} files; name a deeper path or a pattern]")
                break
            if matches(name, pattern):
                found.append(name)
        return clipped("\n".join(found)) or "no files"

    def search(self, given: dict[str, Any]) -> str:
        try:
            pattern = re.compile(wanted(given, "pattern"))
        except re.error as error:
            raise ToolError(f"pattern is not a regular expression: {error}") from None
        top = self.path(given.get("path") or ".")
        hits: list[str] = []
        for name in [self.name(top)] if os.path.isfile(top) else self.walk(top):
            if not matches(name, given.get("glob") or "*"):
                continue
            try:
                lines = split(self.read(os.path.join(self.root, name)))
            except (ToolError, OSError):
                continue  # binary, too large or unreadable: not searched
            hits += [f"{name}:{at}:{one[:MAX_LINE].rstrip()}" for at, one in enumerate(lines, 1) if pattern.search(one)]
            if len(hits) > MAX_HITS:
                return clipped("\n".join([*hits[:MAX_HITS], f"[more than {MAX_HITS} matches; narrow the search]"]))
        return clipped("\n".join(hits)) or "no matches"


def split(text: str) -> list[str]:
    """Lines with their ends, cut at line feeds alone."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def matches(name: str, pattern: str) -> bool:
    """Whether a path or its last part matches a glob; ``*`` crosses slashes, ``**/`` may be nothing."""
    plain = pattern.replace("**/", "")
    return fnmatch.fnmatch(name, plain) or fnmatch.fnmatch(os.path.basename(name), plain)


def rules(folder: str) -> list[tuple[str, str]]:
    """(folder, pattern) of the plain lines of a .gitignore; negations are not followed."""
    try:
        with open(os.path.join(folder, ".gitignore"), encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file.read(100_000).splitlines()]
    except OSError:
        return []
    return [(folder, line) for line in lines if line and line[0] not in "#!"]


def hidden(ignored: list[tuple[str, str]], path: str) -> bool:
    for folder, pattern in ignored:
        inside = path.removeprefix(folder.rstrip("/") + "/")
        if inside == path:
            continue
        plain = pattern.strip("/")
        free = "/" not in pattern.rstrip("/")
        if fnmatch.fnmatch(os.path.basename(path) if free else inside, plain):
            return True
    return False


def wanted(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str):
        raise ToolError(f"{key} is missing or no string")
    return value


def clipped(text: str) -> str:
    if len(text) <= CAP:
        return text
    return f"{text[: CAP // 2]}\n[... {len(text) - CAP} characters left out ...]\n{text[-(CAP // 2) :]}"


def bash(shell: Shell, given: dict[str, Any], seconds: float) -> str:
    if given.get("restart"):
        shell.start()
        return "the shell was restarted"
    return shell.run(wanted(given, "command"), seconds)


def call(shell: Shell, files: Files, tool: object, given: object) -> str:
    """Content of the answer. Raises ToolError or OSError, also when the time is up."""
    if not isinstance(given, dict):
        raise ToolError("the arguments are no JSON object")
    asked = given.get("timeout")
    seconds = min(float(asked), MAX_SECONDS) if isinstance(asked, int | float) and asked > 0 else BASH_SECONDS
    signal.setitimer(signal.ITIMER_REAL, seconds + 5 if tool == "bash" else FILE_SECONDS)
    try:
        if tool == "bash":
            return bash(shell, given, seconds)
        if tool == "str_replace_based_edit_tool":
            return files.edit(given)
        if tool == "list_files":
            return files.listing(files.path(given.get("path") or "."), given.get("pattern") or "*")
        if tool == "search_files":
            return files.search(given)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    raise ToolError(f"unknown tool {tool!r}: there are bash, str_replace_based_edit_tool, list_files, search_files")


def answer(shell: Shell, files: Files, line: bytes) -> bytes:
    id, failed = None, True
    try:
        request = json.loads(line)
        id = request["id"]
        content, failed = call(shell, files, request["tool"], request["input"]), False
    except (ToolError, OSError) as error:
        content = str(error)
    except Exception as error:  # noqa: BLE001 - a tool that breaks must not end the others
        content = f"{type(error).__name__}: {error}"
    clean = (content or "(no output)").encode("utf-8", "replace").decode()
    return json.dumps({"id": id, "content": clean, "is_error": failed}).encode() + b"\n"


def out_of_time(_signal: int, _frame: object) -> None:
    raise ToolError("the tool took too long and was stopped")


def main() -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    os.environ.update(PAGER="cat", GIT_PAGER="cat")
    signal.signal(signal.SIGALRM, out_of_time)
    shell, files = Shell(requests.fileno()), Files(os.getcwd())
    for line in requests:
        answers.write(answer(shell, files, line))
        answers.flush()
    shell.stop()


if __name__ == "__main__":
    main()
