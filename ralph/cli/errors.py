"""The one place where errors become text and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import click

from ralph import __version__
from ralph.errors import BUG, DONE, EXPECTED, INTERRUPTED, RalphError

_MACHINE = {
    errno.ENOSPC: "free some space; `ralph doctor` shows how much there is",
    errno.EDQUOT: "free some of your disk quota",
    errno.EROFS: "this file system is read-only; set XDG_STATE_HOME to a writable one",
    errno.EACCES: "check who owns this path and its permissions",
    errno.EPERM: "check who owns this path and its permissions",
    errno.EMFILE: "raise the limit of open files (`ulimit -n 1024`)",
    errno.ENFILE: "the machine has no file handles left; close some programs",
}
"""Errors of the machine: a person can act on them, so they are no bugs."""


def boundary(run: Callable[[], object]) -> int:
    """Run a command; say on stderr what went wrong, and return the exit code.

    An ``int`` that ``run`` returns is its exit code.
    """
    try:
        result = run()
    except RalphError as error:
        return _say(error.message, error.hint, error.exit_code)
    except click.exceptions.Abort as error:
        return _aborted(error)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KeyboardInterrupt:
        click.echo(err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as error:
        if error.errno not in _MACHINE:
            return _bug(error)
        what = f"{error.strerror}: {os.fsdecode(error.filename)}" if error.filename else str(error.strerror)
        return _say(what, _MACHINE[error.errno], EXPECTED)
    except Exception as error:  # noqa: BLE001 - the boundary: nothing above it could say more
        return _bug(error)
    return result if type(result) is int else DONE


def _say(message: str, hint: str, code: int) -> int:
    from ralph.core.inert import visible

    colour = False if os.environ.get("NO_COLOR") else None
    click.echo(f"{click.style('ralph:', bold=True)} {visible(message)}", err=True, color=colour)
    if hint:
        click.echo(f"{click.style('hint:', bold=True)} {visible(hint)}", err=True, color=colour)
    return code


def _aborted(error: click.exceptions.Abort) -> int:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, EOFError):
        return _say("the question got no answer: the input ended", "answer it in a terminal", EXPECTED)
    return INTERRUPTED if isinstance(cause, KeyboardInterrupt) else _say("nothing was done", "", EXPECTED)


def _pipe_closed() -> int:
    """The reader went away (`ralph logs | head`); what is buffered must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXPECTED


def _bug(error: Exception) -> int:
    try:
        where = str(_write_crash(error))
    except OSError:
        traceback.print_exception(error)
        where = "the lines above"
    kind = type(error).__name__
    first = (str(error).splitlines() or [""])[0][:200]
    said = f"{kind}: {first}" if first else kind
    return _say(f"this is a bug in ralph: {said}", f"report it with {where}", BUG)


def _write_crash(error: Exception) -> Path:
    """Keep the traceback (no values of variables, no environment) in a private file."""
    import platform
    import tempfile

    lines = [
        f"ralph {__version__}, Python {platform.python_version()}, {platform.platform()}\n",
        f"command: ralph {' '.join(sys.argv[1:2])}\n",
        "\n",
        *traceback.format_exception(error),
    ]
    handle, name = tempfile.mkstemp(prefix="crash-", suffix=".txt", dir=_crash_directory())
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(lines)
    return Path(name)


def _crash_directory() -> Path | None:
    """The repository's state root where there is one; None stands for the machine's temporary directory."""
    try:
        from ralph.host import paths

        root: Path = paths.layout(paths.find_repo(Path.cwd())).root
    except (RalphError, OSError, ImportError):
        return None
    return root if root.is_dir() and os.access(root, os.W_OK) else None
