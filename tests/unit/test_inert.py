"""Text of others shows and never acts."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ralph.core import inert

PAYLOADS = {
    "csi": ("a\x1b[31mb", "ab"),
    "csi cursor": ("a\x1b[2J\x1b[1;1Hb", "ab"),
    "c1 csi": ("a\x9b31mb", "ab"),
    "osc title, bell": ("a\x1b]0;title\x07b", "ab"),
    "osc 8 link": ("\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\", "text"),
    "osc 52 clipboard": ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
    "osc, unterminated": ("a\x1b]0;rest of the line\nnext", "a\nnext"),
    "c1 osc": ("a\x9d0;t\x9cb", "ab"),
    "dcs": ("a\x1bPq#0\x1b\\b", "ab"),
    "apc": ("a\x1b_x\x1b\\b", "ab"),
    "query": ("a\x1b[6nb", "ab"),
    "alternate screen": ("a\x1b[?1049hb", "ab"),
    "lone escape": ("a\x1b", "a"),
    "nested": ("a\x1b\x1b[31mb", "ab"),
    "charset": ("a\x1b(0b", "ab"),
    "bell, del, backspace": ("a\x07\x7f\x08b", "ab"),
    "carriage return": ("FAIL\rPASS", "FAIL\nPASS"),
    "crlf": ("a\r\nb", "a\nb"),
    "bidi": ("a\u202eb\u2066c\u200f", "abc"),
    "zero width": ("a\u200bb\u2060c\ufeff", "abc"),
    "tags": ("a\U000e0041\U000e007fb", "ab"),
    "variation selectors": ("a\ufe01\U000e0100b", "ab"),
    "line separator": ("a\u2028b", "a\nb"),
    "surrogate": ("a\udc80b", "a\ufffdb"),
    "tab and newline stay": ("a\tb\n", "a\tb\n"),
    "emoji stays": ("ok \U0001f600", "ok \U0001f600"),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_visible(name: str) -> None:
    given_text, shown = PAYLOADS[name]
    assert inert.visible(given_text) == shown


@pytest.mark.parametrize(
    "piece", ["\x1b]", "\x1b[", "\x1b[1", "\x1bP", "\x9d", "a\x1b[31m", "\r", "`", "@a", "\x1b(" * 3]
)
def test_no_text_is_slow(piece: str) -> None:
    start = time.monotonic()
    inert.visible(piece * 200_000)
    inert.line(piece * 200_000)
    inert.fenced(piece * 200_000)
    assert time.monotonic() - start < 5


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    shown = inert.visible(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200b-\u200f]", shown)
    assert inert.visible(shown) == shown


@given(st.text(), st.integers(2, 80))
def test_a_line_is_a_line(text: str, limit: int) -> None:
    assert len(inert.line(text, limit)) <= limit
    assert len(inert.line(text, limit).splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "quiet"),
    [
        ("ping @bob and @org/team", "ping @ bob and @ org/team"),
        ("(@bob)", "(@ bob)"),
        ("a@b.example", "a@b.example"),
        ("fixes #12", "fixes # 12"),
        ("closes octo/project#7", "closes octo/project# 7"),
        ("resolves GH-3", "resolves GH 3"),
        ("closes https://github.com/o/r/issues/1", "closes github.com/o/r/issues/1"),
        ("see www.evil.example", "see evil.example"),
        ("C# and issue #x", "C# and issue #x"),
    ],
)
def test_quiet(text: str, quiet: str) -> None:
    assert inert.quiet(text) == quiet
    assert inert.quiet(quiet) == quiet


def parts(markdown: str) -> tuple[set[str], str]:
    tokens = MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(markdown)
    inline = [child for token in tokens for child in token.children or []]
    kinds = {token.type for token in tokens if not token.type.startswith(("paragraph", "inline"))}
    return kinds | {child.type for child in inline} - {"text"}, "".join(child.content for child in inline)


@given(st.text(max_size=120))
def test_markdown_shows_exactly_these_characters(text: str) -> None:
    kinds, shown = parts(inert.markdown(text, 300))
    assert kinds == set()
    assert shown == inert.quiet(inert.line(text, 300))


@pytest.mark.parametrize(
    "text",
    [
        "![i](http://x/y.png)",
        "<img src=x>",
        "__a__ *b* ~~c~~ `d`",
        "# h",
        "- l",
        "1. l",
        "> q",
        "&lt;&#64;",
        "a\\",
        "|a|b|",
        "=== x",
    ],
)
def test_markdown_samples(text: str) -> None:
    kinds, shown = parts(inert.markdown(text, 300))
    assert (kinds, shown) == (set(), inert.quiet(inert.line(text)))


@given(st.text(max_size=120))
def test_code_is_one_span(text: str) -> None:
    kinds, shown = parts(f"x {inert.code(text, 300)} y")
    assert kinds == {"code_inline"}
    assert shown == f"x {inert.line(text, 300) or ' '} y" or not inert.line(text, 300)


@given(st.text(max_size=300))
def test_a_fence_holds(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"{inert.fenced(text)}\n\nafter\n")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]


def test_a_fence_says_what_it_cut() -> None:
    assert inert.fenced("x" * 50, 10).splitlines()[1:3] == ["x" * 10, "[40 characters cut]"]


def test_a_diff_names_what_hides() -> None:
    shown = inert.fenced("+if admin\u202e { // safe\r\n+a\rb\x1b[31m\n", info="diff")
    assert "+if admin<U+202E> { // safe\n+a<U+000D>b<U+001B>[31m\n" in shown
