from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ralph.errors import SandboxError
from ralph.host import sandbox, toolchain
from ralph.host.bwrap import BwrapSandbox
from ralph.host.process import Request, Shim
from ralph.host.sandbox import Jail, NoSandbox, Sandbox, SeatbeltSandbox, examine, make, probe


@pytest.fixture
def jail(tmp_path: Path) -> Jail:
    for name in ("tree", "at", "home", "tmp"):
        (tmp_path / name).mkdir()
    return Jail(tree=tmp_path / "tree", at=tmp_path / "at", home=tmp_path / "home", tmp=tmp_path / "tmp")


class Leaky(NoSandbox):
    """Claims to be a sandbox."""

    name = "leaky"


def test_the_probe_finds_out_a_sandbox_that_holds_nothing() -> None:
    assert examine(Leaky()) == "a write outside the tree went through"
    assert not list(Path("/").glob("ralph-probe-*"))


def test_the_probe_tells_what_to_do_where_none_starts(tmp_path: Path) -> None:
    assert "apt install bubblewrap" in examine(BwrapSandbox(program=str(tmp_path / "bwrap")))
    refused = tmp_path / "refused"
    refused.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    refused.chmod(0o755)
    assert "AppArmor profile" in examine(BwrapSandbox(program=str(refused)))


def test_no_sandbox_is_only_taken_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox.probe.cache_clear()
    try:
        found = probe("auto")
        assert found.sandbox is None
        assert found.tried
        assert "install" in found.detail or "cannot start" in found.detail
        assert probe("none").name == "none"
    finally:
        sandbox.probe.cache_clear()


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(SandboxError, match="no sandbox called 'docker'"):
        make("docker")


@pytest.mark.sandbox
def test_the_probe_is_quick_and_asked_once(sandbox_or_skip: Sandbox) -> None:
    began = time.perf_counter()
    assert probe("auto").sandbox is sandbox_or_skip
    assert time.perf_counter() - began < 0.005


@pytest.mark.sandbox
def test_this_interpreter_and_package_run_inside(sandbox_or_skip: Sandbox, jail: Jail) -> None:
    code = "import pydantic, ralph.host.paths, sys; print(sys.prefix)"
    line = sandbox_or_skip.wrap([sys.executable, "-c", code], jail, str(sandbox_or_skip.path_of(jail, jail.tree)))
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(sandbox.__file__).parents[2])}
    done = subprocess.run(line, cwd="/", env=env, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (sys.prefix, "")


@pytest.mark.sandbox
def test_a_kept_environment_brings_its_interpreter(sandbox_or_skip: Sandbox, jail: Jail, tmp_path: Path) -> None:
    if sandbox_or_skip.name != "bwrap":
        pytest.skip("nothing is bound elsewhere")
    keep = tmp_path / "keep"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(keep)], check=True)
    (jail.tree / ".venv").mkdir()
    bound = Jail(jail.tree, jail.at, jail.home, jail.tmp, read_only=((keep, jail.at / ".venv"),))
    bare = BwrapSandbox(search="/usr/bin:/bin")
    line = bare.wrap([".venv/bin/python", "-c", "import sys; print(sys.prefix)"], bound, str(jail.at))
    done = subprocess.run(line, cwd="/", capture_output=True, text=True, check=False, env={})
    assert (done.stdout.strip(), done.stderr) == (str(jail.at / ".venv"), "")


@pytest.mark.sandbox
def test_a_gate_starts_within_milliseconds(sandbox_or_skip: Sandbox, jail: Jail, tmp_path: Path) -> None:
    """With 2,000 files in the tree. The goal is 10 ms; the bound leaves room for a loaded machine."""
    for number in range(2000):
        folder = jail.tree / f"d{number % 40}"
        folder.mkdir(exist_ok=True)
        (folder / f"f{number}").write_text("x")
    line = sandbox_or_skip.wrap(["true"], jail, str(sandbox_or_skip.path_of(jail, jail.tree)))
    request = Request(tuple(line), "/", {"PATH": os.environ["PATH"]}, tmp_path / "log")
    with Shim.start(-1, secrets.token_hex(16)) as shim:
        times = []
        for _ in range(15):
            began = time.perf_counter()
            assert shim.run(request).exit_code == 0
            times.append(time.perf_counter() - began)
    assert min(times) < 0.03, times


@pytest.mark.sandbox
def test_nothing_but_the_sandbox_itself_is_swept_after_it(sandbox_or_skip: Sandbox, jail: Jail, tmp_path: Path) -> None:
    inside = str(sandbox_or_skip.path_of(jail, jail.tree))
    line = sandbox_or_skip.wrap(["sh", "-c", "sleep 20 & setsid sleep 20 & exit 3"], jail, inside)
    with Shim.start(-1, secrets.token_hex(16)) as shim:
        done = shim.run(Request(tuple(line), "/", {"PATH": os.environ["PATH"]}, tmp_path / "log"))
    assert (done.exit_code, done.error) == (3, "")
    assert done.swept == 0 or sandbox_or_skip.name != "bwrap"
    assert done.seconds < 5


@pytest.mark.sandbox
@pytest.mark.skipif(os.getuid() != 0, reason="starts as another user")
def test_an_ordinary_user_gets_the_same_walls(sandbox_or_skip: Sandbox, tmp_path: Path) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv")
    code = (
        "import os; from ralph.host.sandbox import BwrapSandbox, examine\n"
        "print(os.getuid(), repr(examine(BwrapSandbox())))"
    )
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(Path(sandbox.__file__).parents[2])}
    if subprocess.run([*nobody, sys.executable, "-c", ""], env=env, capture_output=True, check=False).returncode:
        pytest.skip("this interpreter is out of that user's reach")
    done = subprocess.run([*nobody, sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "65534 ''", done.stdout + done.stderr


# What is shown below home directories.


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home-of-ada"
    home.mkdir()
    monkeypatch.setattr(toolchain, "homes", lambda: (home,))
    toolchain.installations.cache_clear()
    return home


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_tools_are_shown_and_credentials_never(home: Path) -> None:
    program(home / ".cargo" / "bin" / "cargo")
    (home / ".cargo" / "credentials.toml").write_text("token")
    program(home / ".nvm" / "versions" / "node" / "v24" / "bin" / "node")
    (home / ".nvm" / "versions" / "node" / "v24" / "lib").mkdir()
    (home / ".rustup").mkdir()
    claude = program(home / ".local" / "share" / "claude" / "versions" / "2.1")
    (home / ".local" / "bin").mkdir()
    (home / ".local" / "bin" / "claude").symlink_to(claude)
    black = program(home / ".local" / "share" / "pipx" / "venvs" / "black" / "bin" / "black")
    (black.parent.parent / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (home / ".local" / "bin" / "black").symlink_to(black)
    (home / ".ssh").mkdir()
    search = f"{home}/.cargo/bin:{home}/.nvm/versions/node/v24/bin:{home}/.local/bin:{home}/.ssh:{home}/bin:/usr/bin"
    shown = toolchain.installations((home,), search)
    assert set(shown) == {
        home / ".cargo" / "bin",
        home / ".nvm",
        home / ".rustup",
        home / ".local" / "bin",
        home / ".local" / "share" / "pipx",
        claude,
    }


def test_a_home_that_looks_like_a_prefix_is_not_shown_whole(home: Path) -> None:
    program(home / "bin" / "tool")
    (home / "lib").mkdir()
    assert toolchain.installations((home,), f"{home}/bin") == (home / "bin",)


def test_a_conda_like_prefix_is_shown_whole(home: Path) -> None:
    program(home / "miniforge3" / "bin" / "python")
    (home / "miniforge3" / "lib").mkdir()
    assert toolchain.installations((home,), f"{home}/miniforge3/bin") == (home / "miniforge3",)


def test_the_users_own_environment_in_the_checkout_is_not_bound_over_the_tree(home: Path, jail: Jail) -> None:
    checkout = home / "project"
    program(checkout / ".venv" / "bin" / "python")
    inside = Jail(jail.tree, checkout, jail.home, jail.tmp)
    line = BwrapSandbox(program="bwrap", search=f"{checkout}/.venv/bin:/usr/bin").wrap(["true"], inside, str(checkout))
    assert not [word for word in line if word.startswith(f"{checkout}/.venv")]


# macOS, as text.


def test_the_seatbelt_profile_denies_first_and_names_what_is_allowed() -> None:
    jail = Jail(
        tree=Path("/state/loops/a/tree"),
        at=Path("/Users/ada/project"),
        home=Path("/state/loops/a/home"),
        tmp=Path("/state/loops/a/tmp"),
        read_only=((Path("/state/keep/x"), Path("/Users/ada/project/.venv")),),
        writable=((Path("/state/runs/1/notes"), Path("/notes")),),
        hidden=(Path('/sta"te'),),
    )
    seatbelt = SeatbeltSandbox(search="/usr/bin", homes=(Path("/Users/ada"),))
    line = seatbelt.wrap(["true"], jail, "/state/loops/a/tree")
    rules = line[2].splitlines()
    assert line[:2] == ["/usr/bin/sandbox-exec", "-p"]
    assert line[-2:] == ["/state/loops/a/tree", "true"]
    assert rules[:2] == ["(version 1)", "(allow default)"]
    assert rules.index("(deny file-write*)") < next(
        at for at, rule in enumerate(rules) if rule.startswith('(allow file-write* (subpath "/state/loops/a/tree")')
    )
    reading = [rule for rule in rules if "file-read*" in rule]
    assert reading[0].startswith('(deny file-read* (subpath "/Users/ada")')
    assert '(subpath "/sta\\"te")' in reading[0]
    assert reading[1] == '(deny file-read* (subpath "/Users/ada/project"))'
    assert reading[2].startswith('(allow file-read* (subpath "/state/loops/a/tree")')
    assert rules[-1] == "(deny network*)"
    assert '(deny file-write* (subpath "/state/keep/x"))' in rules
    sealed = seatbelt.profile(Jail(jail.tree, jail.at, jail.home, jail.tmp, tree_writable=False, network=True))
    assert "(deny network*)" not in sealed
    assert '(allow file-write* (subpath "/state/loops/a/home")' in sealed
    assert seatbelt.path_of(jail, jail.tree / "x") == jail.tree / "x"
