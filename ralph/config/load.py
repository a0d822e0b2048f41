"""Read, check, freeze and explain ralph.toml; every message names the file, the line and the fix."""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ralph.config.schema import Config
from ralph.errors import ConfigError

MAX_BYTES = 1_000_000


def load(path: Path) -> Config:
    """Read a ralph.toml.

    Raises ConfigError naming file and line for a missing, unreadable or wrong file, and for one that
    somebody else may write: it holds commands that are run.
    """
    try:
        with path.open("rb") as file:
            _refuse_foreign(path, os.fstat(file.fileno()))
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist", "run `ralph init` in the repository") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}", "check its permissions") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes", "this is not a ralph.toml")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8", "save the file as UTF-8") from None
    return parse(text, str(path))


def _refuse_foreign(path: Path, info: os.stat_result) -> None:
    if info.st_mode & stat.S_IWOTH:
        raise ConfigError(f"{path} may be changed by every user of this machine", f"chmod o-w {path}")
    if os.getuid() != 0 and info.st_uid not in (0, os.getuid()):
        raise ConfigError(f"{path} belongs to another user", "work in a checkout of your own")


def parse(text: str, name: str = "ralph.toml") -> Config:
    """Check the text of a ralph.toml; ``name`` stands in messages."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}", "fix the line named above") from None
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise _explained(first, text, name, more=error.error_count() - 1) from None


def _explained(error: Any, text: str, name: str, more: int) -> ConfigError:
    place = tuple(error["loc"])
    dotted = ".".join(str(part) for part in place if not isinstance(part, int)) or "the file"
    line = locate(text, place)
    at = f"{name}:{line}" if line else name
    tail = f" (and {more} more)" if more else ""
    if error["type"] == "extra_forbidden":
        known = _keys_beside(place)
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(sorted(known))}"
        return ConfigError(f"{at}: unknown key `{dotted}`{tail}", hint)
    message = error["msg"].removeprefix("Value error, ")
    return ConfigError(f"{at}: `{dotted}`: {message}{tail}", "run `ralph config --explain` to see every key")


def _keys_beside(place: tuple[Any, ...]) -> list[str]:
    model: Any = Config
    for part in place[:-1]:
        if isinstance(part, int) or not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        field = model.model_fields.get(part)
        model = _inner_model(field.annotation) if field else model
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _inner_model(inner)
        if found is not None:
            return found
    return None


def locate(text: str, place: tuple[Any, ...]) -> int:
    """Line (from 1) where the value at ``place`` stands in a TOML text; 0 when it is nowhere to be seen."""
    table: list[Any] = []
    counts: dict[str, int] = {}
    best = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if header := re.match(r"\[\[(.+?)\]\]", line):
            key = header[1].strip()
            counts[key] = counts.get(key, -1) + 1
            table = [*_split(key), counts[key]]
        elif header := re.match(r"\[(.+?)\]", line):
            table = list(_split(header[1]))
        elif pair := re.match(r"([A-Za-z0-9_.\"'-]+)\s*=", line):
            here = [*table, *_split(pair[1])]
            if tuple(here) == place[: len(here)]:
                return number
            continue
        else:
            continue
        if table and tuple(table) == place[: len(table)]:
            best = number
    return best


def _split(key: str) -> list[str]:
    return [part.strip().strip("\"'") for part in key.split(".")]


def freeze(config: Config) -> str:
    """The effective configuration as TOML with every default written out."""
    import tomli_w

    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


def explain(config: Config | None = None) -> list[tuple[str, str, Any, Any]]:
    """Rows of (dotted key, text, default, value in force) for every key there is; ``...`` stands for required."""
    rows: list[tuple[str, str, Any, Any]] = []
    _rows(Config, config or Config(), "", rows)
    return rows


def _rows(model: type[BaseModel], value: BaseModel | None, prefix: str, rows: list[tuple[str, str, Any, Any]]) -> None:
    for name, field in model.model_fields.items():
        here = getattr(value, name, None)
        inner = _inner_model(field.annotation)
        if isinstance(here, BaseModel):
            _rows(type(here), here, f"{prefix}{name}.", rows)
        elif inner is not None:
            is_list = isinstance(field.get_default(call_default_factory=True), list)
            _rows(inner, None, f"{prefix}{name}[]." if is_list else f"{prefix}{name}.<name>.", rows)
        else:
            default = ... if field.is_required() else field.get_default(call_default_factory=True)
            rows.append((prefix + name, field.description or "", default, here if value else default))
