"""Rust, Go and Java: their build tools are their test runners."""

from __future__ import annotations

from ralph.verify.detect.project import Found, Project


def rust(project: Project, found: Found) -> None:
    if not project.has("Cargo.toml"):
        return
    found.language("rust")
    found.gate(project, "format", "cargo fmt --check", "lint", cost="cheap")
    found.gate(project, "clippy", "cargo clippy --all-targets -- -D warnings", "lint", writes=True)
    found.gate(project, "tests", "cargo test", "tests")
    if "registry+" in project.text("Cargo.lock") and not project.has("vendor"):
        found.notes.append(
            "gates have no network: run `cargo vendor`, or give the gates network = 'host', so that crates are found"
        )


def go(project: Project, found: Found) -> None:
    if not project.has("go.mod"):
        return
    found.language("go")
    found.gate(project, "format", 'test -z "$(gofmt -l .)"', "lint", cost="cheap", shell=True)
    found.gate(project, "vet", "go vet ./...", "lint", cost="cheap")
    found.gate(project, "tests", "go test ./...", "tests")
    if project.text("go.sum").strip() and not project.has("vendor/modules.txt"):
        found.kept(project, "vendor", "go mod vendor", ["go.mod", "go.sum"])


def java(project: Project, found: Found) -> None:
    if project.has("pom.xml"):
        program = project.at("mvnw") if project.has("mvnw") else "mvn"
        command = f"./{program} -B test" if program != "mvn" else "mvn -B test"
    elif project.has("build.gradle", "build.gradle.kts"):
        program = project.at("gradlew") if project.has("gradlew") else "gradle"
        command = f"./{program} --no-daemon test" if program != "gradle" else "gradle --no-daemon test"
    else:
        return
    found.language("java")
    found.gate(project, "tests", command, "tests", network="host")
    where = (
        "; what ~/.m2/repository lacks can't be stored there: run it once yourself" if project.has("pom.xml") else ""
    )
    found.notes.append(f"`{command}` has network access, to fetch its dependencies{where}")
