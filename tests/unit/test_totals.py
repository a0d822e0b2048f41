"""What a night did to a code base, from its changed files."""

from __future__ import annotations

import pytest

from ralph.verify.totals import FileChange, dependencies, duplicates, interface, measure

BLOCK = "".join(f"value_{n} = compute({n})\n" for n in range(8))
PYTHON = "def f(x: int) -> int: ...\nclass C(B):\n    def m(self): ...\n    def _p(self): ...\ndef _q(): ...\n"
TANGLED = "def f(x):\n" + "".join(f"    if x == {n}:\n        return {n}\n" for n in range(12)) + "    return 0\n"


def change(path: str, old: str | None, new: str | None, *tasks: str, test: bool = False) -> FileChange:
    sides = [text.encode() if text is not None else None for text in (old, new)]
    return FileChange(path, sides[0], sides[1], tasks, test)


def test_lines_and_files_are_summed() -> None:
    found = measure(
        [change("a.py", "x = 1\n", "x = 2\ny = 3\n"), change("tests/test_a.py", None, "z = 1\n", test=True)]
    )
    assert (found.files, found.lines_added, found.lines_removed, found.test_lines) == (2, 3, 1, 1)


def test_a_function_that_became_complex_is_a_place_to_look_at() -> None:
    found = measure([change("a.py", "def f(x):\n    return x\n", TANGLED, "t1")])
    assert found.complexity == 12
    assert found.complex_functions == ("a.py:1 f( x ) (13)",)
    assert [(spot.path, spot.tasks) for spot in found.spots] == [("a.py", ("t1",))]


def test_complexity_that_was_there_is_no_news() -> None:
    assert measure([change("a.py", TANGLED, TANGLED + "\nx = 1\n")]).complex_functions == ()


def test_a_copy_is_found_once_and_only_where_it_is_new() -> None:
    found = measure([change("a.py", BLOCK, BLOCK), change("b.py", None, "first = 1\n" + BLOCK)])
    assert found.duplicates == ("b.py:2",)
    assert duplicates.added([("a.py", BLOCK), ("b.py", BLOCK)], [("a.py", BLOCK), ("b.py", BLOCK)]) == []


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("pyproject.toml", '[project]\ndependencies = ["Foo_bar>=1", "baz[x]"]\n', {"foo-bar", "baz"}),
        ("pyproject.toml", "[tool.poetry.dependencies]\npython = '3'\nx = '1'\n", {"x"}),
        ("requirements-dev.txt", "# no\n-r other.txt\nfoo==1\n", {"foo"}),
        ("package.json", '{"dependencies": {"a": "1"}, "devDependencies": {"b": "2"}}', {"a", "b"}),
        (
            "go.mod",
            "module m\nrequire github.com/a/b v1.0.0\nrequire (\n\tgolang.org/x/c v0.1.0\n)\n",
            {"github.com/a/b", "golang.org/x/c"},
        ),
        ("Cargo.toml", "[dependencies]\nserde = '1'\n", {"serde"}),
        ("pom.xml", "<dependency><groupId>g</groupId><artifactId>a</artifactId></dependency>", {"g:a"}),
        ("build.gradle", "implementation 'g:a:1.0'\n", {"g:a"}),
        ("pyproject.toml", "not toml [", set()),
        ("notes.txt", "foo==1", set()),
    ],
)
def test_dependencies_of_a_manifest(path: str, text: str, names: set[str]) -> None:
    assert dependencies.of(path, text.encode()) == names
    found = measure([change(path, "", text)])
    assert set(found.dependencies) == names


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("a.py", PYTHON, {"f": "(x: int) -> int", "C": "B", "C.m": "(self)"}),
        (
            "a.ts",
            "export function f(x: number) {}\nfunction g() {}\nexport class C {}\n",
            {"f": "(x: number)", "C": ""},
        ),
        (
            "a.go",
            "package a\nfunc F(x int) int { return x }\nfunc g() {}\ntype T struct {}\n",
            {"F": "(x int)", "T": ""},
        ),
        ("a.rs", "pub fn f(x: i32) -> i32 { x }\nfn g() {}\n", {"f": "(x: i32)"}),
        (
            "A.java",
            "public class A {\n  public int f(int x) { return x; }\n  int g() { return 1; }\n}\n",
            {"A": "", "f": "(int x)"},
        ),
        ("a.txt", "def f(): ...", {}),
    ],
)
def test_public_names(path: str, text: str, names: dict[str, str]) -> None:
    assert interface.of(path, text.encode()) == names


def test_a_changed_signature_and_a_lost_name_are_named() -> None:
    found = measure([change("a.py", "def f(x): ...\ndef g(): ...\n", "def f(x, y): ...\ndef h(): ...\n", "t")])
    assert found.interface_changed == ("a.py: f has another signature", "a.py: g is gone")
    assert found.interface_added == 1


def test_security_and_infrastructure_come_first() -> None:
    changes = [
        change("src/auth/login.py", "a = 1\n", "a = 2\n", "t1"),
        change(".github/workflows/ci.yml", None, "on: push\n"),
    ]
    found = measure([change("z.py", "def f(): ...\n", ""), *changes])
    assert [spot.why for spot in found.spots] == ["touches security", "touches infrastructure", "public f is gone"]
    assert (found.security, found.infrastructure) == (("src/auth/login.py",), (".github/workflows/ci.yml",))
