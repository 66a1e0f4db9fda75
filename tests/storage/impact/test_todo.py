"""What is to be judged, in turn by project, and what fails or waits holds up nobody."""

from miniapm.clock import HOUR, SECOND
from miniapm.storage.impact.candidates import DeployRef
from miniapm.storage.impact.todo import LONGEST_RETRY, RETRY, Todo, take_in_turn

ONE, TWO = DeployRef(1, 10), DeployRef(2, 20)


def refs(todo: Todo, now: int, most: int = 10) -> list[DeployRef]:
    return [ref for ref, _ in todo.take(now, most)]


def test_projects_take_turns() -> None:
    todo = Todo()
    for deploy_id in range(200):
        todo.add(DeployRef(1, deploy_id))
    todo.add(TWO)
    assert refs(todo, 0, 3) == [DeployRef(1, 0), TWO, DeployRef(1, 1)]


def test_what_is_taken_stays_until_it_is_done() -> None:
    todo = Todo()
    todo.add(ONE)
    assert refs(todo, 0) == refs(todo, 0) == [ONE]
    todo.end(ONE)
    assert refs(todo, 0) == []
    assert not todo


def test_from_the_beginning_once_it_was_asked() -> None:
    todo = Todo()
    todo.add(ONE, anew=True)
    todo.add(ONE)
    assert todo.take(0, 1) == [(ONE, True)]


def test_what_waits_comes_behind_the_others() -> None:
    todo = Todo()
    first, second = DeployRef(1, 1), DeployRef(1, 2)
    todo.add(first)
    todo.add(second)
    todo.wait(first, 0)
    assert refs(todo, 0) == [second, first]


def test_what_fails_is_tried_again_ever_later() -> None:
    todo = Todo()
    todo.add(ONE)
    todo.fail(ONE, 0)
    assert refs(todo, RETRY - 1) == []
    todo.add(ONE)
    assert refs(todo, RETRY - 1) == []
    assert refs(todo, RETRY) == [ONE]
    todo.fail(ONE, RETRY)
    assert refs(todo, 3 * RETRY - 1) == []
    assert refs(todo, 3 * RETRY) == [ONE]
    for _ in range(100):
        todo.fail(ONE, HOUR)
    assert refs(todo, HOUR + LONGEST_RETRY) == [ONE]


def test_what_came_to_an_end_has_never_failed() -> None:
    todo = Todo()
    todo.add(ONE)
    todo.fail(ONE, 0)
    todo.end(ONE)
    todo.add(ONE)
    assert refs(todo, SECOND) == [ONE]


def test_turns() -> None:
    assert take_in_turn(["a1", "a2", "a3", "b1", "b2", "c1"], lambda text: text[0], 5) == [
        "a1",
        "b1",
        "c1",
        "a2",
        "b2",
    ]
    assert take_in_turn([], str, 5) == []
    assert take_in_turn("ab", str, 0) == []
