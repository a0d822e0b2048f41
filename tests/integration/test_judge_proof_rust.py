"""Proof of a Rust change whose tests stand inside the source, with the real cargo."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from judging import Court, new_repo

from ralph.config import Config
from ralph.domain import Kind, Proof, Task
from ralph.host.process import Shim

pytestmark = pytest.mark.skipif(not shutil.which("cargo"), reason="cargo is not installed")
SOURCE = """\
pub fn half(a: i32) -> i32 { a / 2 }

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn it_halves() { assert_eq!(half(4), 2); }
}
"""
FIXED = SOURCE.replace("a / 2 }", "a / 2 + a % 2 }")
GROWN = FIXED + "pub fn double(a: i32) -> i32 { a * 2 }\n"
FIX = Task("t", "T", kind=Kind.FIX)


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    folder = tmp_path_factory.mktemp("crate")
    files = {
        "Cargo.toml": '[package]\nname = "crate-of-mine"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/lib.rs": SOURCE,
        ".gitignore": "target/\nCargo.lock\n",
    }
    gate = {"name": "tests", "command": "cargo test --offline", "kind": "tests"}
    config = Config.model_validate({"gates": [gate], "verify": {"strength": "off", "canary": False}})
    with pytest.MonkeyPatch.context() as patch, Shim.start(-1, secrets.token_hex(16)) as shim:
        if (Path.home() / ".rustup").is_dir():  # below the home, which a gate does not see
            patch.setenv("RUSTUP_HOME", str(Path.home() / ".rustup"))
        yield Court(new_repo(folder / "repo"), folder / "state", shim, config, files)


def with_test(source: str, body: str) -> str:
    return source.replace("2); }\n}", f"2); }}\n    #[test]\n    fn fresh() {{ {body} }}\n}}")


@pytest.mark.parametrize(
    ("source", "body", "grade"),
    [
        (FIXED, "assert_eq!(half(3), 2);", Proof.PROVEN),
        pytest.param(FIXED, "assert_eq!(half(6), 3);", Proof.NOT_DISCRIMINATING, marks=pytest.mark.slow),
        (FIXED + "pub fn double(a: i32) -> i32 { a * 2 }\n", "assert_eq!(double(2), 4);", Proof.PROVEN),
        (
            FIXED + "pub fn double(a: i32) -> i32 { a * 2 }\n",
            "let _ = double as fn(i32) -> i32;",
            Proof.NOT_DISCRIMINATING,
        ),
    ],
)
def test_tests_inside_a_source_run_on_the_base(court: Court, source: str, body: str, grade: Proof) -> None:
    result = court.prove(FIX, {"src/lib.rs": with_test(source, body)})
    assert result.proof and result.proof.grade is grade, (result.reason, [r.execution.purpose for r in result.runs])


def test_a_test_inside_that_was_changed_is_replayed(court: Court) -> None:
    edits = {"src/lib.rs": SOURCE.replace("a / 2 }", "a / 2 + 1 }").replace("half(4), 2)", "half(4), 3)")}
    result = court.prove(FIX, edits)
    assert "the original src/lib.rs::tests::it_halves fails on the new source" in result.reason
