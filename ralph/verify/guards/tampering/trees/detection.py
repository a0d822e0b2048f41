"""Product code in these languages that asks whether tests run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ralph.domain import Finding
from ralph.verify.guards.tampering import found
from ralph.verify.guards.tampering.files import File
from ralph.verify.guards.tampering.trees import syntax

_NIGHT = r"|\bRALPH_(?:RUN|TASK_ID|ITERATION|ATTEMPT|LOOP|JUNIT)\b"
_ASKS = {
    "js": re.compile(
        r"JEST_WORKER_ID|VITEST|\bNODE_ENV\s*===?\s*['\"]test|NODE_TEST_CONTEXT|typeof (?:jest|vi|describe)\b" + _NIGHT
    ),
    "go": re.compile(
        r"testing\.Testing\(\)|flag\.Lookup\(\"test\.|HasSuffix\(os\.Args\[0\], \"\.test|\"-test\.v" + _NIGHT
    ),
    "rs": re.compile(r"\bcfg!\(test\)|RUST_TEST_THREADS|NEXTEST" + _NIGHT),
    "java": re.compile(r"org\.junit\.|surefire\.test|\"junit\"" + _NIGHT),
}


def findings(changed: Sequence[File]) -> Iterator[Finding]:
    """New places, comments left out."""
    for file in changed:
        kind = file.suffix[1:] if file.suffix[1:] in _ASKS else "js"
        pattern = _ASKS[kind]
        if file.new is None or not pattern.search(file.new):
            continue
        before = Counter(words for _, words in _asks(file, file.old or "", pattern))
        for line, words in _asks(file, file.new, pattern):
            if before[words]:
                before[words] -= 1
            else:
                yield Finding(found.DETECTION, file.path, f"the code asks whether tests run ({words})", line)


def _asks(file: File, words: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    comments = {
        row
        for node in syntax.walk(syntax.parse(file.suffix, words))
        if syntax.is_comment(node)
        for row in _rows(node.start_point.row, node.end_point.row)
    }
    for at, row in enumerate(words.split("\n")):
        if at not in comments and (match := pattern.search(row)) and "import " not in row[: match.start()]:
            yield at + 1, match.group()


def _rows(first: int, last: int) -> range:
    return range(first, last + 1)
