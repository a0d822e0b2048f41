"""Every git command runs here: a cleaned environment, protective flags, a deadline, and errors as GitError.

GitPython is used as a command runner only. Its object model leaks processes, is three times slower and reads
the repository's own configuration; nothing else may import it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ralph.errors import GitError

if TYPE_CHECKING:
    from git.cmd import Git as Runner

MINIMUM = (2, 39)
"""``merge-tree --write-tree``, batched fsync and the fixes for cloning from untrusted repositories."""

TIMEOUT = 120.0
"""Seconds."""

_ALWAYS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.fsync=committed,reference",
    "core.fsyncMethod=batch",
    "core.alternateRefsCommand=",
    "core.pager=cat",
    "diff.ignoreSubmodules=all",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "push.gpgSign=false",
    "log.showSignature=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "safe.bareRepository=explicit",
    "protocol.ext.allow=never",
    "advice.addEmbeddedRepo=false",
)
_CLOSED = (
    *_ALWAYS,
    "core.symlinks=true",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "credential.helper=",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "index.version=2",
    "index.sparse=false",
)
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_EDITOR": ":",
    "GIT_SEQUENCE_EDITOR": ":",
    "GIT_PAGER": "cat",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM": "0",
    "GIT_FLUSH": "0",
    "LC_ALL": "C",
}
_NOBODY = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "ralph",
    "GIT_AUTHOR_EMAIL": "ralph@localhost",
    "GIT_COMMITTER_NAME": "ralph",
    "GIT_COMMITTER_EMAIL": "ralph@localhost",
}
_HARMLESS = re.compile(r"GIT_(SSL_|PROXY_SSL_|HTTP_)")
_FROM_THE_USER = re.compile(
    _HARMLESS.pattern + r"|GIT_(SSH|SSH_COMMAND|SSH_VARIANT|CONFIG_GLOBAL|CONFIG_SYSTEM|CONFIG_NOSYSTEM)$"
)


def settings(values: Sequence[str]) -> dict[str, str]:
    """``key=value`` settings as environment: the same as ``-c``, without forty more words on the command line."""
    env = {"GIT_CONFIG_COUNT": str(len(values))}
    for number, setting in enumerate(values):
        env[f"GIT_CONFIG_KEY_{number}"], _, env[f"GIT_CONFIG_VALUE_{number}"] = setting.partition("=")
    return env


ONE_BY_ONE = settings(_CLOSED) | {f"GIT_CONFIG_VALUE_{_CLOSED.index('core.fsyncMethod=batch')}": "fsync"}
"""Environment for a command that writes a few objects: batching costs more than it saves below about five."""


FETCH = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
"""Options of every fetch: objects and the refs that are named, nothing else."""


def upload_pack() -> str:
    """Program for ``--upload-pack`` on a local repository: its own settings run nothing, any commit may be asked for.

    Owner checks are off: they guard against hooks and settings, which do not count here anyway.
    """
    values = ("core.hooksPath=/dev/null", "uploadpack.allowAnySHA1InWant=true", "safe.directory=*")
    return " ".join(["git", *(f"-c '{value}'" for value in values), "upload-pack"])


def identity(name: str, email: str, date: str = "") -> dict[str, str]:
    """Environment that makes ``name <email>`` author and committer, for one call."""
    env = {f"GIT_{who}_{part}": value for who in ("AUTHOR", "COMMITTER") for part, value in _pairs(name, email)}
    return env | ({"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {})


def _pairs(name: str, email: str) -> tuple[tuple[str, str], ...]:
    return ("NAME", name), ("EMAIL", email)


class Git:
    """git on one git directory, never discovered, always named.

    ``user_config`` lets the user's own system and global configuration count (credentials, ssh, proxies): for
    network operations and for reading settings. Hooks, prompts, signing and submodules stay off even then.
    """

    def __init__(
        self, git_dir: Path, work_tree: Path | None = None, index: Path | None = None, *, user_config: bool = False
    ) -> None:
        self.git_dir = git_dir
        self.work_tree = work_tree
        self.settings = _ALWAYS if user_config else _CLOSED
        self._env = _QUIET | ({} if user_config else _NOBODY) | settings(self.settings) | {"GIT_DIR": str(git_dir)}
        self._spared = _FROM_THE_USER if user_config else _HARMLESS
        if work_tree is not None:
            self._env["GIT_WORK_TREE"] = str(work_tree)
        if index is not None:
            self._env["GIT_INDEX_FILE"] = str(index)

    def run(
        self,
        *args: str,
        input: bytes | None = None,
        ok: tuple[int, ...] = (0,),
        env: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> bytes:
        """Run ``git *args`` and return its stdout. Raises GitError for an exit code not in ``ok`` or a timeout."""
        code, out, err = self.status(*args, input=input, env=env, timeout=timeout)
        if code not in ok:
            raise failure(args, code, err)
        return out

    def status(
        self,
        *args: str,
        input: bytes | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> tuple[int, bytes, bytes]:
        """Run ``git *args``; returns exit code, stdout, stderr. Raises GitError only for a timeout or no git."""
        with self._started(args, env, subprocess.DEVNULL if input is None else subprocess.PIPE, timeout) as process:
            out, err = process.communicate(input)
        return process.returncode, out, err

    def head(self, *args: str, limit: int, timeout: float = TIMEOUT) -> tuple[bytes, bool]:
        """First ``limit`` bytes of stdout, and whether there was more. Memory stays within ``limit``."""
        with self._started(args, None, subprocess.DEVNULL, timeout) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            data = process.stdout.read(limit + 1)
            if len(data) > limit:
                return data[:limit], True
            err = process.stderr.read()
            if process.wait() != 0:
                raise failure(args, process.returncode, err)
            return data, False

    def line(self, *args: str, ok: tuple[int, ...] = (0,)) -> str:
        """Stdout as one stripped string."""
        return text(self.run(*args, ok=ok)).strip()

    def fields(self, *args: str, input: bytes | None = None, ok: tuple[int, ...] = (0,)) -> list[bytes]:
        """Stdout split at NUL, for commands given ``-z``."""
        return [field for field in self.run(*args, input=input, ok=ok).split(b"\0") if field]

    @contextmanager
    def _started(
        self, args: tuple[str, ...], env: Mapping[str, str] | None, stdin: int, timeout: float
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A running git that is gone when the block ends. Raises GitError where the deadline had to end it."""
        values = self._env if env is None else {**self._env, **env}
        command = [*_without(values, self._spared), "git", *args]
        handle = _runner()(self.git_dir).execute(
            command, istream=stdin, as_process=True, env=values, start_new_session=True
        )
        process = handle.proc
        assert process is not None
        late = threading.Event()
        clock = threading.Timer(timeout, _expire, (process, late))
        clock.daemon = True
        clock.start()
        try:
            yield process
        finally:
            clock.cancel()
            if process.returncode is None:
                _kill(process)
                process.wait()
            handle._terminate()
            if late.is_set():
                raise GitError(f"git {args[0]} took over {timeout:g} s", "Look at the disk or the network.")


@cache
def version() -> tuple[int, ...]:
    """Version of the git on PATH, e.g. (2, 39, 5). Raises GitError where there is none or it is too old."""
    out = text(Git(Path("/")).run("version"))
    found = tuple(int(part) for part in re.findall(r"\d+", out)[:3])
    if found < MINIMUM:
        raise GitError(f"{out.strip()} is too old", f"Install git {MINIMUM[0]}.{MINIMUM[1]} or newer.")
    return found


def text(data: bytes) -> str:
    """Decode what git printed; bytes that are not UTF-8 survive a way back with ``raw``."""
    return data.decode("utf-8", "surrogateescape")


def raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def failure(args: tuple[str, ...], code: int, err: bytes) -> GitError:
    said = [line.strip() for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in said if re.match(r"(fatal|error|remote|!|ssh)\b", line)] or said
    reason = "; ".join(telling[-3:])[:500] or f"exit code {code}"
    return GitError(f"git {args[0]}: {reason}", _hint(reason))


def locked(error: GitError) -> bool:
    """True where another git process held a lock: trying again later may work."""
    return ".lock'" in error.message and "File exists" in error.message


def _hint(reason: str) -> str:
    if "No space left" in reason:
        return "Free some disk space."
    if ".lock'" in reason and "File exists" in reason:
        return "Another git process works there; if none does, remove the lock file that is named."
    if "dubious ownership" in reason:
        return "The repository belongs to another user."
    if re.search(r"Authentication|terminal prompts|Permission denied \(|could not read Username", reason):
        return "Set up credentials that work without a prompt (ssh agent or a credential helper)."
    return ""


def _without(values: Mapping[str, str], spared: re.Pattern[str]) -> list[str]:
    """Words that drop GIT_* variables of the outside: GitPython always passes the whole environment on."""
    stray = [name for name in os.environ if name.startswith("GIT_") and name not in values and not spared.match(name)]
    return ["env", *(word for name in stray for word in ("-u", name))] if stray else []


@cache
def _runner() -> type[Runner]:
    try:
        from git.cmd import Git as Runner
    except ImportError as error:
        raise GitError("git could not be started", f"Install git {MINIMUM[0]}.{MINIMUM[1]} or newer.") from error
    return Runner


def warm() -> None:
    """Import GitPython now: the fork server does it once for all workers."""
    _runner()


def _expire(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill git with its helpers (ssh, upload-pack): it leads a session of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
