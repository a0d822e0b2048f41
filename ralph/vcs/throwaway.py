"""The ``.git`` that lies in a work tree for the agent's convenience: made of plain files, never read back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ralph.vcs.objects import Person, write_commit

BRANCH = "work"

ATTRIBUTES = "* -text -ident -eol !filter !working-tree-encoding !merge\n"
"""Bytes on disk are the bytes in the blob, whatever .gitattributes says."""

_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tcheckStat = minimal
\ttrustctime = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[commit]
\tgpgSign = false
[user]
\tname = {name}
\temail = {email}
"""


def lay(
    git: Path,
    *,
    commit: str,
    index: Path,
    objects: Sequence[Path],
    exclude: str,
    user: Person,
    own: bytes | None = None,
) -> None:
    """Write a repository at ``git`` whose branch ``work`` is ``commit``, borrowing objects from ``objects``.

    ``own`` is the content of a commit that lies nowhere else; it is stored in the new repository.
    The caller has removed whatever was at ``git``.
    """
    for folder in (".", "objects", "objects/info", "refs", "info"):
        (git / folder).mkdir()
    _write(git / "HEAD", f"ref: refs/heads/{BRANCH}\n")
    _write(git / "packed-refs", f"{commit} refs/heads/{BRANCH}\n")
    _write(git / "config", _CONFIG.format(name=_quoted(user[0]), email=_quoted(user[1])))
    _write(git / "objects/info/alternates", "".join(f"{path}\n" for path in objects))
    _write(git / "info/exclude", exclude)
    _write(git / "info/attributes", ATTRIBUTES)
    shutil.copyfile(index, git / "index")
    if own is not None:
        write_commit(git / "objects", own, durable=False)


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
