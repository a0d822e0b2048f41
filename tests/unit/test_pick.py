from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.pick import Idle, Pick, Scene, pick
from ralph.core.states import ImpossibleMove, move
from ralph.domain import Status, Task


def scene(*tasks: Task, **changes: object) -> Scene:
    empty = Scene(tasks, {}, {}, {}, {}, (), (), {"a", "b"}, set())
    return replace(empty, **changes)  # type: ignore[arg-type]


def task(
    id: str, *depends: str, status: Status = Status.PENDING, priority: int = 100, role: str = "implementer"
) -> Task:
    return Task(id, id, depends_on=depends, status=status, priority=priority, role=role)


DONE = Status.COMPLETED


def picked(result: Pick | Idle) -> str:
    return result.task.id if isinstance(result, Pick) else result.value


def test_lower_priority_number_then_file_order() -> None:
    assert picked(pick(scene(task("x"), task("y", priority=1), task("z", priority=1)), "a")) == "y"


def test_a_dependency_that_is_not_completed_blocks() -> None:
    assert picked(pick(scene(task("x", "y"), task("y", priority=200)), "a")) == "y"


def test_waits_while_another_loop_works_on_the_dependency() -> None:
    at_work = scene(task("x", "y"), task("y", status=Status.IN_PROGRESS), running={"y": "b"}, busy={"b"})
    assert pick(at_work, "a") is Idle.WAIT


def test_a_failed_dependency_means_there_is_nothing_to_wait_for() -> None:
    assert pick(scene(task("x", "y"), task("y", status=Status.FAILED)), "a") is Idle.DONE


def test_the_loop_that_holds_the_dependency_is_preferred() -> None:
    stacked = scene(task("x", "y"), task("y", status=DONE), holders={"y": "b"})
    assert picked(pick(stacked, "b")) == "x"
    assert not isinstance(pick(stacked, "a"), Pick)


def test_another_loop_merges_when_the_holder_is_busy() -> None:
    stacked = scene(task("x", "y"), task("y", status=DONE), holders={"y": "b"}, busy={"b"}, running={"z": "b"})
    assert pick(stacked, "a") == Pick(stacked.tasks[0], ("b",))


def test_own_work_comes_before_a_merge_even_with_a_worse_priority() -> None:
    both = scene(
        task("x", "y", priority=1), task("y", status=DONE), task("w", priority=50), holders={"y": "b"}, busy={"b"}
    )
    assert picked(pick(both, "a")) == "w"


def test_a_kept_tree_stays_with_its_loop_until_that_loop_is_gone() -> None:
    kept = scene(task("x"), kept={"x": "b"})
    assert not isinstance(pick(kept, "a"), Pick)
    assert picked(pick(replace(kept, loops={"a"}), "a")) == "x"


def test_claims_roles_and_parking() -> None:
    assert pick(scene(task("x"), claimed=("x",)), "a") is Idle.DONE
    assert pick(scene(task("x", role="frontend")), "a", "backend") is Idle.DONE
    assert pick(scene(task("x"), parked=("x",)), "a") is Idle.DONE


statuses = st.sampled_from(list(Status))


@given(st.lists(st.tuples(statuses, st.integers(0, 3), st.lists(st.integers(0, 5), max_size=3)), max_size=6))
def test_what_is_picked_is_always_ready(rows: list[tuple[Status, int, list[int]]]) -> None:
    tasks = [
        task(str(n), *(str(d) for d in sorted(set(deps)) if d < n), status=status, priority=priority)
        for n, (status, priority, deps) in enumerate(rows)
    ]
    result = pick(scene(*tasks), "a")
    if isinstance(result, Pick):
        assert result.task.status in (Status.PENDING, Status.IN_PROGRESS)
        by_id = {t.id: t for t in tasks}
        assert all(by_id[d].status is DONE for d in result.task.depends_on)


def test_only_possible_moves() -> None:
    assert move(Status.IN_PROGRESS, Status.COMPLETED) is Status.COMPLETED
    assert move(Status.COMPLETED, Status.PENDING, by_person=True) is Status.PENDING
    with pytest.raises(ImpossibleMove):
        move(Status.PENDING, Status.COMPLETED)
    with pytest.raises(ImpossibleMove):
        move(Status.FAILED, Status.COMPLETED, by_person=True)
