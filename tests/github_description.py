"""GitHub's published OpenAPI description, cut to what pull requests need, and checks against it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

PACKAGE, VERSION = "@octokit/openapi", "23.0.2"
MEMBER = "package/generated/api.github.com.json"
PATHS = ("/repos/{owner}/{repo}/pulls", "/repos/{owner}/{repo}/pulls/{pull_number}")


def of(config: pytest.Config) -> Description:
    """The description from pytest's cache directory, or fetched into it."""
    assert config.cache is not None
    return Description(load(Path(config.cache.mkdir("octokit-openapi"))))


def load(cache: Path) -> dict[str, Any]:
    """The cut description, fetched once with npm; the test is skipped where npm can't get it."""
    stored = cache / f"pulls-{VERSION}.json"
    if not stored.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=cache))
        try:
            (part / "cut.json").write_text(json.dumps(cut(_fetch(part))))
            (part / "cut.json").replace(stored)
        finally:
            shutil.rmtree(part)
    return json.loads(stored.read_text())


def _fetch(folder: Path) -> dict[str, Any]:
    command = ["npm", "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=100, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"openapi not_run: npm: {error}")
    archives = list(folder.glob("*.tgz"))
    if not archives:
        pytest.skip(f"openapi not_run: npm exit {done.returncode}: {done.stderr.decode()[-200:]}")
    with tarfile.open(archives[0]) as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None
        return json.load(member)


def cut(whole: dict[str, Any]) -> dict[str, Any]:
    """The paths this test speaks to with every component they reach."""
    part: dict[str, Any] = {name: whole[name] for name in ("openapi", "info")}
    part["servers"] = [{"url": "/"}]
    part["paths"] = {path: whole["paths"][path] for path in PATHS}
    part["components"] = {}
    waiting = list(_references(part["paths"]))
    examples = ("pull-request", "pull-request-simple-items")
    waiting += [f"#/components/examples/{name}" for name in examples]
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        known = part["components"].setdefault(kind, {})
        if name not in known:
            known[name] = whole["components"][kind][name]
            waiting += _references(known[name])
    return part


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for item in value.values() for found in _references(item)]


class Request:
    """A request in the shape openapi-core asks for."""

    host_url = "http://127.0.0.1"

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> None:
        from openapi_core.datatypes import RequestParameters
        from werkzeug.datastructures import Headers, ImmutableMultiDict

        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.path = urlsplit(target).path
        self.query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        self.content_type = headers.get("content-type", "").split(";")[0]
        self.parameters = RequestParameters(query=ImmutableMultiDict(self.query), header=Headers(headers))


@dataclass(frozen=True)
class Response:
    status_code: int
    data: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Description:
    """Checks requests and answers; what the description does not name is a fault too."""

    def __init__(self, document: dict[str, Any]) -> None:
        from openapi_core import OpenAPI

        self.document = document
        self._openapi = OpenAPI.from_dict(document)

    def example(self, name: str) -> Any:
        return json.loads(json.dumps(self.document["components"]["examples"][name]["value"]))

    def problems(self, request: Request, response: Response | None = None) -> list[str]:
        """What is wrong with a request, and with the answer to it."""
        from openapi_core.exceptions import OpenAPIError

        try:
            self._openapi.validate_request(request)
            if response is not None:
                self._openapi.validate_response(request, response)
        except OpenAPIError as error:
            return [f"{request.method} {request.target}: {error!r}: {error.__cause__!r}"]
        return self._unnamed(request)

    def _unnamed(self, request: Request) -> list[str]:
        template = PATHS[0] if request.path.endswith("/pulls") else PATHS[1]
        operation = self.document["paths"][template][request.method]
        names = {self._resolve(parameter)["name"] for parameter in operation.get("parameters", [])}
        found = [f"query {name}" for name in request.query if name not in names]
        if request.body:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            found += [f"body {name}" for name in json.loads(request.body) if name not in schema["properties"]]
        return [f"{request.method} {request.target}: {what} is not in the description" for what in found]

    def _resolve(self, value: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in value:
            return value
        _, _, kind, name = value["$ref"].split("/")
        return self.document["components"][kind][name]
