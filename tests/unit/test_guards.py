from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.config import Config, Gate, Guards, Verify
from ralph.domain import Change, Finding, GuardResult, Kind, Task, Verdict
from ralph.errors import RalphError
from ralph.verify import guards

NONE = "0" * 40


class Blobs:
    """An object store for one change set."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def put(self, data: bytes | None) -> str:
        if data is None:
            return NONE
        name = f"{len(self.content) + 1:040x}"
        self.content[name] = data
        return name

    def change(self, path: str, new: bytes | None, old: bytes | None = None, mode: str = "100644") -> Change:
        status = "A" if old is None else "D" if new is None else "M"
        return Change(status, path, "100644" if old is not None else "0", mode, self.put(old), self.put(new))


def task(*files: str, allow: Sequence[str] = (), kind: Kind = Kind.FEATURE) -> Task:
    return Task(id="t", title="t", files=files, allow=tuple(allow), kind=kind)


def run(
    a_task: Task,
    blobs: Blobs,
    *changes: Change,
    tracked: Sequence[str] = (),
    config: Config | None = None,
    **more: object,
) -> dict[str, GuardResult]:
    results = guards.check(
        a_task,
        changes,
        read_blob=blobs.content.__getitem__,
        tracked=tracked,
        config=config or Config(),
        **more,  # type: ignore[arg-type]
    )
    assert [result.name for result in results] == ["scope", "protected", "secrets", "diff-policy", "tampering"]
    return {result.name: result for result in results}


def rules(result: GuardResult) -> list[str]:
    return [finding.rule for finding in result.findings]


def added(path: str, data: bytes = b"x\n", a_task: Task | None = None, **more: object) -> dict[str, GuardResult]:
    blobs = Blobs()
    return run(a_task or task(), blobs, blobs.change(path, data), **more)  # type: ignore[arg-type]


def test_an_ordinary_change_passes_all_guards() -> None:
    blobs = Blobs()
    results = run(task("src/**"), blobs, blobs.change("src/a.py", b"a = 2\n", b"a = 1\n"), tracked=["src/a.py"])
    assert {result.verdict for result in results.values()} == {Verdict.PASSED}


@pytest.mark.parametrize(
    ("path", "kind", "owned"),
    [
        ("src/a.py", Kind.FEATURE, True),
        ("other/a.py", Kind.FEATURE, False),
        ("tests/unit/test_a.py", Kind.FIX, True),
        ("web/thing.test.ts", Kind.TEST, True),
        ("web/thing.spec.tsx", Kind.FEATURE, True),
        ("pkg/thing_test.go", Kind.REFACTOR, True),
        ("lib/src/test/java/FooTest.java", Kind.FEATURE, True),
        ("tests/unit/test_a.py", Kind.DOCS, False),
        ("tests/unit/test_a.py", Kind.CHORE, False),
        ("contest.py", Kind.FEATURE, False),
        ("latest/a.py", Kind.FEATURE, False),
    ],
)
def test_a_task_changes_its_files_and_may_add_tests(path: str, kind: Kind, owned: bool) -> None:
    result = added(path, a_task=task("src/**", kind=kind))["scope"]
    assert (result.verdict is Verdict.PASSED) is owned
    assert rules(result) == ([] if owned else ["not-owned"])


def test_own_globs_replace_the_default_ones_for_tests() -> None:
    config = Config(verify=Verify(tests=["checks/**"]))
    assert added("checks/a.py", a_task=task("src/**"), config=config)["scope"].verdict is Verdict.PASSED
    assert added("tests/test_a.py", a_task=task("src/**"), config=config)["scope"].verdict is Verdict.FAILED


def test_a_file_that_another_loop_holds_fails_also_without_files_of_its_own() -> None:
    assert rules(added("src/a.py", shared_files=["src/a.py"])["scope"]) == ["held"]
    assert rules(added("src/deep/a.py", shared_files=["docs/", "src/**"])["scope"]) == ["held"]
    assert rules(added("odd[1].py", shared_files=["odd[1].py"])["scope"]) == ["held"]
    assert added("src/b.py", shared_files=["src/a.py", "/docs/"])["scope"].verdict is Verdict.PASSED


PROTECTED = [
    "AGENTS.md",
    "pkg/AGENTS.md",
    "agents.md",
    "ralph.toml",
    "tasks.json",
    "progress/log.md",
    ".ralph",
    ".gitignore",
    ".gitattributes",
    "pkg/.gitattributes",
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    ".claude/settings.json",
    "pkg/.claude/hooks/x.sh",
    "CLAUDE.md",
    ".mcp.json",
    ".cursor/rules/a.mdc",
    ".vscode/tasks.json",
    ".envrc",
    "Jenkinsfile",
]
CONFIGURATION = [
    "pytest.ini",
    "tox.ini",
    "mypy.ini",
    "ruff.toml",
    ".flake8",
    "web/.eslintrc.json",
    "eslint.config.mjs",
    "jest.config.ts",
    "web/tsconfig.json",
    "web/tsconfig.app.json",
    "vitest.config.ts",
    ".cargo/config.toml",
    ".pre-commit-config.yaml",
    ".coveragerc",
]


@pytest.mark.parametrize("path", PROTECTED)
def test_protected_paths_need_a_word_of_the_person(path: str) -> None:
    assert rules(added(path)["protected"]) == ["protected"]
    assert added(path, a_task=task(allow=[f"protected:{path}"]))["protected"].verdict is Verdict.PASSED
    assert added(path, a_task=task(allow=[f"config:{path}"]))["protected"].verdict is Verdict.FAILED
    assert added(path, a_task=task(path))["protected"].verdict is Verdict.FAILED, "owning a path does not unprotect it"


@pytest.mark.parametrize("path", CONFIGURATION)
def test_gate_configuration_needs_a_word_of_the_person(path: str) -> None:
    assert rules(added(path)["protected"]) == ["config"]
    assert added(path, a_task=task(allow=[f"config:{path}"]))["protected"].verdict is Verdict.PASSED


def test_deleting_a_protected_file_is_changing_it() -> None:
    blobs = Blobs()
    assert rules(run(task(), blobs, blobs.change("pytest.ini", None, b"[pytest]\n"))["protected"]) == ["config"]


@pytest.mark.parametrize("path", ["src/.gitkeep", "docs/progress/a.md", "src/gitlab.py", "src/tasks.json", "README.md"])
def test_ordinary_paths_are_not_protected(path: str) -> None:
    assert added(path)["protected"].verdict is Verdict.PASSED


def test_further_paths_are_protected_by_configuration() -> None:
    config = Config(guards=Guards(protected=["migrations/**"]))
    assert rules(added("migrations/1.sql", config=config)["protected"]) == ["protected"]


PYPROJECT = b'[project]\nname = "x"\ndependencies = []\n[tool.pytest.ini_options]\naddopts = "-q"\n[tool.black]\n'


@pytest.mark.parametrize(
    ("path", "old", "new", "part"),
    [
        ("pyproject.toml", PYPROJECT, PYPROJECT.replace(b"[]", b'["httpx"]', 1), None),
        ("pyproject.toml", PYPROJECT, PYPROJECT.replace(b"-q", b"-q --ignore=tests"), "tool.pytest"),
        ("pyproject.toml", PYPROJECT, PYPROJECT + b"[tool.mypy]\nignore_errors = true\n", "tool.mypy"),
        ("pyproject.toml", PYPROJECT, PYPROJECT.split(b"[tool.pytest")[0], "tool.pytest"),
        ("pyproject.toml", PYPROJECT, b"[broken", "can't be parsed"),
        ("pyproject.toml", PYPROJECT, None, "tool.pytest"),
        ("pyproject.toml", None, b'[project]\nname = "x"\n', None),
        ("pkg/pyproject.toml", None, b"[tool.ruff]\n", "tool.ruff"),
        ("setup.cfg", b"[metadata]\nname = a\n", b"[metadata]\nname = b\n", None),
        ("setup.cfg", b"[mypy]\nstrict = true\n", b"[mypy]\nstrict = false\n", "mypy"),
        ("setup.cfg", b"[tool:pytest]\n", b"[tool:pytest]\naddopts = -k nothing\n", "tool:pytest"),
        ("package.json", b'{"dependencies": {}}', b'{"dependencies": {"a": "1"}}', None),
        ("package.json", b'{"scripts": {"test": "jest"}}', b'{"scripts": {"test": "true"}}', "scripts"),
        ("package.json", b'{"jest": {}}', b'{"jest": {"testMatch": []}}', "jest"),
        ("Cargo.toml", b"[dependencies]\n", b'[dependencies]\nserde = "1"\n', None),
        ("Cargo.toml", b"[lib]\n", b"[lib]\ntest = false\n", "lib.test"),
        ("pom.xml", b"<a/>", b"<a>\n<dependency>x</dependency>\n</a>", None),
        ("pom.xml", b"<a/>", b"<a>\n<testFailureIgnore>true</testFailureIgnore>\n</a>", "testFailureIgnore"),
        ("build.gradle", b"", b"test { ignoreFailures = true }\n", "ignoreFailures"),
        ("tests/conftest.py", b"import pytest\n", b"import pytest\n@pytest.fixture\ndef a():\n    return 1\n", None),
        ("conftest.py", None, b'"""Fixtures."""\nimport os\n\ndef helper():\n    return os.sep\n', None),
        (
            "conftest.py",
            b"",
            b"def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
            "pytest_sessionfinish",
        ),
        ("conftest.py", None, b"class Shelf(Stock):\n    size = 3\n\n    def low(self):\n        return []\n", None),
        ("conftest.py", b"", b"class Quiet:\n    print(1)\n", "Quiet"),
        ("conftest.py", b"", b"class Quiet(metaclass=plug.Meta):\n    pass\n", "Quiet"),
        ("conftest.py", b"", b"class Quiet(plug.base()):\n    pass\n", "Quiet"),
        ("conftest.py", b"", b"@plug.register\nclass Quiet:\n    pass\n", "Quiet"),
        ("conftest.py", b"", b"import os\nos._exit(0)\n", "os._exit(0)"),
        ("conftest.py", b"", b"collect_ignore = ['test_a.py']\n", "collect_ignore"),
        ("conftest.py", b"", b"from plug import pytest_runtest_makereport\n", "pytest_runtest_makereport"),
        ("conftest.py", b"", b"import pytest\n@pytest.hookimpl(specname='x')\ndef y():\n    pass\n", "y"),
        ("conftest.py", b"", b"def broken(:\n", "can't be parsed"),
    ],
)
def test_only_the_parts_that_configure_gates_are_protected(path: str, old: bytes, new: bytes, part: str | None) -> None:
    blobs = Blobs()
    result = run(task(), blobs, blobs.change(path, new, old))["protected"]
    if part is None:
        assert result.verdict is Verdict.PASSED, result.findings
    else:
        assert rules(result) == ["config"]
        assert part in result.findings[0].message
        allowed = run(task(allow=[f"config:{path}"]), blobs, blobs.change(path, new, old))["protected"]
        assert allowed.verdict is Verdict.PASSED


GATES = [
    Gate(name="a", command="make check"),
    Gate(name="b", command="python -X dev scripts/lint.py src/app.py"),
    Gate(name="c", command="mypy --config-file ci/mypy.cfg src/app.py"),
    Gate(name="d", command="./run.sh"),
    Gate(name="e", command="pytest -c ci/own.ini tests/test_a.py"),
    Gate(name="f", command="./check.sh && echo done", cwd="web", shell=True),
]
GATE_FILES = ["Makefile", "scripts/lint.py", "ci/mypy.cfg", "run.sh", "ci/own.ini", "web/check.sh"]


def test_files_that_gate_commands_run_or_read_are_gate_configuration() -> None:
    tracked = [*GATE_FILES, "src/app.py", "tests/test_a.py", "README.md"]
    assert sorted(guards.gate_configuration(GATES, tracked)) == sorted(GATE_FILES)


def test_a_gate_script_is_protected_unless_the_task_owns_it_by_name() -> None:
    blobs = Blobs()
    config = Config(gates=GATES)
    change = blobs.change("run.sh", b"exit 0\n", b"make test\n")
    assert rules(run(task(), blobs, change, tracked=GATE_FILES, config=config)["protected"]) == ["config"]
    assert rules(run(task("*.sh"), blobs, change, tracked=GATE_FILES, config=config)["protected"]) == ["config"]
    owned = run(task("run.sh"), blobs, change, tracked=GATE_FILES, config=config)["protected"]
    assert owned.verdict is Verdict.PASSED


SECRET = b"key = '" + b"AK" + b"IA" + b"ABCDEFGHIJKLMNOP'\n"


def test_a_secret_in_an_added_file_fails_and_is_not_repeated() -> None:
    result = added("src/a.py", b"a = 1\n" + SECRET)["secrets"]
    assert [(f.rule, f.path, f.line) for f in result.findings] == [("aws-access-key", "src/a.py", 2)]
    assert "ABCDEFGHIJKLMNOP" not in repr(result)


def test_what_was_there_before_is_not_this_tasks() -> None:
    blobs = Blobs()
    unchanged = run(task(), blobs, blobs.change("a.py", b"b = 2\n\n" + SECRET, SECRET))["secrets"]
    assert unchanged.verdict is Verdict.PASSED
    another = SECRET.replace(b"ABC", b"XYZ")
    assert rules(run(task(), blobs, blobs.change("a.py", SECRET + another, SECRET))["secrets"]) == ["aws-access-key"]


def test_secrets_are_found_in_names_link_targets_and_known_values() -> None:
    assert rules(added(".env")["secrets"]) == ["forbidden-name"]
    token = "gh" + "p_" + "a1" * 18
    named = added(f"notes/{token}.md")["secrets"]
    assert named.verdict is Verdict.FAILED and token not in repr(named)
    blobs = Blobs()
    link = blobs.change("link", token.encode(), mode="120000")
    assert rules(run(task(), blobs, link)["secrets"]) == ["github-token"]
    known = added("a.txt", b"cmVhbC1kYWVtb24tc2VjcmV0", known_secrets=["real-daemon-secret"])["secrets"]
    assert rules(known) == ["known-value"]


def test_removing_a_secret_passes() -> None:
    blobs = Blobs()
    results = run(task(), blobs, blobs.change(".env", None, SECRET), blobs.change("a.py", b"a\n", SECRET))
    assert results["secrets"].verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("a\nb.py", "control-character"),
        ("a\x1b[31m.py", "control-character"),
        ("a\u202eyp.exe", "control-character"),
        (".GIT/config", "reserved-name"),
        ("sub/.git/hooks/pre-commit", "reserved-name"),
        (".git /config", "reserved-name"),
        ("git~1", "reserved-name"),
        ("x/GIT~1/config", "reserved-name"),
        (".g\u200cit/config", "reserved-name"),
        (".gitmodules", "submodule"),
        ("../up", "reserved-name"),
    ],
)
def test_names_that_harm_a_checkout_are_refused(path: str, rule: str) -> None:
    result = added(path)["diff-policy"]
    assert rule in rules(result)
    assert not any(sign in finding.path for finding in result.findings for sign in "\n\x1b\u202e")


@pytest.mark.parametrize(
    "path", [".github/x.yml", ".gitignore", "src/gitty.py", "git.py", "a b.txt", "ä/ö.md", "aux.c"]
)
def test_ordinary_names_pass(path: str) -> None:
    assert added(path)["diff-policy"].verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("path", "target", "fine"),
    [
        ("a/link", b"../b", True),
        ("link", b"dir/file", True),
        ("link", b"../outside", False),
        ("a/link", b"../../outside", False),
        ("link", b"/etc/passwd", False),
        ("a/link", b"../.git/config", False),
        ("a/b/link", b"../../c/../../x", False),
        ("link", b".", True),
    ],
)
def test_links_stay_in_the_tree(path: str, target: bytes, fine: bool) -> None:
    blobs = Blobs()
    result = run(task(), blobs, blobs.change(path, target, mode="120000"))["diff-policy"]
    assert rules(result) == ([] if fine else ["symlink"])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n", ["conflict-marker"]),
        (b"<<<<<<< HEAD\r\nb\r\n=======\r\nc\r\n>>>>>>> other\r\n", ["conflict-marker"]),
        (b"Title\n=======\n\n>>>>>>> quoted\n", []),
        (b"see `<<<<<<< HEAD`, ======= and `>>>>>>> x`\n", []),
        ("access = 'user\u202e\u2066// admin\u2069'\n".encode(), ["control-character"]),
        ("שלום \u200f עולם\n".encode(), []),
        (b"\x7fELF\0<<<<<<< HEAD\n=======\n>>>>>>> x\n", []),
    ],
)
def test_texts_that_were_left_in_conflict_or_read_otherwise_than_they_are(content: bytes, found: list[str]) -> None:
    assert rules(added("notes.md", content)["diff-policy"]) == found


def test_a_conflict_that_stood_there_before_is_not_this_changes() -> None:
    blobs, content = Blobs(), b"<<<<<<< a\n=======\n>>>>>>> b\n"
    change = blobs.change("notes.md", content + b"more\n", content)
    assert run(task(), blobs, change)["diff-policy"].verdict is Verdict.PASSED


def test_gitlinks_large_files_and_too_many_files_are_refused() -> None:
    blobs = Blobs()
    gitlink = Change("A", "dep", "0", "160000", NONE, "a" * 40)
    assert rules(run(task(), blobs, gitlink)["diff-policy"]) == ["submodule"]
    small = Config(guards=Guards(max_file_mb=0.001))
    assert rules(added("a.bin", b"x" * 1001, config=small)["diff-policy"]) == ["large-file"]
    assert added("a.bin", b"x" * 999, config=small)["diff-policy"].verdict is Verdict.PASSED
    many = [blobs.change(f"f{n}", b"") for n in range(2_001)]
    assert rules(run(task(), blobs, *many)["diff-policy"]) == ["too-many-files"]


@pytest.mark.parametrize(
    ("path", "tracked", "collides"),
    [
        ("src/A.py", ["src/a.py"], True),
        ("Src/b.py", ["src/a.py"], True),
        ("cafe\u0301.txt", ["caf\u00e9.txt"], True),
        ("src/b.py", ["src/a.py"], False),
        ("new/x.py", ["Old/x.py", "old/y.py"], False),
    ],
)
def test_names_that_differ_only_in_case_or_unicode_form_collide(path: str, tracked: list[str], collides: bool) -> None:
    assert rules(added(path, tracked=tracked)["diff-policy"]) == (["case-collision"] if collides else [])


def test_a_rename_that_changes_only_case_is_fine() -> None:
    blobs = Blobs()
    changes = [blobs.change("readme.md", b"x"), blobs.change("README.md", None, b"x")]
    assert run(task(), blobs, *changes, tracked=["README.md"])["diff-policy"].verdict is Verdict.PASSED


def test_a_blob_that_can_not_be_read_blocks() -> None:
    def refuse(blob: str) -> bytes:
        raise RalphError("larger than 20000000 bytes")

    change = Change("A", "pyproject.toml", "0", "100644", NONE, "b" * 40)
    results = guards.check(task(), [change], read_blob=refuse, tracked=[], config=Config())
    verdicts = {result.name: result.verdict for result in results}
    assert verdicts == {
        "scope": Verdict.PASSED,
        "protected": Verdict.NOT_RUN,
        "secrets": Verdict.FAILED,
        "diff-policy": Verdict.FAILED,
        "tampering": Verdict.NOT_RUN,
    }
    assert Finding("unreadable", "", "larger than 20000000 bytes") in results[1].findings


PATHS = st.lists(
    st.sampled_from(["src", "Src", ".git", "..", "a.py", ".env", "AGENTS.md", "x\n"]), min_size=1, max_size=3
)


@given(st.lists(PATHS.map("/".join), max_size=5, unique=True), st.sampled_from([("src/",), ()]))
def test_findings_and_verdict_agree_for_any_paths(paths: list[str], files: tuple[str, ...]) -> None:
    blobs = Blobs()
    for result in run(task(*files), blobs, *(blobs.change(path, b"x") for path in paths)).values():
        assert (result.verdict is Verdict.FAILED) == bool(result.findings)


def test_two_thousand_changes_are_quick() -> None:
    blobs = Blobs()
    changes = [blobs.change(f"src/p{n % 50}/m{n}.py", b"value = 1\n" * 200) for n in range(2_000)]
    results = run(task("src/**"), blobs, *changes, tracked=[f"lib/m{n}.py" for n in range(5_000)])
    assert all(result.verdict is Verdict.PASSED for result in results.values())
