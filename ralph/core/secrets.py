"""Find credentials in bytes and take them out of logs, without ever storing or showing a value. Pure.

Two sources of truth: patterns of known vendors, and exact values that the daemon itself holds, in every form in which
an agent may have written them down. Redaction is the second line of defence; the first is that the scan of the added
blobs fails the commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from ralph.core.secret_rules import ASSIGNMENTS, VENDORS, Rule, is_placeholder, is_secret_name, looks_random
from ralph.domain import Finding

SHORTEST_KNOWN = 6
"""Known values with fewer characters are ignored: they would stain every log."""
_MOST_FINDINGS = 50
_WINDOW = 20_000
_CONTEXT = 256
_HOLD = 8_192
_LONGEST_SPAN = 65_536

_FORBIDDEN_NAME = re.compile(
    r"\.env|\.env\.(?!example$|sample$|template$|dist$|defaults?$|schema$).+|"
    r"id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|.+\.(?:p12|pfx|jks|keystore|kdbx|ppk|ovpn)|"
    r"\.netrc|_netrc|\.pgpass|\.git-credentials|\.htpasswd|\.dockercfg|\.pypirc|"
    r"\.?credentials(?:\.(?:json|ya?ml|toml|ini|cfg|conf|csv|txt|xml|db))?|service[-_]account[^/]*\.json",
    re.IGNORECASE,
)
_PEM_NAME = re.compile(r".+\.pem", re.IGNORECASE)
_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")


class Span(NamedTuple):
    """Where a secret stands: byte offsets and the rule that saw it."""

    start: int
    end: int
    rule: str


def scan(data: bytes, path: str, known: Sequence[str] = ()) -> list[Finding]:
    """Everything in a file that must not be committed: its name, vendor credentials, known values."""
    named = name_finding(path, data)
    found = [named] if named else []
    for span in spans(data, known_forms(known))[:_MOST_FINDINGS]:
        mark = hashlib.sha256(data[span.start : span.end]).hexdigest()[:8]
        line = data.count(b"\n", 0, span.start) + 1
        found.append(Finding(span.rule, path, f"looks like a secret: {span.rule} (sha256 {mark}...)", line))
    return found


def scan_text(text: str, path: str = "", known: Sequence[str] = ()) -> list[Finding]:
    """``scan`` for a commit message or the text of a pull request."""
    return scan(text.encode("utf-8", "surrogatepass"), path, known)


def name_finding(path: str, data: bytes) -> Finding | None:
    """The finding for a file whose name says that it holds credentials; certificates in .pem files are none."""
    name = PurePosixPath(path).name
    if _PEM_NAME.fullmatch(name):
        blocks = _PEM_BLOCK.findall(data)
        public = bool(blocks) and all(b"CERTIFICATE" in block or b"PUBLIC" in block for block in blocks)
        if public:
            return None
    elif not _FORBIDDEN_NAME.fullmatch(name):
        return None
    return Finding("forbidden-name", path, f"files called {name!r} hold credentials")


def known_forms(values: Iterable[str]) -> tuple[bytes, ...]:
    """The spellings of known values that are searched for, longest first.

    Raw, JSON and URL escaped, hexadecimal, reversed, and base64 at each of the three offsets in both alphabets.
    """
    forms: set[bytes] = set()
    for value in values:
        if len(value.strip()) >= SHORTEST_KNOWN:
            forms.update(form for form in _forms(value.strip()) if len(form) >= SHORTEST_KNOWN)
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def _forms(value: str) -> Iterator[bytes]:
    raw = value.encode("utf-8", "surrogatepass")
    yield raw
    yield raw[::-1]
    yield value[::-1].encode("utf-8", "surrogatepass")
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield escaped.encode("utf-8", "surrogatepass")
    for safe in ("", "/", "-._~"):
        yield urllib.parse.quote(raw, safe=safe).encode()
    yield urllib.parse.quote_plus(raw).encode()
    for offset in range(3):
        yield from _base64_core(raw, offset)


def _base64_core(raw: bytes, offset: int) -> Iterator[bytes]:
    """The base64 characters that depend on ``raw`` alone when ``offset`` bytes stand before it."""
    first = (0, 2, 3)[offset]
    last = (offset + len(raw)) * 8 // 6
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        core = encode(b"\0" * offset + raw)[first:last]
        if len(core) >= 8:
            yield core


def spans(data: bytes, forms: Sequence[bytes] = ()) -> list[Span]:
    """All secrets in ``data``, in order, without overlaps (the widest wins, then the first rule)."""
    found = [*_known_spans(data, forms), *_vendor_spans(data), *_assigned_spans(data)]
    found.sort(key=lambda span: (span.start, -span.end))
    kept: list[Span] = []
    for span in found:
        if kept and span.start < kept[-1].end:
            if span.end > kept[-1].end:
                kept[-1] = Span(kept[-1].start, span.end, kept[-1].rule)
            continue
        kept.append(span)
    return kept


def _known_spans(data: bytes, forms: Sequence[bytes]) -> Iterator[Span]:
    for form in forms:
        for at in _occurrences(data, form):
            yield Span(at, at + len(form), "known-value")


def _vendor_spans(data: bytes) -> Iterator[Span]:
    for rule in VENDORS:
        for anchor in rule.anchors:
            end = 0
            for at in _occurrences(data, anchor):
                if at < end:
                    continue
                if span := _confirm(rule, data, at):
                    end = span.end
                    yield span


def _confirm(rule: Rule, data: bytes, at: int) -> Span | None:
    if rule.back:
        match = rule.pattern.search(data, max(0, at - rule.back), at + _WINDOW)
        if match and not match.start() <= at < match.end():
            return None
    else:
        match = rule.pattern.match(data, at, at + _WINDOW)
    if match is None:
        return None
    group = "v" if "v" in rule.pattern.groupindex else 0
    value = match[group]
    if (rule.guess and not looks_random(value)) or (group and is_placeholder(value)):
        return None
    return Span(*match.span(group), rule.name)


def _assigned_spans(data: bytes) -> Iterator[Span]:
    lower = data.lower()
    for anchor in ASSIGNMENTS.anchors:
        for at in _occurrences(lower, anchor):
            match = ASSIGNMENTS.pattern.match(data, at)
            if match is None or not is_secret_name(match["name"]):
                continue
            group = "v" if match["v"] is not None else "w"
            if looks_random(match[group]):
                yield Span(*match.span(group), ASSIGNMENTS.name)


def _occurrences(data: bytes, needle: bytes) -> Iterator[int]:
    at = data.find(needle)
    while at >= 0:
        yield at
        at = data.find(needle, at + len(needle))


class Redactor:
    """Takes secrets out of text. Holds the known values; neither prints nor pickles them."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms = known_forms(values)

    def __repr__(self) -> str:
        return "Redactor(...)"

    def __reduce__(self) -> str:
        raise TypeError("a Redactor holds secrets and is not serialised")

    def bytes(self, data: bytes) -> bytes:
        return _replace(data, spans(data, self._forms))

    def text(self, text: str) -> str:
        return self.bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def stream(self) -> Stream:
        """A redactor for data that comes in chunks."""
        return Stream(self._forms)


class Stream:
    """Redacts chunk by chunk; what may still turn out to be part of a secret is held back until ``end``."""

    def __init__(self, forms: Sequence[bytes]) -> None:
        self._forms = forms
        self._hold = max([_HOLD, *(len(form) for form in forms)])
        self._before = b""
        self._held = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes that are safe to write; often shorter than the chunk."""
        self._held += chunk
        if len(self._held) < 2 * self._hold:
            return b""
        return self._release(len(self._held) - self._hold)

    def end(self) -> bytes:
        """All that was held back."""
        return self._release(len(self._held))

    def _release(self, cut: int) -> bytes:
        data = self._before + self._held
        offset = len(self._before)
        last = cut == len(self._held)
        here = [span for span in spans(data, self._forms) if span.start >= offset]
        for span in here:
            if span.start < cut + offset < span.end or (span.end == len(data) and not last):
                too_long = len(data) - span.start > _LONGEST_SPAN
                cut = (span.end if span.end < len(data) or too_long else min(cut + offset, span.start)) - offset
        kept = [span for span in here if span.end <= cut + offset]
        out = _replace(data[: cut + offset], kept)[offset:]
        self._before = data[max(0, cut + offset - _CONTEXT) : cut + offset]
        del self._held[:cut]
        return out


def _replace(data: bytes, found: Sequence[Span]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for span in found:
        parts += [data[at : span.start], b"[redacted:", span.rule.encode(), b"]"]
        at = span.end
    return b"".join([*parts, data[at:]])
