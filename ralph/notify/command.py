"""Tell a person by running a command of theirs."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ralph.notify.base import Notice

log = logging.getLogger(__name__)

TIMEOUT = 30.0
"""Seconds until the command and its children are killed."""

_PASSED = [
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE"),
    *("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS"),
]
"""What desktop and mail tools need; keys of models and forges are not among them."""


class CommandNotifier:
    """Runs ``command`` with title and text on stdin, RALPH_EVENT and RALPH_TITLE in its environment."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        env: Sequence[str] = (),
        secrets: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        program = command[0]
        self._argv = [str(directory / program) if "/" in program else program, *command[1:]]
        self._directory = directory
        self._names = [*_PASSED, *env]
        self._own = {name: value for name, value in (secrets or {}).items() if name in env}
        self._timeout = timeout

    def send(self, notice: Notice) -> None:
        env = {name: os.environ[name] for name in self._names if name in os.environ}
        env |= self._own | {"RALPH_EVENT": notice.event, "RALPH_TITLE": notice.title.replace("\0", "")}
        message = f"{notice.title}\n\n{notice.text}\n".encode(errors="replace")
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
            stdin.write(message)
            stdin.seek(0)
            try:
                code = self._run(stdin.fileno(), stderr.fileno(), env)
            except OSError as error:
                log.warning("notify: %s could not be started: %s", self._argv[0], error.strerror)
                return
            if code:
                stderr.seek(0)
                said = stderr.read(2000).decode(errors="replace").strip()
                log.warning("notify: %s %s: %s", self._argv[0], _ended(code), said or "it said nothing")

    def _run(self, stdin: int, stderr: int, env: dict[str, str]) -> int:
        """Exit code, negative for a signal. Files, not pipes: a child that stays behind holds nobody up."""
        process = subprocess.Popen(
            self._argv,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=env,
            cwd=self._directory,
            start_new_session=True,
        )
        try:
            return process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()


def _ended(code: int) -> str:
    return f"exited with {code}" if code > 0 else f"was ended by signal {-code}"
