"""Which libraries a manifest asks for."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
_GO = re.compile(r"^\s*(?:require\s+)?([\w.-]+\.[\w.-]+/\S+)\s+v\S+", re.MULTILINE)
_MAVEN = re.compile(
    r"<dependency>.*?<groupId>\s*(\S+?)\s*</groupId>.*?<artifactId>\s*(\S+?)\s*</artifactId>", re.DOTALL
)
_GRADLE = re.compile(r"(?:implementation|api|runtimeOnly|compileOnly|testImplementation)\W+([\w.-]+:[\w.-]+)")


def of(path: str, data: bytes | None) -> frozenset[str]:
    """Names of the dependencies in a manifest; empty where the file is none or can't be read."""
    reader = _reader(PurePosixPath(path).name)
    if reader is None or data is None:
        return frozenset()
    try:
        return frozenset(reader(data.decode("utf-8-sig")))
    except (ValueError, AttributeError, TypeError):
        return frozenset()


def _reader(name: str) -> Callable[[str], Iterator[str]] | None:
    if re.fullmatch(r"requirements.*\.(?:txt|in)", name):
        return _requirements
    return {
        "pyproject.toml": _pyproject,
        "package.json": _package_json,
        "go.mod": lambda text: iter(_GO.findall(text)),
        "Cargo.toml": _cargo,
        "pom.xml": lambda text: (":".join(found) for found in _MAVEN.findall(text)),
        "build.gradle": lambda text: iter(_GRADLE.findall(text)),
        "build.gradle.kts": lambda text: iter(_GRADLE.findall(text)),
    }.get(name)


def _requirements(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if found := _NAME.match(line.strip()):
            yield _plain(found.group())


def _pyproject(text: str) -> Iterator[str]:
    top = tomllib.loads(text)
    project = top.get("project", {})
    lists = [project.get("dependencies", []), top.get("build-system", {}).get("requires", [])]
    lists += [*project.get("optional-dependencies", {}).values(), *top.get("dependency-groups", {}).values()]
    for entries in lists:
        for entry in entries:
            if isinstance(entry, str) and (found := _NAME.match(entry)):
                yield _plain(found.group())
    poetry = top.get("tool", {}).get("poetry", {})
    for table in (poetry, *poetry.get("group", {}).values()):
        yield from (_plain(name) for name in table.get("dependencies", {}) if name != "python")


def _package_json(text: str) -> Iterator[str]:
    top = json.loads(text)
    for key in ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"):
        yield from top.get(key, {})


def _cargo(text: str) -> Iterator[str]:
    top = tomllib.loads(text)
    for key in ("dependencies", "dev-dependencies", "build-dependencies"):
        yield from top.get(key, {})


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
