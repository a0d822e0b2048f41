"""The exception tree: what "cannot proceed" means. Outcomes are values, not exceptions.

RalphError                 one message and one hint; exit code 1
├── ConfigError            ralph.toml or a setting
├── TasksError             tasks.json
├── GitError               a git command failed
├── SandboxError           no sandbox could be started
├── LedgerError            the ledger is damaged or newer than this program
├── DaemonError            no daemon, a second daemon, or one that does not answer
├── ForgeError             pull requests could not be read or written
└── NeedsPerson            finished, but somebody has to act; exit code 4
"""

from __future__ import annotations

DONE, EXPECTED, USAGE, BUG, NEEDS_PERSON, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes of every command; documented in docs/cli.md."""


class RalphError(Exception):
    """A failure a person can act on. ``hint`` is the next step, in the imperative."""

    exit_code = EXPECTED

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(RalphError):
    pass


class TasksError(RalphError):
    pass


class GitError(RalphError):
    pass


class SandboxError(RalphError):
    pass


class LedgerError(RalphError):
    pass


class DaemonError(RalphError):
    pass


class ForgeError(RalphError):
    pass


class NeedsPerson(RalphError):
    exit_code = NEEDS_PERSON
