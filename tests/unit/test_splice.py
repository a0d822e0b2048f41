"""Tests inside a Rust source, taken from one version and put into the other."""

from __future__ import annotations

from ralph.verify.proof.splice import inner_tests, splice
from ralph.verify.proof.stubs import stub
from ralph.verify.proof.touched import belongs

OLD = b"""pub fn half(a: i32) -> i32 { a / 2 }

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn it_halves() { assert_eq!(half(4), 2); }
}
"""
NEW = OLD.replace(b"a / 2", b"a / 2 + a % 2").replace(
    b"half(4), 2); }", b"half(4), 2); }\n    #[test]\n    fn up() { assert_eq!(half(3), 2); }"
)


def test_the_tests_of_a_source_are_its_test_modules() -> None:
    found = inner_tests(NEW, "src/lib.rs")
    assert (
        found and found.startswith(b"#[cfg(test)]\nmod tests {") and b"fn up()" in found and b"pub fn half" not in found
    )
    assert inner_tests(b"fn f() {}\n", "src/lib.rs") == b""
    assert inner_tests(b"fn f( {", "src/lib.rs") is None
    assert inner_tests(b"def f(): ...", "a.py") is None
    assert inner_tests(None, "src/lib.rs") is None


def test_new_tests_on_the_old_source() -> None:
    tests = inner_tests(NEW, "src/lib.rs")
    made = splice(OLD, tests or b"")
    assert made and made.count(b"mod tests") == 1
    assert b"{ a / 2 }" in made and b"fn up()" in made


def test_a_stub_leaves_the_tests_inside_alone() -> None:
    added = NEW.replace(b"#[cfg(test)]", b"pub fn double(a: i32) -> i32 { a * 2 }\n\n#[cfg(test)]")
    made = stub(OLD, added, "src/lib.rs")
    assert made and made.count(b"unimplemented!()") == 1
    assert made.index(b"unimplemented!()") < made.index(b"mod tests")
    assert stub(OLD, NEW, "src/lib.rs") is None


def test_the_ids_of_a_crate_belong_to_its_sources() -> None:
    assert belongs("src/lib.rs::shapes::tests::area", "src/shapes.rs")
    assert belongs("src/main.rs::tests::x", "crates/one/src/main.rs")
    assert not belongs("tests/all.rs::x", "src/lib.rs")
    assert belongs("tests/all.rs::x", "tests/all.rs")
