"""JavaScript and TypeScript: the scripts of package.json, vitest or jest, tsc, eslint or biome."""

from __future__ import annotations

from typing import Any

from ralph.verify.detect.project import Found, Project
from ralph.verify.runners import recognise

_INSTALL = {
    "pnpm-lock.yaml": ("pnpm", "pnpm install --frozen-lockfile"),
    "yarn.lock": ("yarn", "yarn install --frozen-lockfile"),
    "bun.lock": ("bun", "bun install --frozen-lockfile"),
    "bun.lockb": ("bun", "bun install --frozen-lockfile"),
    "package-lock.json": ("npm", "npm ci"),
    "npm-shrinkwrap.json": ("npm", "npm ci"),
}


def detect(project: Project, found: Found) -> None:
    if not project.has("package.json"):
        return
    package = project.json("package.json")
    uses = {**_table(package, "dependencies"), **_table(package, "devDependencies")}
    found.language("typescript" if project.has("tsconfig.json") else "javascript")
    lock = next((name for name in _INSTALL if project.has(name)), "")
    manager, install = _INSTALL.get(lock, ("npm", "npm install"))
    if uses:
        found.kept(project, "node_modules", install, [lock, "package.json"] if lock else ["package.json"])
    scripts = {str(name): str(value) for name, value in _table(package, "scripts").items()}
    _lint(project, found, uses, scripts, manager)
    _types(project, found, uses, scripts, manager)
    _tests(project, found, uses, scripts, manager)


def _table(package: dict[str, Any], name: str) -> dict[str, Any]:
    table = package.get(name)
    return table if isinstance(table, dict) else {}


def _tests(project: Project, found: Found, uses: dict[str, Any], scripts: dict[str, str], manager: str) -> None:
    script = scripts.get("test", "")
    if "no test specified" in script:
        script = ""
    runner = recognise(script)
    known = runner.runner.name if runner else ""
    if known == "vitest" or (not script and "vitest" in uses):
        found.gate(project, "tests", project.at("node_modules/.bin/vitest") + " run", "tests")
    elif not script and "jest" in uses:
        found.gate(project, "tests", project.at("node_modules/.bin/jest"), "tests")
    elif script:
        found.gate(project, "tests", f"{manager} test" if manager != "bun" else "bun run test", "tests")
    elif project.files("*.test.js", "test/*.test.js", "*.test.mjs", "test/*.js", "tests/*.test.js"):
        found.gate(project, "tests", "node --test", "tests")


def _types(project: Project, found: Found, uses: dict[str, Any], scripts: dict[str, str], manager: str) -> None:
    if project.has("tsconfig.json") and "typescript" in uses:
        found.gate(project, "types", project.at("node_modules/.bin/tsc") + " --noEmit", "types", cost="cheap")
        return
    if name := next((name for name in ("typecheck", "type-check", "check-types") if name in scripts), ""):
        found.gate(project, "types", f"{manager} run {name}", "types", cost="cheap")


def _lint(project: Project, found: Found, uses: dict[str, Any], scripts: dict[str, str], manager: str) -> None:
    if "lint" in scripts:
        found.gate(project, "lint", f"{manager} run lint", "lint", cost="cheap")
    elif "eslint" in uses and project.has("eslint.config.*", ".eslintrc*"):
        found.gate(project, "lint", project.at("node_modules/.bin/eslint") + " .", "lint", cost="cheap")
    elif "@biomejs/biome" in uses:
        found.gate(project, "lint", project.at("node_modules/.bin/biome") + " ci .", "lint", cost="cheap")
