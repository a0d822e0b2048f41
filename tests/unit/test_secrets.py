"""Fake credentials are put together at run time, so that no scanner mistakes this file for a leak."""

from __future__ import annotations

import base64
import json
import pickle
import random
import string
import time
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.secrets import Redactor, scan, scan_text

ROOT = Path(__file__).parents[2]
CHANCE = random.Random(20)
ALNUM = string.ascii_letters + string.digits


def rnd(n: int, alphabet: str = ALNUM) -> str:
    body = "".join(CHANCE.choices(alphabet, k=n - 2))
    return "a7" + body if "a" in alphabet else "7" + body + alphabet[0]


HEX, UPPER = "0123456789abcdef", string.ascii_uppercase + string.digits
PEM = "-----BEGIN {} KEY-----\n" + "\n".join(rnd(64) for _ in range(6)) + "\n-----END {} KEY-----\n"

PLANTED = {
    "aws": "AK" + "IA" + rnd(16, UPPER),
    "aws temporary": "AS" + "IA" + rnd(16, UPPER),
    "aws secret": "aws_secret_access_" + f'key = "{rnd(40)}"',
    "github classic": "gh" + "p_" + rnd(36),
    "github app": "gh" + "s_" + rnd(36),
    "github fine-grained": "github" + "_pat_" + rnd(22) + "_" + rnd(59),
    "gitlab": "gl" + "pat-" + rnd(20),
    "gitlab runner": "gl" + "rt-" + rnd(20),
    "slack bot": "xo" + "xb-123456789012-1234567890123-" + rnd(24),
    "slack app": "xa" + "pp-1-A012345-" + rnd(24),
    "slack webhook": "https://hooks.slack" + ".com/services/T0AB1CD2E/B0AB1CD2E/" + rnd(24),
    "anthropic": "sk-" + "ant-api03-" + rnd(80),
    "openai legacy": "s" + "k-" + rnd(48),
    "openai project": "sk-" + "proj-" + rnd(80),
    "openrouter": "sk-" + "or-v1-" + rnd(64, HEX),
    "groq": "gs" + "k_" + rnd(52),
    "hugging face": "h" + "f_" + rnd(34),
    "google api": "AI" + "za" + rnd(35),
    "google oauth": "GOC" + "SPX-" + rnd(28),
    "google access": "ya" + "29." + rnd(60),
    "azure storage": "Account" + "Key=" + rnd(86) + "==",
    "npm": "np" + "m_" + rnd(36),
    "npmrc": "//registry.npmjs.org/:_auth" + "Token=" + rnd(36),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + rnd(120),
    "rubygems": "ruby" + "gems_" + rnd(48, HEX),
    "docker": "dckr" + "_pat_" + rnd(27),
    "stripe live": "sk_" + "live_" + rnd(24),
    "stripe restricted": "rk_" + "live_" + rnd(24),
    "stripe webhook": "whs" + "ec_" + rnd(32),
    "sendgrid": "S" + "G." + rnd(22) + "." + rnd(43),
    "twilio": "S" + "K" + rnd(32, HEX),
    "digitalocean": "dop" + "_v1_" + rnd(64, HEX),
    "shopify": "shp" + "at_" + rnd(32, HEX),
    "vault": "hv" + "s." + rnd(90),
    "grafana": "gl" + "sa_" + rnd(32) + "_" + rnd(8, HEX),
    "atlassian": "ATA" + "TT3" + rnd(180),
    "telegram": "123456789:" + "AA" + rnd(33),
    "discord": "https://discord" + ".com/api/webhooks/123456789012345678/" + rnd(60),
    "age": "AGE-SECRET" + "-KEY-1" + rnd(58, UPPER),
    "jwt": "ey" + "J" + rnd(33) + "." + "ey" + "J" + rnd(60) + "." + rnd(43),
    "jwt with a random body": "ey" + "J" + rnd(33) + "." + rnd(60) + "." + rnd(43),
    "rsa key": PEM.format("RSA PRIVATE", "RSA PRIVATE"),
    "openssh key": PEM.format("OPENSSH PRIVATE", "OPENSSH PRIVATE"),
    "key in json": json.dumps({"key": PEM.format("PRIVATE", "PRIVATE")}),
    "key without its end": PEM.format("EC PRIVATE", "EC PRIVATE").split("-----END")[0],
    "url": "post" + "gres://app:" + rnd(30) + "@db/app",
    "bearer": "Author" + "ization: Bearer " + rnd(40),
    "assigned password": "PASS" + f'WORD = "{rnd(20)}!"',
    "environment file": "DATABASE_PASS" + f"WORD={rnd(24)}",
    "json field": '{"client_sec' + f'ret": "{rnd(32)}"' + "}",
    "yaml field": "api_k" + f'ey: "{rnd(32, HEX)}"',
    "hex in an assignment": "signing_sec" + f"ret = '{rnd(40, HEX)}'",
}


def value_of(planted: str) -> str:
    """The longest run of credential characters: the part that must never be shown."""
    words = planted.replace("\\n", " ").translate(dict.fromkeys(map(ord, "\"'=@"), " ")).split()
    return max(words, key=len)[-14:]


def test_there_are_enough_planted_secrets() -> None:
    assert len(PLANTED) >= 40


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_found_and_never_repeated(name: str) -> None:
    text = f"# settings\nfirst = 1\n\n{PLANTED[name]}\nlast = 2\n"
    found = scan(text.encode(), "src/settings.py")
    assert [finding.line for finding in found] == [4], found
    assert value_of(PLANTED[name]) not in repr(found)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_redacted(name: str) -> None:
    out = Redactor().text(f"log line {PLANTED[name]} more")
    assert "[redacted:" in out
    assert value_of(PLANTED[name]) not in out


@pytest.mark.parametrize(
    "text",
    [
        "commit 9c4dc24ab3f7e1d2c5b6a7988f0e1d2c3b4a5968",
        "sha256:" + rnd(64, HEX),
        '"integrity": "sha512-' + base64.b64encode(CHANCE.randbytes(64)).decode() + '"',
        'hash = "sha256:' + rnd(64, HEX) + '"',
        "token_count = 1234567890123456789",
        'password = "correct-horse-battery-staple"',
        'password = os.environ["DATABASE_PASSWORD_1"]',
        'api_key = "${SERVICE_API_KEY_2024}"',
        'token_url = "https://example.com/oauth2/token/v2/abc123"',
        'secret_name = "projects/1234/secrets/thing"',
        "https://user:password@example.com/x",
        "postgres://postgres:postgres@localhost/db",
        "https://host:8080/a@b",
        "-----BEGIN PRIVATE KEY----- starts a key",
        "class=sk-fading-circle sk-cube1",
        "npm_config_registry npm_package_version",
        "the task-" + rnd(32, HEX),
        "AKIA is the prefix of access keys",
        "test_token_is_refused_when_it_is_expired_after_30_days",
        'tokens = "aaaaaaaaaaaaaaaaaaaaaaa1"',
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_ordinary_text_is_no_alarm(text: str) -> None:
    assert scan_text(text) == []


def test_the_sources_of_this_repository_are_no_alarm() -> None:
    files = [
        path for folder in ("ralph", "tests/unit", "docs") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    found = [
        finding
        for path in files
        if path.suffix in {".py", ".md", ".toml", ".json"}
        for finding in scan(path.read_bytes(), path.relative_to(ROOT).as_posix())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("path", "forbidden"),
    [
        (".env", True),
        ("deploy/.env.production", True),
        (".env.example", False),
        ("home/id_rsa", True),
        ("id_ed25519", True),
        ("id_rsa.pub", False),
        ("src/id_generator.py", False),
        ("cert.p12", True),
        (".netrc", True),
        ("credentials", True),
        (".aws/credentials", True),
        ("credentials.json", True),
        ("src/credentials.py", False),
        ("server.pem", True),
        ("environment.py", False),
    ],
)
def test_names_that_hold_credentials(path: str, forbidden: bool) -> None:
    assert bool(scan(b"x\n", path)) is forbidden


def test_a_certificate_is_public() -> None:
    assert scan(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "ca.pem") == []


KNOWN = 'Tr0ub4dor&3 "q" /\\ äö'


@pytest.mark.parametrize(
    "spelled",
    [
        KNOWN,
        KNOWN[::-1],
        KNOWN.encode().hex(),
        KNOWN.encode().hex().upper(),
        urllib.parse.quote(KNOWN),
        urllib.parse.quote(KNOWN, safe=""),
        urllib.parse.quote_plus(KNOWN),
        json.dumps(KNOWN),
        json.dumps(KNOWN, ensure_ascii=False),
        *(base64.b64encode(b"x" * offset + KNOWN.encode() + b"tail").decode() for offset in range(3)),
        *(base64.urlsafe_b64encode(b"y" * offset + KNOWN.encode()).decode() for offset in range(3)),
    ],
)
def test_a_known_value_is_found_in_every_spelling(spelled: str) -> None:
    assert [finding.rule for finding in scan_text(f"a\n{spelled}\n", known=[KNOWN])] == ["known-value"]
    assert "known-value" in Redactor([KNOWN]).text(spelled)


def test_short_values_do_not_stain_every_log() -> None:
    assert Redactor(["", "main", "  a "]).text("main is a branch") == "main is a branch"


def test_a_redactor_shows_and_pickles_nothing() -> None:
    assert "value" not in repr(Redactor(["known-value-1234"]))
    with pytest.raises(TypeError):
        pickle.dumps(Redactor(["known-value-1234"]))


SECRETS = [PLANTED["jwt"], PLANTED["aws"], PLANTED["rsa key"], PLANTED["url"], PLANTED["bearer"], KNOWN]


@given(
    st.lists(st.one_of(st.sampled_from(SECRETS), st.text(max_size=30), st.just("filler line\n" * 1200)), max_size=8),
    st.lists(st.integers(1, 30_000), max_size=8),
)
def test_a_stream_redacts_like_the_whole(parts: list[str], cuts: list[int]) -> None:
    data = " ".join(parts).encode("utf-8", "surrogatepass")
    redactor = Redactor([KNOWN])
    stream = redactor.stream()
    out, at = b"", 0
    for cut in cuts:
        out += stream.feed(data[at : at + cut])
        at += cut
    assert out + stream.feed(data[at:]) + stream.end() == redactor.bytes(data)


def test_a_secret_over_a_chunk_border_is_held_back() -> None:
    stream = Redactor().stream()
    secret = PLANTED["anthropic"].encode()
    text = b"x\n" * 20_000 + secret + b"\n" + b"y\n" * 20_000
    out = b"".join(stream.feed(text[at : at + 777]) for at in range(0, len(text), 777)) + stream.end()
    assert secret[-12:] not in out
    assert out == text.replace(secret, b"[redacted:anthropic-key]")


def test_what_stands_before_a_chunk_border_is_remembered() -> None:
    word = b"ta" + b"sk-" + rnd(40).encode()
    data = b"x\n" * 4_095 + word + b"\n" + b"y\n" * 6_000
    assert data.index(b"sk-") == 8_192, "the first cut falls inside the word"
    stream = Redactor().stream()
    assert stream.feed(data[:16_384]) + stream.feed(data[16_384:]) + stream.end() == data


def test_five_megabytes_are_quick() -> None:
    line = b"2026-01-01 INFO tests/unit/test_token.py::test_secret PASSED token=12 https://example.com/a sk-3 key-4\n"
    data = line * (5_000_000 // len(line))
    redactor = Redactor(rnd(60) for _ in range(6))
    seconds = min(timed(redactor, data) for _ in range(3))
    assert seconds < 1, "half a second on a quiet machine"


def timed(redactor: Redactor, data: bytes) -> float:
    started = time.perf_counter()
    assert redactor.bytes(data) == data
    return time.perf_counter() - started
