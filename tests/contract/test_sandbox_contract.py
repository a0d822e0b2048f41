"""Every sandbox keeps the same promises; run for real where it starts, and by NoSandbox for what needs no walls."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ralph.host.sandbox import Jail, NoSandbox, Sandbox


@pytest.fixture
def jail(tmp_path: Path) -> Jail:
    """A checkout with the user's files, and a work tree below a state root that is to be hidden."""
    state = tmp_path / "state"
    checkout = tmp_path / "checkout"
    for folder in (checkout, state / "tree" / "src", state / "home", state / "tmp", state / "keep"):
        folder.mkdir(parents=True)
    (checkout / "mine.txt").write_text("the user's own")
    (state / "ledger.db").write_text("journal")
    (state / "tree" / "src" / "a.py").write_text("a = 1\n")
    return Jail(tree=state / "tree", at=checkout, home=state / "home", tmp=state / "tmp", hidden=(state,))


@pytest.fixture(params=["machine", "none"])
def any_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    if request.param == "none":
        return NoSandbox()
    return request.getfixturevalue("sandbox_or_skip")


def run(sandbox: Sandbox, jail: Jail, *argv: str, below: str = "") -> subprocess.CompletedProcess[str]:
    directory = sandbox.path_of(jail, jail.tree / below)
    env = {"PATH": os.environ["PATH"], "HOME": str(sandbox.home_of(jail)), "TMPDIR": str(sandbox.tmp_of(jail))}
    line = sandbox.wrap(argv, jail, str(directory))
    return subprocess.run(
        line, cwd="/", env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )


def sh(sandbox: Sandbox, jail: Jail, script: str) -> str:
    done = run(sandbox, jail, "sh", "-c", script)
    return done.stdout + done.stderr


def test_it_runs_in_the_directory_asked_for_and_writes_the_tree(any_sandbox: Sandbox, jail: Jail) -> None:
    done = run(any_sandbox, jail, "sh", "-c", "pwd; cat a.py; echo b > b.py", below="src")
    assert done.stdout.splitlines() == [str(any_sandbox.path_of(jail, jail.tree / "src")), "a = 1"]
    assert (jail.tree / "src" / "b.py").read_text() == "b\n"


def test_exit_codes_come_through(any_sandbox: Sandbox, jail: Jail) -> None:
    assert run(any_sandbox, jail, "sh", "-c", "exit 9").returncode == 9
    missing = run(any_sandbox, jail, "no-such-program")
    assert missing.returncode == 127
    assert "no-such-program" in missing.stderr
    assert run(any_sandbox, jail, "/etc/passwd").returncode == 126


def test_arguments_come_through_unchanged(any_sandbox: Sandbox, jail: Jail) -> None:
    words = ["a b", "$HOME", "'", '"', "*", "", "-n", "line\nbreak", "ü"]
    assert run(any_sandbox, jail, "printf", "%s|", *words).stdout == "".join(f"{word}|" for word in words)


def test_home_and_tmp_are_private_and_writable(any_sandbox: Sandbox, jail: Jail) -> None:
    assert sh(any_sandbox, jail, 'echo h > "$HOME/h"; echo t > "$TMPDIR/t"') == ""
    assert (jail.home / "h").read_text() == "h\n"
    assert (jail.tmp / "t").read_text() == "t\n"
    assert any_sandbox.path_of(jail, jail.home / "h") == any_sandbox.home_of(jail) / "h"
    assert any_sandbox.path_of(jail, jail.tmp / "t") == any_sandbox.tmp_of(jail) / "t"


@pytest.mark.sandbox
class TestWalls:
    @pytest.fixture
    def sandbox(self, sandbox_or_skip: Sandbox) -> Sandbox:
        return sandbox_or_skip

    def test_nothing_outside_can_be_written(self, sandbox: Sandbox, jail: Jail, tmp_path: Path) -> None:
        targets = [tmp_path / "outside", Path("/etc/ralph-test"), Path("/ralph-test"), Path("/usr/ralph-test")]
        sh(sandbox, jail, "; ".join(f"echo x > {target}" for target in targets))
        assert [target for target in targets if target.exists()] == []
        assert "Read-only" in sh(sandbox, jail, "echo x > /etc/ralph-test")

    def test_no_switch_of_the_kernel_can_be_written(self, sandbox: Sandbox, jail: Jail) -> None:
        """Asked, not tried: a sandbox that fails here must not harm the machine."""
        if sandbox.name != "bwrap":
            pytest.skip("Linux's /proc and /sys")
        switches = "find /proc/sys/kernel /proc/sys/fs /proc/sys/vm /proc/sysrq-trigger /sys/kernel /sys/fs -type f"
        assert sh(sandbox, jail, f"{switches} 2>&- | while read f; do test -w $f && echo $f; done") == ""

    def test_the_tree_stands_at_the_checkout_and_hides_the_users_files(self, sandbox: Sandbox, jail: Jail) -> None:
        if sandbox.name == "bwrap":
            assert sh(sandbox, jail, "pwd; ls").split() == [str(jail.at), "src"]
        assert "the user's own" not in sh(sandbox, jail, f"cat {jail.at}/mine.txt")
        sh(sandbox, jail, "rm -rf * ; touch mine.txt")
        assert (jail.at / "mine.txt").read_text() == "the user's own"

    def test_the_state_root_is_hidden(self, sandbox: Sandbox, jail: Jail) -> None:
        state = jail.tree.parent
        assert "journal" not in sh(
            sandbox, jail, f"cat {state}/ledger.db; find /tmp /var/tmp /run ~ -name ledger.db 2>&-"
        )

    def test_homes_are_empty_but_for_tools(self, sandbox: Sandbox, jail: Jail) -> None:
        secret = Path.home() / f".ralph-test-{os.getpid()}"
        secret.write_text("token")
        try:
            assert "token" not in sh(sandbox, jail, f"cat {secret}; ls -A ~")
        finally:
            secret.unlink()
        assert not sh(sandbox, jail, "ls -A ~/.ssh ~/.aws ~/.gitconfig ~/.netrc 2>&-")

    def test_a_read_only_tree_and_binds_hold(self, sandbox: Sandbox, jail: Jail) -> None:
        keep = jail.tree.parent / "keep"
        (keep / "python").write_text("interpreter")
        (jail.tree / ".venv").mkdir()
        bound = replace(jail, read_only=((keep, sandbox.path_of(jail, jail.tree / ".venv")),))
        if sandbox.name == "bwrap":
            script = "cat .venv/python; echo forged > .venv/sitecustomize.py; rm -rf .venv; echo w > w"
            assert "interpreter" in sh(sandbox, bound, script)
        assert [entry.name for entry in keep.iterdir()] == ["python"]
        assert (jail.tree / "w").exists()
        sealed = replace(bound, tree_writable=False)
        assert "Read-only" in sh(sandbox, sealed, "echo x > src/a.py") or sandbox.name != "bwrap"
        assert (jail.tree / "src" / "a.py").read_text() == "a = 1\n"

    def test_writable_binds_reach_the_host(self, sandbox: Sandbox, jail: Jail, tmp_path: Path) -> None:
        notes = tmp_path / "notes"
        notes.mkdir()
        inside = Path("/run/notes") if sandbox.name == "bwrap" else notes
        bound = replace(jail, writable=((notes, inside),), tree_writable=False)
        assert sandbox.path_of(bound, notes / "n") == inside / "n"
        sh(sandbox, bound, f"echo n > {inside}/n")
        assert (notes / "n").read_text() == "n\n"

    def test_the_hosts_processes_are_out_of_sight_and_reach(self, sandbox: Sandbox, jail: Jail) -> None:
        victim = subprocess.Popen(["sleep", "20"])
        try:
            output = sh(sandbox, jail, f"kill -9 {victim.pid}; true")
            assert victim.poll() is None, output
            if sandbox.name == "bwrap":
                assert int(sh(sandbox, jail, "ls -d /proc/[0-9]* | wc -l")) < 8
                assert "RALPH_SECRET" not in sh(sandbox, jail, "cat /proc/*/environ | tr '\\0' '\\n'")
        finally:
            victim.kill()
            victim.wait()

    def test_root_has_no_capability_inside(self, sandbox: Sandbox, jail: Jail) -> None:
        if sandbox.name != "bwrap":
            pytest.skip("capabilities are Linux's")
        status = dict(line.split() for line in sh(sandbox, jail, "grep -E 'Cap|NoNew' /proc/self/status").splitlines())
        assert {status[f"Cap{kind}:"] for kind in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
        assert status["NoNewPrivs:"] == "1", "else the bounding set would give them back at the next exec"
        sh(sandbox, jail, "mount -o remount,rw,bind /; umount -l /tmp; echo x > /ralph-test")
        assert not Path("/ralph-test").exists()

    def test_no_new_namespace_makes_the_root_writable(self, sandbox: Sandbox, jail: Jail) -> None:
        sh(sandbox, jail, "unshare -Urm sh -c 'mount -o remount,rw,bind /; echo x > /ralph-test; umount /root'")
        assert not Path("/ralph-test").exists()
        secret = jail.tree.parent / "ledger.db"
        assert "journal" not in sh(sandbox, jail, f"unshare -Urm sh -c 'umount -l /tmp; umount -l /root; cat {secret}'")

    @pytest.mark.parametrize("network", [False, True])
    def test_the_hosts_loopback_is_there_only_with_network(self, sandbox: Sandbox, jail: Jail, network: bool) -> None:
        import socket

        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('reached')"
            output = sh(sandbox, replace(jail, network=network), f'python3 -I -S -c "{code}"')
        assert ("reached" in output) is network, output

    def test_a_path_that_is_not_bound_has_no_place_inside(self, sandbox: Sandbox, jail: Jail, tmp_path: Path) -> None:
        if sandbox.name != "bwrap":
            pytest.skip("paths are the host's own there")
        with pytest.raises(ValueError, match="not visible"):
            sandbox.path_of(jail, tmp_path / "elsewhere")
