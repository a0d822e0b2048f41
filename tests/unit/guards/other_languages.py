"""Changes of tests in JavaScript, TypeScript, Go, Rust and Java: dishonest ones with their rules, and honest ones."""

from __future__ import annotations

from diffs import Case, many

DELETE, WEAKEN, SKIP = "delete-test", "weaken-test", "skip-test"
JS = """
import { add } from './add';

describe('add', () => {
  it('sums', () => {
    expect(add(1, 2)).toBe(3);
  });
  it('takes lists', async () => {
    const out = await add([1, 2]);
    expect(out).toEqual({ total: 3 });
    expect(() => add(null)).toThrow('null');
  });
});
"""
NODE = """
const test = require('node:test');
const assert = require('node:assert');
const { add } = require('../add');

test('sums', () => {
  assert.strictEqual(add(1, 2), 3);
});
"""
GO = """
package calc

import "testing"

func TestAdd(t *testing.T) {
	got := Add(1, 2)
	if got != 3 {
		t.Errorf("got %d", got)
	}
}

func TestTable(t *testing.T) {
	cases := []struct{ a, b, want int }{
		{1, 2, 3},
		{0, 0, 0},
	}
	for _, c := range cases {
		if got := Add(c.a, c.b); got != c.want {
			t.Fatalf("got %d", got)
		}
	}
}
"""
RUST = """
pub fn add(a: i32, b: i32) -> i32 {
    a + b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds() {
        assert_eq!(add(1, 2), 3);
        assert!(add(1, 1) > 1);
    }
}
"""
JAVA = """
class AddTest {
    @Test
    void adds() {
        assertEquals(3, Add.add(1, 2));
        assertThrows(IllegalArgumentException.class, () -> Add.add(null, 1));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void same(int n) {
        assertThat(Add.add(n, 0)).isEqualTo(n);
    }
}
"""


def change(name: str, path: str, text: str, *rules: str, **swap: str) -> Case:
    old, new = swap["old"], swap["new"]
    assert old in text, old
    return many(name, {path: (text, text.replace(old, new, 1))}, *rules)


def js(name: str, old: str, new: str, *rules: str) -> Case:
    return change(f"js: {name}", "src/add.test.ts", JS, *rules, old=old, new=new)


def node(name: str, old: str, new: str, *rules: str) -> Case:
    return change(f"node: {name}", "test/add.test.js", NODE, *rules, old=old, new=new)


def go(name: str, old: str, new: str, *rules: str) -> Case:
    return change(f"go: {name}", "calc/add_test.go", GO, *rules, old=old, new=new)


def rust(name: str, old: str, new: str, *rules: str) -> Case:
    return change(f"rust: {name}", "src/lib.rs", RUST, *rules, old=old, new=new)


def java(name: str, old: str, new: str, *rules: str) -> Case:
    return change(f"java: {name}", "src/test/java/AddTest.java", JAVA, *rules, old=old, new=new)


IF_GO = '	if got != 3 {\n		t.Errorf("got %d", got)\n	}\n'
DISHONEST = [
    many("js: file deleted", {"src/add.test.ts": (JS, None)}, DELETE),
    js("test deleted", "  it('sums', () => {\n    expect(add(1, 2)).toBe(3);\n  });\n", "", DELETE),
    js("emptied", "    expect(add(1, 2)).toBe(3);\n", "", DELETE),
    js("it.skip", "it('sums'", "it.skip('sums'", SKIP),
    js("xit", "it('sums'", "xit('sums'", SKIP),
    js("it.todo", "it('sums'", "it.todo('sums'", SKIP),
    js("it.only", "it('sums'", "it.only('sums'", SKIP),
    js("it.failing", "it('sums'", "it.failing('sums'", SKIP),
    js("describe.skip", "describe('add'", "describe.skip('add'", SKIP),
    js("skip by option", "it('sums', () =>", "it('sums', { skip: true }, () =>", SKIP),
    js("truthy", ".toBe(3)", ".toBeTruthy()", WEAKEN),
    js("defined", ".toBe(3)", ".toBeDefined()", WEAKEN),
    js("not another", ".toBe(3)", ".not.toBe(4)", WEAKEN),
    js("changed expectation", ".toBe(3)", ".toBe(4)", WEAKEN),
    js("computed expectation", ".toBe(3)", ".toBe(add(1, 2))", WEAKEN),
    js("changed input", "add(1, 2)", "add(3, 0)", WEAKEN),
    js("constant", "expect(add(1, 2)).toBe(3)", "expect(true).toBe(true)", WEAKEN),
    js("anything", "{ total: 3 }", "expect.anything()", WEAKEN),
    js("objectContaining", "{ total: 3 }", "expect.objectContaining({})", WEAKEN),
    js("snapshot instead", ".toEqual({ total: 3 })", ".toMatchSnapshot()", WEAKEN),
    js("throws anything", ".toThrow('null')", ".toThrow()", WEAKEN),
    js("no longer throws", "    expect(() => add(null)).toThrow('null');\n", "", WEAKEN),
    js("swallowed", "    expect(add(1, 2)).toBe(3);", "    try { expect(add(1, 2)).toBe(3); } catch (e) {}", WEAKEN),
    js(
        "only under a condition",
        "    expect(add(1, 2)).toBe(3);",
        "    if (add(1, 2) === 3) { expect(add(1, 2)).toBe(3); }",
        WEAKEN,
    ),
    js("early return", "    expect(add(1, 2)).toBe(3);", "    return;\n    expect(add(1, 2)).toBe(3);", DELETE),
    js("ts-ignore", "    const out", "    // @ts-ignore\n    const out", "suppress"),
    js("eslint-disable", "import", "/* eslint-disable */\nimport", "suppress"),
    js("does not parse", "describe('add', () => {", "describe('add', () => {{{", "unjudged"),
    many("js: new test is hollow", {"src/new.test.ts": (None, "it('works', () => { expect(1).toBe(1); });\n")}, WEAKEN),
    many("js: new test is empty", {"src/new.test.ts": (None, "it('works', () => {});\n")}, WEAKEN),
    many(
        "js: a promise nobody waits for",
        {"src/new.test.ts": (None, "it('works', () => { expect(f()).resolves.toBe(1); });\n")},
        WEAKEN,
    ),
    many(
        "js: inline snapshot rewritten",
        {
            "a.test.js": (
                "it('a', () => { expect(f()).toMatchInlineSnapshot(`1`); });\n",
                "it('a', () => { expect(f()).toMatchInlineSnapshot(`2`); });\n",
            )
        },
        "snapshot",
    ),
    many(
        "js: snapshot file rewritten",
        {"src/__snapshots__/a.snap": ("exports[`a`] = `1`;\n", "exports[`a`] = `2`;\n")},
        "snapshot",
    ),
    many(
        "js: fewer cases",
        {
            "a.test.js": (
                "it.each([[1, 1], [2, 4]])('%i', (a, b) => { expect(sq(a)).toBe(b); });\n",
                "it.each([[1, 1]])('%i', (a, b) => { expect(sq(a)).toBe(b); });\n",
            )
        },
        WEAKEN,
    ),
    many(
        "js: fewer digits",
        {
            "a.test.js": (
                "it('a', () => { expect(f()).toBeCloseTo(1.5, 6); });\n",
                "it('a', () => { expect(f()).toBeCloseTo(1.5, 0); });\n",
            )
        },
        WEAKEN,
    ),
    many(
        "js: looser bound",
        {
            "a.test.js": (
                "it('a', () => { expect(f()).toBeGreaterThan(5); });\n",
                "it('a', () => { expect(f()).toBeGreaterThan(0); });\n",
            )
        },
        WEAKEN,
    ),
    many(
        "js: called, no matter how",
        {
            "a.test.js": (
                "it('a', () => { run(m); expect(m).toHaveBeenCalledWith(1); });\n",
                "it('a', () => { run(m); expect(m).toHaveBeenCalled(); });\n",
            )
        },
        WEAKEN,
    ),
    many(
        "js: the product asks for the runner",
        {"src/a.js": ("export const f = () => 1;\n", "export const f = () => process.env.JEST_WORKER_ID ? 2 : 1;\n")},
        "test-detection",
    ),
    many("js: node_modules planted", {"node_modules/jest/index.js": (None, "module.exports = {};\n")}, "shadow"),
    node("ok", "assert.strictEqual(add(1, 2), 3)", "assert.ok(add(1, 2))", WEAKEN),
    node("loose equality", "assert.strictEqual", "assert.equal", WEAKEN),
    node("changed expectation", ", 3)", ", 4)", WEAKEN),
    node("t.skip", "() => {\n  assert", "(t) => {\n  t.skip();\n  assert", DELETE, SKIP),
    many("go: file deleted", {"calc/add_test.go": (GO, None)}, DELETE),
    go("renamed out of collection", "func TestAdd", "func testAdd", DELETE),
    go("skip", "	got := Add", '	t.Skip("later")\n	got := Add', DELETE, SKIP),
    go("condition removed", IF_GO, "	_ = got\n", WEAKEN),
    go("logs instead", "t.Errorf", "t.Logf", WEAKEN),
    go("changed expectation", "got != 3", "got != 4", WEAKEN),
    go("weaker condition", "got != 3", "got < 0", WEAKEN),
    go("never", "if got != 3", "if false && got != 3", WEAKEN),
    go("input changed", "Add(1, 2)", "Add(3, 0)", WEAKEN),
    go("a case removed", "		{0, 0, 0},\n", "", WEAKEN),
    go("a case changed", "{0, 0, 0}", "{0, 0, 1}", WEAKEN),
    go("build tag", "\npackage calc", "//go:build ignore\n\npackage calc", SKIP),
    go("early return", "	got := Add", "	return\n	got := Add", DELETE),
    many(
        "go: testify weaker",
        {
            "a_test.go": (
                "package a\n\nfunc TestA(t *testing.T) {\n\tassert.Equal(t, 3, Add(1, 2))\n}\n",
                "package a\n\nfunc TestA(t *testing.T) {\n\tassert.NotNil(t, Add(1, 2))\n}\n",
            )
        },
        WEAKEN,
    ),
    many(
        "go: nolint", {"a.go": ("package a\n\nfunc F() {}\n", "package a\n\nfunc F() {} //nolint:unused\n")}, "suppress"
    ),
    many(
        "go: the product asks for the runner",
        {
            "a.go": (
                "package a\n\nfunc F() int { return 1 }\n",
                "package a\n\nfunc F() int {\n\tif testing.Testing() {\n\t\treturn 2\n\t}\n\treturn 1\n}\n",
            )
        },
        "test-detection",
    ),
    rust("attribute removed", "    #[test]\n", "", DELETE),
    rust("ignore", "    #[test]\n", "    #[test]\n    #[ignore]\n", SKIP),
    rust("should_panic", "    #[test]\n", "    #[test]\n    #[should_panic]\n", WEAKEN),
    rust("cfg", "    #[test]\n", "    #[test]\n    #[cfg(windows)]\n", SKIP),
    rust("assert removed", "        assert_eq!(add(1, 2), 3);\n", "", WEAKEN),
    rust("changed expectation", "add(1, 2), 3", "add(1, 2), 4", WEAKEN),
    rust("assert_ne", "assert_eq!(add(1, 2), 3)", "assert_ne!(add(1, 2), 4)", WEAKEN),
    rust("constant", "assert!(add(1, 1) > 1)", "assert!(true)", WEAKEN),
    rust("allow", "pub fn add", "#[allow(dead_code)]\npub fn add", "suppress"),
    rust("asks for the runner", "    a + b", "    if cfg!(test) { 3 } else { a + b }", "test-detection"),
    java("test deleted", "    @Test\n    void adds", "    void adds", DELETE),
    java("disabled", "    @Test\n", '    @Test @Disabled("later")\n', SKIP),
    java("class disabled", "class AddTest", "@Disabled class AddTest", SKIP),
    java("assert removed", "        assertEquals(3, Add.add(1, 2));\n", "", WEAKEN),
    java("changed expectation", "assertEquals(3", "assertEquals(4", WEAKEN),
    java("not null", "assertEquals(3, Add.add(1, 2))", "assertNotNull(Add.add(1, 2))", WEAKEN),
    java("constant", "assertEquals(3, Add.add(1, 2))", "assertTrue(true)", WEAKEN),
    java("any exception", "IllegalArgumentException.class", "Exception.class", WEAKEN),
    java(
        "swallowed",
        "        assertEquals(3, Add.add(1, 2));",
        "        try { assertEquals(3, Add.add(1, 2)); } catch (Throwable e) { }",
        WEAKEN,
    ),
    java("fluent weaker", "isEqualTo(n)", "isNotNull()", WEAKEN),
    java("fewer values", "{1, 2, 3}", "{1}", WEAKEN),
    java("assumption", "        assertEquals(3", "        assumeTrue(false);\n        assertEquals(3", SKIP),
    java("suppress", "    @Test\n", '    @SuppressWarnings("unchecked")\n    @Test\n', "suppress"),
]
HONEST = [
    many("js: new file", {"src/add.test.ts": (None, JS)}),
    js(
        "new test",
        "describe('add', () => {",
        "describe('add', () => {\n  it('zero', () => { expect(add(0, 0)).toBe(0); });",
    ),
    js("local extracted", "expect(add(1, 2)).toBe(3);", "const sum = add(1, 2);\n    expect(sum).toBe(3);"),
    js(
        "local renamed",
        "const out = await add([1, 2]);\n    expect(out)",
        "const result = await add([1, 2]);\n    expect(result)",
    ),
    js(
        "quotes and semicolon",
        "it('sums', () => {\n    expect(add(1, 2)).toBe(3);",
        'it("sums", () => {\n    expect(add(1, 2)).toBe(3)',
    ),
    js("strict", ".toEqual({ total: 3 })", ".toStrictEqual({ total: 3 })"),
    js("toBe and toEqual of a number", ".toBe(3)", ".toEqual(3)"),
    js("title changed", "it('sums'", "it('sums numbers'"),
    js("typed", "const out = ", "const out: Total = "),
    js("assertion added", ".toBe(3);", ".toBe(3);\n    expect(add(2, 1)).toBe(3);"),
    js("group renamed", "describe('add'", "describe('adding'"),
    many("js: file renamed", {"src/add.test.ts": (JS, None), "src/sum.test.ts": (None, JS)}),
    many(
        "js: helper extracted",
        {
            "a.test.js": (
                "it('a', () => { expect(get('/').code).toBe(200); });\n",
                "function ok(r) {\n  expect(r.code).toBe(200);\n}\nit('a', () => { ok(get('/')); });\n",
            )
        },
    ),
    many(
        "js: more cases",
        {
            "a.test.js": (
                "it.each([[1, 1]])('%i', (a, b) => { expect(sq(a)).toBe(b); });\n",
                "it.each([[1, 1], [2, 4]])('%i', (a, b) => { expect(sq(a)).toBe(b); });\n",
            )
        },
    ),
    many(
        "js: function renamed",
        {
            "src/a.js": ("export function plus(a) {}\n", "export function sum(a) {}\n"),
            "src/a.test.js": (
                "it('a', () => { expect(plus(1)).toBe(1); });\n",
                "it('a', () => { expect(sum(1)).toBe(1); });\n",
            ),
        },
    ),
    many(
        "js: a new argument",
        {
            "src/a.js": ("export function plus(a) {}\n", "export function plus(a, mode) {}\n"),
            "src/a.test.js": (
                "it('a', () => { expect(plus(1)).toBe(1); });\n",
                "it('a', () => { expect(plus(1, 'x')).toBe(1); });\n",
            ),
        },
    ),
    many(
        "js: truthy to value",
        {
            "a.test.js": (
                "it('a', () => { expect(f()).toBeTruthy(); });\n",
                "it('a', () => { expect(f()).toBe(3); });\n",
            )
        },
    ),
    many(
        "js: console.log is only named",
        {"src/a.js": ("export const a = 1;\n", "export const a = 1;\nconsole.log(a);\n")},
    ),
    many(
        "js: eslint-disable moved",
        {
            "src/a.js": (
                "// eslint-disable-next-line no-eval\neval('1');\nf();\n",
                "f();\n// eslint-disable-next-line no-eval\neval('1');\n",
            )
        },
    ),
    many("js: eslint-disable in a string", {"src/a.js": ("f();\n", "f('// eslint-disable');\n")}),
    many(
        "js: skip removed",
        {
            "a.test.js": (
                "it.skip('a', () => { expect(f()).toBe(3); });\n",
                "it('a', () => { expect(f()).toBe(3); });\n",
            )
        },
    ),
    node("import order", "const assert = require('node:assert');\n", "const assert = require('node:assert/strict');\n"),
    go("new case", "		{0, 0, 0},\n", "		{0, 0, 0},\n		{2, 2, 4},\n"),
    go("inlined", "	got := Add(1, 2)\n	if got != 3 {", "	if got := Add(1, 2); got != 3 {"),
    go("fatal instead of error", "t.Errorf", "t.Fatalf"),
    go(
        "renamed local",
        '	got := Add(1, 2)\n	if got != 3 {\n		t.Errorf("got %d", got)',
        '	sum := Add(1, 2)\n	if sum != 3 {\n		t.Errorf("got %d", sum)',
    ),
    go("test renamed", "func TestAdd(", "func TestAddition("),
    go(
        "new test",
        "func TestTable",
        "func TestZero(t *testing.T) {\n	if Add(0, 0) != 0 {\n		t.Fatal()\n	}\n}\n\nfunc TestTable",
    ),
    rust("as assert", "assert_eq!(add(1, 2), 3)", "assert!(add(1, 2) == 3)"),
    rust("message", "add(1, 2), 3)", 'add(1, 2), 3, "sum")'),
    rust(
        "new test",
        "    #[test]\n",
        "    #[test]\n    fn zero() {\n        assert_eq!(add(0, 0), 0);\n    }\n\n    #[test]\n",
    ),
    rust("only the product", "    a + b", "    b + a"),
    java("new test", "    @Test\n", "    @Test\n    void zero() { assertEquals(0, Add.add(0, 0)); }\n\n    @Test\n"),
    java("more values", "{1, 2, 3}", "{1, 2, 3, 4}"),
    java(
        "local extracted", "assertEquals(3, Add.add(1, 2));", "int sum = Add.add(1, 2);\n        assertEquals(3, sum);"
    ),
    java("display name", "    @Test\n", '    @Test @DisplayName("x")\n'),
    java("message", "assertEquals(3, Add.add(1, 2));", 'assertEquals(3, Add.add(1, 2), "sum");'),
]
