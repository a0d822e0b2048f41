from ralph.report.order import Branch, review_order, stack


def branches(*rows: tuple[str, list[str]]) -> dict[str, Branch]:
    return {name: Branch(name, number, tasks=tasks) for number, (name, tasks) in enumerate(rows, start=1)}


def test_a_branch_comes_after_the_one_it_depends_on() -> None:
    found = branches(("b", ["y"]), ("a", ["x"]))
    stack(found, {"y": ["x"]})
    assert [branch.name for branch in review_order(found)] == ["a", "b"]
    assert (found["b"].after, found["b"].together) == ({"a"}, set())


def test_branches_that_depend_on_each_other_go_together() -> None:
    found = branches(("a", ["x", "z"]), ("b", ["y"]))
    stack(found, {"y": ["x"], "z": ["y"]})
    assert [(branch.after, branch.together) for branch in found.values()] == [(set(), {"b"}), (set(), {"a"})]
    assert len(review_order(found)) == 2
