"""Where pull requests live, behind one Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ralph.config import Config
from ralph.forge.base import Forge, Proposal, PullRequest
from ralph.host.paths import Layout, common_dir

__all__ = ["Forge", "Proposal", "PullRequest", "make"]


def make(config: Config, layout: Layout, repo: Path | None = None, secrets: Mapping[str, str] | None = None) -> Forge:
    """The forge that ``[forge]`` names, for the user's checkout ``repo`` (default: the layout's).

    ``secrets`` holds variables that were taken out of the environment. Raises ForgeError where a token or the
    repository's name can't be found; nothing is sent yet.
    """
    if config.forge.kind == "local":
        from ralph.forge.local import LocalForge

        return LocalForge(layout.prs)
    from ralph.forge.github import GithubForge, repository_of, token

    forge = config.forge
    name = forge.repository or repository_of(_remote_url(forge.remote, layout, repo))
    return GithubForge(name, token(forge.token_env, forge.base_url, secrets or {}), forge.base_url)


def _remote_url(remote: str, layout: Layout, repo: Path | None) -> str:
    from ralph.vcs.git import Git

    git = Git(layout.common_dir if repo is None else common_dir(repo), user_config=True)
    return git.line("config", "--get", f"remote.{remote}.url", ok=(0, 1))
