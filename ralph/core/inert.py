"""Make text of agents, projects and people inert before it reaches a terminal, a Markdown page or a forge.

Everything here is data somebody else wrote. A page must show it, and never act on it: no control
sequence, no image, no markup, no mention, no reference that closes an issue.
"""

from __future__ import annotations

import re

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n\r]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?"
)
"""Every optional part may be missing, so that no match ever fails late: linear on hostile input."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
"""C0 and C1, zero-width, bidi, fillers, tag characters and the variation selectors that hide text."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEWLINE = re.compile("\r\n?|[\u0085\u2028\u2029]")
_REFERENCE = re.compile(r"#(?=\d)")
_MENTION = re.compile(r"(?<![A-Za-z0-9_])@(?=[A-Za-z0-9])")
_SHORTHAND = re.compile(r"\b(GH)-(?=\d)", re.IGNORECASE)
_ADDRESS = re.compile(r"\b(?:https?|ftp)://(?=\S)|\bwww\.(?=\S)", re.IGNORECASE)


def visible(text: str) -> str:
    """The text without anything a terminal or a reader would not see as it is; newlines and tabs stay.

    A lone carriage return becomes a newline, else ``FAIL\\rPASS`` would show PASS.
    """
    text = _NEWLINE.sub("\n", text)
    text = _SEQUENCE.sub("", text)
    text = _INVISIBLE.sub("", text)
    return _SURROGATE.sub("\ufffd", text)


def spelled(text: str) -> str:
    """Like ``visible``, but what is taken out is named (``<U+202E>``): for a diff, where hiding it would help it."""
    text = _INVISIBLE.sub(lambda hit: f"<U+{ord(hit[0]):04X}>", text.replace("\r\n", "\n").replace("\r", "<U+000D>"))
    return _SURROGATE.sub("\ufffd", text)


def line(text: str, limit: int = 200) -> str:
    """One visible line of at most ``limit`` characters; what was cut is marked with an ellipsis."""
    # A prefix is enough: whitespace and control characters can't make more than this disappear unseen.
    joined = " ".join(visible(text[: 20 * limit + 2000]).split())
    return joined if len(joined) <= limit else joined[: limit - 1].rstrip() + "…"


def quiet(text: str) -> str:
    """Break what a forge would expand also in titles and commit messages: mentions, references, addresses.

    A blank is put in (``# 12``, ``@ name``) and schemes are dropped, so that nothing invisible is needed.
    """
    text = _MENTION.sub("@ ", text)
    text = _REFERENCE.sub("# ", text)
    text = _SHORTHAND.sub(r"\1 ", text)
    return _ADDRESS.sub("", text)


def markdown(text: str, limit: int = 200) -> str:
    """One line of Markdown that renders as exactly these characters and links to nothing."""
    escaped = quiet(line(text, limit)).replace("&", "&amp;").replace("<", "&lt;")
    escaped = re.sub(r"([\\`*\[\]>|~$])", r"\\\1", escaped)
    escaped = re.sub(r"(?<![^\W_])_+|_+(?![^\W_])", lambda run: r"\_" * len(run[0]), escaped)
    escaped = re.sub(r"^([#+=-])", r"\\\1", escaped)
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", escaped)


def code(text: str, limit: int = 200) -> str:
    """An inline code span; nothing in it is interpreted."""
    inner = line(text, limit) or " "
    fence = "`" * (_longest_run(inner) + 1)
    pad = " " if inner[0] == "`" or inner[-1] == "`" else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def fenced(text: str, limit: int = 4000, info: str = "") -> str:
    """A fenced block that the text can't close; cut at ``limit`` characters, and the cut is said."""
    shown = spelled(text) if info == "diff" else visible(text)
    if len(shown) > limit:
        shown = f"{shown[:limit].rstrip()}\n[{len(shown) - limit} characters cut]"
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}{info}\n{shown.rstrip(chr(10))}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
