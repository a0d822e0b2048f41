"""Runners whose exit code can't be mended are vouched for by a failing test file of their own."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import pytest
from loops import commit_all
from test_engine_gates import TASK, Stage

from ralph.config import Config
from ralph.domain import GateResult, Verdict
from ralph.engine.judge.gates import run_gates
from ralph.engine.judge.mute import listened
from ralph.engine.judge.vouch import voucher
from ralph.host.process import Shim
from ralph.host.sandbox import NoSandbox, Sandbox

NODE_GREEN = "import test from 'node:test';\nimport assert from 'node:assert';\ntest('a', () => assert.equal(1, 1));\n"
NODE = {
    "package.json": '{"scripts": {"test": "node --test"}}',
    "test/a.test.mjs": NODE_GREEN,
}
SILENCED = "import assert from 'node:assert';\nassert.strictEqual = () => {};\nassert.equal = () => {};\n"
GO = {
    "go.mod": "module example.org/m\n\ngo 1.18\n",
    "m.go": "package m\n",
    "m_test.go": 'package m\n\nimport "testing"\n\nfunc TestA(t *testing.T) {}\n',
}


@pytest.fixture
def shim() -> object:
    with Shim.start(-1, secrets.token_hex(16)) as started:
        yield started


def stage(
    repo: Path,
    state: Path,
    shim: Shim,
    command: str,
    files: dict[str, str],
    box: Sandbox | None = None,
    **more: object,
) -> Stage:
    for name, text in files.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    commit_all(repo)
    gate = {"name": "tests", "command": command, "kind": "tests", **more}
    return Stage(repo, state, shim, box or NoSandbox(), Config.model_validate({"gates": [gate]}))


def judged(space: Stage, tree: str = "") -> GateResult:
    tree = tree or space.loop.space.tree_of(space.loop.base)
    (result,) = run_gates(space.bench, TASK, tree, ["x"], {}, settle=voucher(space.bench, tree, {}))
    return result


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize("command", ["node --test", "node --test --import ./setup.mjs test/", "npm test"])
def test_a_run_of_node_is_vouched_for_once(git_repo: Path, tmp_path: Path, shim: Shim, command: str) -> None:
    space = stage(git_repo, tmp_path / "state", shim, command, {**NODE, "setup.mjs": ""})
    first = judged(space)
    assert first.verdict is Verdict.PASSED, first.reason
    assert first.counts and first.counts.collected == 1
    (run,) = first.runs
    assert run.execution.purpose == "canary" and run.execution.exit_code == 1
    assert any("planted" in identity and outcome == "failed" for identity, outcome in run.outcomes.items())
    space.write("test/b.test.mjs", NODE_GREEN)
    again = judged(space, space.loop.space.snapshot())
    assert again.verdict is Verdict.PASSED and again.runs == (run,)  # nothing that decides has changed
    assert not [path for path in space.loop.tree.rglob("planted*") if "node_modules" not in path.parts]


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize(
    "setup",
    [
        SILENCED,
        "process.on('exit', () => { process.exitCode = 0; });\n" + SILENCED,
        "import test from 'node:test';\nimport m from 'node:module';\ntest.skip; process.exit(0);\n",
    ],
)
def test_a_setup_that_silences_failures_is_seen(git_repo: Path, tmp_path: Path, shim: Shim, setup: str) -> None:
    command = "node --test --import ./setup.mjs test/"
    space = stage(git_repo, tmp_path / "state", shim, command, {**NODE, "setup.mjs": ""})
    assert judged(space).verdict is Verdict.PASSED
    space.write("setup.mjs", setup)
    forged = judged(space, space.loop.space.snapshot())
    assert forged.verdict is Verdict.NOT_RUN


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_a_project_that_reports_no_failures_is_found_on_the_base(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    command = "node --test --import ./setup.mjs test/"
    space = stage(git_repo, tmp_path / "state", shim, command, {**NODE, "setup.mjs": SILENCED})
    first = judged(space)
    assert first.verdict is Verdict.NOT_RUN and "planted" in first.reason
    tree = space.loop.space.tree_of(space.loop.base)
    (result,), mute = listened(space.bench, TASK, tree, ["x"], {}, (first,))
    assert mute == ("tests",) and result.verdict is Verdict.PASSED


@pytest.mark.sandbox
@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_failing_file_lies_beside_the_tree_of_the_loop(
    git_repo: Path, tmp_path: Path, shim: Shim, sandbox_or_skip: Sandbox
) -> None:
    space = stage(git_repo, tmp_path / "state", shim, "node --test", NODE, sandbox_or_skip)
    result = judged(space)
    assert result.verdict is Verdict.PASSED and result.runs, result.reason
    assert space.loop.space.laid == space.loop.space.tree_of(space.loop.base)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("go"), reason="go is not installed")
def test_a_test_main_that_runs_nothing_is_seen(git_repo: Path, tmp_path: Path, shim: Shim) -> None:
    space = stage(git_repo, tmp_path / "state", shim, "go test ./...", GO)
    assert judged(space).verdict is Verdict.PASSED
    quiet = '\nimport "os"\n\nfunc TestMain(m *testing.M) { m.Run(); os.Exit(0) }\n'
    text = GO["m_test.go"].replace('import "testing"\n', 'import "testing"\n' + quiet)
    space.write("m_test.go", text)
    loud = judged(space, space.loop.space.snapshot())  # its failures are in the output all the same
    assert loud.verdict is Verdict.PASSED and len(loud.runs) == 1
    space.write("m_test.go", text.replace("m.Run(); ", "println(`--- PASS: TestA (0.00s)`); "))
    forged = judged(space, space.loop.space.snapshot())
    assert forged.verdict is Verdict.NOT_RUN and "planted" in forged.reason


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cargo"), reason="cargo is not installed")
def test_cargo_is_vouched_for(git_repo: Path, tmp_path: Path, shim: Shim, monkeypatch: pytest.MonkeyPatch) -> None:
    """rustup's tools lie below the home, which a gate does not see."""
    if (Path.home() / ".rustup").is_dir():
        monkeypatch.setenv("RUSTUP_HOME", str(Path.home() / ".rustup"))
    files = {
        "Cargo.toml": '[package]\nname = "m"\nversion = "0.1.0"\nedition = "2021"\n',
        ".gitignore": "target/\nCargo.lock\n",
        "src/lib.rs": "#[test]\nfn good() {}\n",
    }
    space = stage(git_repo, tmp_path / "state", shim, "cargo test --offline", files)
    result = judged(space)
    assert result.verdict is Verdict.PASSED, result.excerpt
    assert [run.execution.exit_code for run in result.runs] == [101]
    space.write(".cargo/config.toml", "[target.'cfg(all())']\nrunner = \"true\"\n")
    assert judged(space, space.loop.space.snapshot()).verdict is Verdict.NOT_RUN
