"""What credentials of the known vendors look like: literal anchors to find, patterns to confirm."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """``anchors`` are found by plain search (fast on megabytes), ``pattern`` confirms around each hit.

    A group called ``v`` is the secret part; without one the whole match is.
    """

    name: str
    anchors: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    back: int = 0
    """Bytes before the anchor at which the pattern may begin."""
    guess: bool = False
    """The value must also look random: the anchor alone proves nothing."""


_EDGE = rb"(?<![A-Za-z0-9_])"
_END = rb"(?![A-Za-z0-9])"


def _token(name: str, anchors: str, body: bytes, back: int = 0) -> Rule:
    return Rule(name, tuple(anchor.encode() for anchor in anchors.split()), re.compile(_EDGE + body + _END), back)


VENDORS: tuple[Rule, ...] = (
    _token("aws-access-key", "AKIA ASIA ABIA ACCA", rb"A[KSBC][IC]A[A-Z0-9]{16}"),
    _token("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", rb"gh[pousr]_[A-Za-z0-9]{30,255}"),
    _token("github-fine-grained-token", "github_pat_", rb"github_pat_[A-Za-z0-9_]{22,255}"),
    _token(
        "gitlab-token",
        "glpat- gldt- glrt- glcbt- glptt- glsoat- glft- gloas-",
        rb"gl(?:pat|dt|rt|cbt|ptt|soat|ft|oas)-[A-Za-z0-9_.-]{20,300}",
    ),
    _token("slack-token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs-", rb"xox[abeoprs]-[A-Za-z0-9-]{10,250}"),
    _token("slack-app-token", "xapp-", rb"xapp-\d-[A-Za-z0-9-]{10,250}"),
    _token(
        "slack-webhook", "hooks.slack.com/services/", rb"hooks\.slack\.com/services/(?P<v>T\w{6,}/B\w{6,}/\w{16,64})"
    ),
    _token("anthropic-key", "sk-ant-", rb"sk-ant-[A-Za-z0-9_-]{20,250}"),
    _token("openai-key", "sk-proj- sk-svcacct- sk-admin-", rb"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,250}"),
    _token("openrouter-key", "sk-or-v1-", rb"sk-or-v1-[a-f0-9]{32,128}"),
    _token("openai-key", "sk-", rb"(?<!-)sk-(?=[A-Za-z0-9]{0,60}\d)[A-Za-z0-9]{32,64}"),
    _token("groq-key", "gsk_", rb"gsk_[A-Za-z0-9]{40,64}"),
    _token("hugging-face-token", "hf_", rb"hf_[A-Za-z0-9]{30,64}"),
    _token("replicate-token", "r8_", rb"r8_[A-Za-z0-9]{37,40}"),
    _token("google-api-key", "AIza", rb"AIza[0-9A-Za-z_-]{35}"),
    _token("google-oauth-secret", "GOCSPX-", rb"GOCSPX-[A-Za-z0-9_-]{24,40}"),
    _token("google-access-token", "ya29.", rb"ya29\.[A-Za-z0-9_-]{20,300}"),
    _token(
        "azure-key", "AccountKey= SharedAccessKey=", rb"(?:Account|SharedAccess)Key=(?P<v>[A-Za-z0-9+/]{40,100}={0,2})"
    ),
    _token("npm-token", "npm_", rb"npm_[A-Za-z0-9]{36}"),
    _token("npm-auth", "_authToken= _auth=", rb"(?<=:)_auth(?:Token)?=(?P<v>[A-Za-z0-9+/=_-]{16,200})"),
    _token("pypi-token", "pypi-", rb"pypi-(?=[A-Za-z0-9_-]{0,80}\d)[A-Za-z0-9_-]{50,300}"),
    _token("rubygems-token", "rubygems_", rb"rubygems_[a-f0-9]{48}"),
    _token("docker-token", "dckr_pat_ dckr_oat_", rb"dckr_[po]at_[A-Za-z0-9_-]{20,64}"),
    _token("stripe-key", "sk_live_ sk_test_ rk_live_ rk_test_", rb"[sr]k_(?:live|test)_[A-Za-z0-9]{16,120}"),
    _token("stripe-webhook-secret", "whsec_", rb"whsec_[A-Za-z0-9+/]{24,64}"),
    _token("sendgrid-key", "SG.", rb"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64}"),
    _token("twilio-key", "SK", rb"SK[0-9a-f]{32}"),
    _token("mailgun-key", "key-", rb"key-(?=[0-9a-f]{0,31}\d)[0-9a-f]{32}"),
    _token("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", rb"do[por]_v1_[a-f0-9]{64}"),
    _token("shopify-token", "shpat_ shpca_ shppa_ shpss_", rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    _token("databricks-token", "dapi", rb"dapi(?=[a-f0-9]{0,31}\d)[a-f0-9]{32}"),
    _token("vault-token", "hvs. hvb.", rb"hv[sb]\.[A-Za-z0-9_-]{24,300}"),
    _token("grafana-token", "glsa_", rb"glsa_[A-Za-z0-9]{32}_[a-fA-F0-9]{8}"),
    _token("new-relic-key", "NRAK-", rb"NRAK-[A-Z0-9]{27}"),
    _token("atlassian-token", "ATATT3", rb"ATATT3[A-Za-z0-9_=-]{50,300}"),
    _token("linear-key", "lin_api_", rb"lin_api_[A-Za-z0-9]{32,64}"),
    _token("notion-token", "ntn_", rb"ntn_[A-Za-z0-9]{40,60}"),
    _token("telegram-token", ":AA", rb"\d{8,10}:AA[A-Za-z0-9_-]{33}", back=10),
    _token(
        "discord-webhook",
        "/api/webhooks/",
        rb"discord(?:app)?\.com/api/webhooks/(?P<v>\d{10,25}/[A-Za-z0-9_-]{20,120})",
        back=14,
    ),
    _token("age-key", "AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[A-Z0-9]{40,64}"),
    _token("json-web-token", "eyJ", rb"eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{16,2000}"),
    Rule(
        "private-key",
        (b"-----BEGIN ",),
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            rb"(?=[\s\S]{0,300}?[A-Za-z0-9+/]{16})"
            rb"(?:[A-Za-z0-9+/=\s\\\"',:.()-]{16,16384}?-----END [A-Z0-9 ]{1,40}-----"
            rb"|[A-Za-z0-9+/=\s\\]{16,16384})"
        ),
    ),
    Rule(
        "url-credentials",
        (b"://",),
        re.compile(rb"(?<=[A-Za-z0-9])://[^\s/@:\"'<>`]{1,80}:(?P<v>[^\s/@\"'<>`]{3,200})@[A-Za-z0-9\[]"),
    ),
    Rule(
        "authorization-header",
        (b"uthorization", b"UTHORIZATION"),
        re.compile(
            rb"(?i)uthorization[\"']?\s{0,3}[:=,]\s{0,3}[\"']?(?:bearer|basic|token)\s{1,3}"
            rb"(?P<v>[A-Za-z0-9+/=._~-]{16,2000})"
        ),
        guess=True,
    ),
)

ASSIGNMENTS = Rule(
    "assigned-secret",
    (
        b"password",
        b"passwd",
        b"secret",
        b"token",
        b"api_key",
        b"apikey",
        b"api-key",
        b"access_key",
        b"accesskey",
        b"private_key",
        b"connection_string",
    ),
    re.compile(
        rb"(?P<name>[A-Za-z0-9_.-]{5,48})[\"']?\s{0,4}(?::=|=>|=|:)\s{0,4}"
        rb"(?:[rbuf]{0,2}(?P<q>[\"'`])(?P<v>[A-Za-z0-9+/=_.~!@#%^&*-]{16,400})(?P=q)"
        rb"|(?<==)(?P<w>[A-Za-z0-9+/=_.~-]{16,400})(?=\s|$))"
    ),
    guess=True,
)
"""A name that speaks of a secret, given a value that looks random. Its anchors are searched in lower case."""

_NOT_ITSELF = re.compile(
    rb"(?i)(?:hash|sha\d|digest|checksum|integrity|fingerprint|public|url|uri|path|file|type|count|env|field|ref|name|arn)"
)
_PLACEHOLDER = re.compile(rb"(?i)example|placeholder|change-?_?me|your[-_]|dummy|redacted|xxxx|\*\*\*|<|\$|\{|%[sd(]")
_WORDS = re.compile(rb"[A-Z]?[a-z]{2,}|[A-Z]{2,}|\d{1,4}")
_COMMON_PASSWORDS = frozenset(
    b"password passwd pass pwd secret postgres root admin user username mysql rabbitmq guest test redis token".split()
)


def is_secret_name(name: bytes) -> bool:
    """Whether a variable called so holds a secret itself, not a hash, an address or a count of it."""
    return not _NOT_ITSELF.search(name)


def is_placeholder(value: bytes) -> bool:
    """Whether documentation or a template would write this where a secret goes."""
    return bool(_PLACEHOLDER.search(value)) or value.lower() in _COMMON_PASSWORDS


def looks_random(value: bytes) -> bool:
    """Whether a value has the mix of a generated credential rather than that of words or a number."""
    if is_placeholder(value) or not re.search(rb"\d", value) or not re.search(rb"[A-Za-z]", value):
        return False
    words = _WORDS.findall(value)
    if words and sum(map(len, words)) >= 0.8 * len(value) and sum(map(len, words)) / len(words) >= 3.4:
        return False
    return _entropy(value) >= 3.2


def _entropy(value: bytes) -> float:
    """Shannon entropy in bits for each byte."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
