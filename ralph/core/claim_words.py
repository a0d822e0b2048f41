"""What may be said of a verdict in one short phrase, from its row: the same words in report, pull request and terminal.

No phrase is stronger than what was executed: a proof is named by the tests that gave it, a strength by its counts, a
review as somebody's word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

DECLARED = "declared by the task: "
"""How the message of a finding begins that a task's ``allow`` let through."""


def words(row: Mapping[str, object]) -> str:
    """The phrase for a proof, a strength, a review or a green run with red tests; empty for any other."""
    if isinstance(proof := row.get("proof"), Mapping):
        return _proof(proof)
    if isinstance(strength := row.get("strength"), Mapping):
        return _strength(strength)
    if isinstance(review := row.get("review"), Mapping):
        return _review(review)
    return _excused(row)


def _excused(row: Mapping[str, object]) -> str:
    """Tests that passed and failed on the same tree, or fail on the base too, are never among those that passed."""
    flaky, counts, beside = _strings(row.get("flaky")), row.get("counts"), row.get("comparison")
    old = _strings(beside.get("still_failing")) if isinstance(beside, Mapping) else []
    parts = [
        f"{len(tests)} {what}: {', '.join(tests[:3])}{', ...' if len(tests) > 3 else ''}"
        for what, tests in (("flaky", flaky), ("red on the base too", [one for one in old if one not in flaky]))
        if tests
    ]
    if not parts or row.get("verdict") != "passed":
        return ""
    passed = [f"{counts.get('passed', 0)} passed"] if isinstance(counts, Mapping) else []
    return ", ".join([*passed, *parts])


def on_base(row: Mapping[str, object]) -> bool:
    """Whether a verdict says how things stand without the change, for others to be compared with."""
    ran = row.get("execution")
    return isinstance(ran, Mapping) and ran.get("purpose") == "base"


def compared(row: Mapping[str, object]) -> str:
    """What the comparison with the base showed, as far as there is something to say and ``words`` does not say it."""
    found = row.get("comparison")
    if not isinstance(found, Mapping):
        return ""
    told = {"still_failing"} if _excused(row) else set()
    keys = [key for key in _COMPARED if key not in told]
    parts = [f"{len(names)} {_COMPARED[key]}" for key in keys if (names := _strings(found.get(key)))]
    parts += ["the run ended early"] if found.get("died") else []
    return ", ".join(parts)


_COMPARED = {
    "newly_failing": "newly failing",
    "absent_to_red": "new and red",
    "vanished": "vanished",
    "newly_skipped": "newly skipped",
    "newly_passing": "newly passing",
    "still_failing": "red on the base too",
}


def declared(row: Mapping[str, object]) -> list[str]:
    """What the row of a guard says was let through because the task declares it, each with its place."""
    notes = [one for one in _rows(row.get("findings")) if str(one.get("message", "")).startswith(DECLARED)]
    return list(dict.fromkeys(f"{place(one)}: {str(one['message']).removeprefix(DECLARED)}" for one in notes))


def named(row: Mapping[str, object]) -> list[str]:
    """What the row of a guard names without objecting, such as a debug leftover, each with its place."""
    notes = [one for one in _rows(row.get("findings")) if one.get("note")]
    said = [f"{place(one)}: {one.get('message')}" for one in notes if not str(one.get("message")).startswith(DECLARED)]
    return list(dict.fromkeys(said))


def survivors(row: Mapping[str, object]) -> list[str]:
    """The faults planted in a change's lines that no test noticed, then the lines that no test runs, with places."""
    strength = row.get("strength")
    mutants = _rows(strength.get("mutants")) if isinstance(strength, Mapping) else []
    alive = [one for one in mutants if one.get("fate") == "survived"]
    said = [f"{place(one)}: {_fault(one)}" for one in alive]
    said += [f"{place(one)}: no test runs it" for one in mutants if one.get("fate") == "untested"]
    return list(dict.fromkeys(said))


def _fault(mutant: Mapping[str, object]) -> str:
    """A project's own mutation command says in its words what it changed."""
    after = str(mutant.get("after"))
    return f"{mutant['before']} became {after}" if mutant.get("before") else after


def unproven(row: Mapping[str, object]) -> bool:
    """Whether the verdict of a proof says that no test shows the change."""
    proof = row.get("proof")
    return isinstance(proof, Mapping) and proof.get("grade") != "proven"


def place(row: Mapping[str, object]) -> str:
    """``path:line`` of a finding or a mutant."""
    return f"{row.get('path')}:{row['line']}" if row.get("line") else str(row.get("path", ""))


def _proof(proof: Mapping[str, object]) -> str:
    grade = str(proof.get("grade", "")).replace("_", " ")
    tests = proof.get("tests")
    graded = tests if isinstance(tests, Mapping) else {}
    names = [*(str(name) for name, own in graded.items() if own == proof.get("grade")), *_strings(proof.get("turned"))]
    return f"{grade} by {_first(names)}" if names and proof.get("grade") == "proven" else _with(grade, _first(names))


def _strength(strength: Mapping[str, object]) -> str:
    mutants = _rows(strength.get("mutants"))
    named = sum(one.get("before") == "" for one in mutants)
    fates = Counter(str(one.get("fate")) for one in mutants if one.get("before") != "")
    number = sum(fates.values()) - fates["untested"]
    parts = []
    if number:
        parts.append(f"{fates['survived'] or 'none'} of {number} mutants survived")
    parts += [f"{fates[fate]} {said}" for fate, said in _FATES.items() if fates[fate]]
    if named:  # nobody says how many there were
        parts.append(f"{named} mutant{'s' if named > 1 else ''} survived the mutation command")
    changed, covered = strength.get("changed"), strength.get("covered")
    if isinstance(changed, int) and changed:
        parts.append(f"{covered} of {changed} changed lines ran")
    if strength.get("stopped"):
        parts.append("not all were tried")
    return ", ".join(parts)


_FATES = {"timeout": "timed out", "untested": "not tried, on lines that no test runs"}


def _review(review: Mapping[str, object]) -> str:
    by = f"reviewed by {review['agent']}" if review.get("agent") else "reviewed"
    reasons = _strings(review.get("reasons"))
    word = "accepted" if review.get("accepted") else "refused"
    return f"{by}: {word}" if review.get("accepted") or not reasons else f"{by}: {word}, {reasons[0]}"


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else ""


def _with(word: str, names: str) -> str:
    return f"{word} ({names})" if names else word


def _strings(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else []


def _rows(value: object) -> list[Mapping[str, object]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []
