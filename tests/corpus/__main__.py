"""Judge the whole corpus and print its tables: ``python -m tests.corpus [--none] [PROJECT] [PART OF A NAME]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ralph.host.sandbox import NoSandbox, probe

from . import ALL
from .judge import Ruling, court, missing
from .tables import refused_by, surprises, table


def main(words: list[str]) -> int:
    boxed = "--none" not in words
    sandbox = (probe("auto").sandbox if boxed else None) or NoSandbox()
    wanted = [word for word in words if not word.startswith("-")]
    projects = {project.name for project, _ in ALL}
    names, parts = [word for word in wanted if word in projects], [word for word in wanted if word not in projects]
    every: list[Ruling] = []
    for project, cases in ALL:
        some = [case for case in cases if not parts or any(part in case.name for part in parts)]
        if (names and project.name not in names) or not some:
            continue
        if lacking := missing(project):
            print(f"{project.name}: not_run: there is no {lacking} on this machine", flush=True)
            continue
        with tempfile.TemporaryDirectory(prefix="corpus-") as folder, court(project, Path(folder), sandbox) as judge:
            rulings = [_told(judge.judge(case)) for case in some]
        print("\n" + table(project.name, rulings) + "\n", flush=True)
        every += rulings
    print(refused_by(every) + "\n")
    wrong = list(surprises(every))
    print("\n".join(wrong) if wrong else "every change ended as it should")
    return bool(wrong)


def _told(ruling: Ruling) -> Ruling:
    mark = "  " if ruling.as_wanted else "! "
    said = "accepted" if ruling.accepted else ", ".join(sorted(ruling.by))
    print(f"{mark}{ruling.seconds:5.1f} s  {ruling.case.name:44} {said}", file=sys.stderr, flush=True)
    return ruling


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
