"""Finds what programs on PATH need below home directories, so that a sandbox can show it and nothing else there."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

CREDENTIALS = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".npmrc", ".yarnrc.yml", ".pypirc",
    ".git-credentials", ".gitconfig", ".config", ".password-store", ".vault-token", ".terraformrc", ".boto",
    ".m2/settings.xml", ".gradle/gradle.properties", ".cargo/credentials", ".cargo/credentials.toml",
    ".cargo/config", ".cargo/config.toml", ".gem/credentials", ".composer/auth.json",
    ".local/share/keyrings", ".local/state", ".mozilla", ".thunderbird",
    ".claude", ".claude.json", ".codex", ".gemini", ".bash_history", ".zsh_history", ".python_history",
)  # fmt: skip
"""Paths below a home directory that are never shown; nothing above or below them is bound either."""

_TOOLS = (
    ".pyenv", ".rbenv", ".nodenv", ".goenv", ".jenv", ".asdf", ".nvm", ".volta", ".fnm", ".bun", ".deno", ".sdkman",
    ".rustup", ".cargo/bin", ".cargo/registry", ".cargo/git", "go/bin", "go/pkg", "sdk",
    ".local/lib", ".local/pipx", ".local/share/pipx", ".local/share/uv", ".local/share/mise", ".local/share/fnm",
    ".local/share/pnpm", ".m2/repository",
)  # fmt: skip
VARIABLES = ("PYENV_ROOT", "NVM_DIR", "RUSTUP_HOME", "GOROOT", "JAVA_HOME", "VOLTA_HOME", "CONDA_PREFIX")
"""Environment variables that name an installation."""


def homes() -> tuple[Path, ...]:
    """Home directories of this user, and the directories where the system keeps homes."""
    own = {Path(pwd.getpwuid(os.getuid()).pw_dir), Path.home()}
    return tuple(sorted(path for path in {*own, Path("/home"), Path("/root")} if path != Path("/") and path.is_dir()))


@cache
def installations(hidden: tuple[Path, ...], search: str) -> tuple[Path, ...]:
    """Return the directories and files below ``hidden`` that programs found along ``search`` (a PATH) need.

    Never a credential, never a directory that holds one, never a whole home.
    """
    wanted = [Path(folder) for folder in search.split(":") if folder.startswith("/")]
    found = [*wanted]
    for folder in wanted:
        if _below(folder, hidden):
            found += [folder.parent] if folder.name == "bin" and os.access(folder.parent / "lib", os.R_OK) else []
            found += _link_targets(folder, hidden)
        found += interpreter_of(folder.parent)
    found += [home / tool for home in homes() for tool in _TOOLS]
    found += [Path(value) for name in VARIABLES if (value := os.environ.get(name, "")).startswith("/")]
    found += [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).resolve().parent.parent]
    return outermost(path for path in found if _below(path, hidden) and os.access(path, os.R_OK) and _harmless(path))


def interpreter_of(environment: Path) -> list[Path]:
    """The installation that the virtual environment ``environment`` was made from; empty where it is none."""
    try:
        lines = (environment / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "home":
            home = Path(value.strip())
            return [home.parent, Path(os.path.realpath(home / "python3")).parent.parent]
    return []


def outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Drop what lies below another of the paths."""
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return tuple(kept)


def harmless(path: Path) -> bool:
    """False for a credential, a directory that may hold one, and a whole home."""
    return _harmless(path)


def _link_targets(folder: Path, hidden: tuple[Path, ...]) -> list[Path]:
    """What the links in a PATH directory point to: an environment's top where it has one, else the file."""
    targets = []
    try:
        links = [entry.path for entry in os.scandir(folder) if entry.is_symlink()]
    except OSError:
        return []
    for link in links:
        target = Path(os.path.realpath(link))
        if _below(target, hidden) and not target.is_relative_to(folder):
            top = target.parent.parent
            targets.append(top if target.parent.name == "bin" and os.access(top / "pyvenv.cfg", os.R_OK) else target)
            targets += interpreter_of(top)
    return targets


def _below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) and path != folder for folder in folders)


def _harmless(path: Path) -> bool:
    for home in homes():
        if home.is_relative_to(path):
            return False
        for name in CREDENTIALS:
            secret = home / name
            if path.is_relative_to(secret) or secret.is_relative_to(path):
                return False
    return True
