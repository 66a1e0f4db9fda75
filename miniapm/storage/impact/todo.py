"""What is to be judged, and when: in turn by project, and what has to wait holds up nobody."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from miniapm.clock import HOUR, SECOND
from miniapm.storage.impact.candidates import DeployRef

RETRY = 10 * SECOND
LONGEST_RETRY = HOUR

T = TypeVar("T")


class Todo:
    """Deploys to judge. Each stands here once, with the instant (µs) before which it is not tried,
    and whether it is to be judged from the beginning."""

    def __init__(self) -> None:
        self._anew: dict[DeployRef, bool] = {}
        self._not_before: dict[DeployRef, int] = {}
        self._failures: dict[DeployRef, int] = {}

    def __len__(self) -> int:
        return len(self._anew)

    def add(self, ref: DeployRef, *, anew: bool = False) -> None:
        """Does not hurry what waits already."""
        self._anew[ref] = anew or self._anew.get(ref, False)

    def take(self, now: int, most: int) -> list[tuple[DeployRef, bool]]:
        """At most so many of those that do not wait, a project in turn with the others; they stay
        until they are done."""
        ready = (ref for ref in self._anew if self._not_before.get(ref, 0) <= now)
        taken = take_in_turn(ready, lambda ref: ref.project_id, most)
        return [(ref, self._anew[ref]) for ref in taken]

    def wait(self, ref: DeployRef, until: int) -> None:
        """Behind the others, and not before `until`."""
        self._anew[ref] = self._anew.pop(ref)
        self._not_before[ref] = until

    def fail(self, ref: DeployRef, now: int) -> None:
        """It is tried again, each time twice as late."""
        failures = self._failures[ref] = self._failures.get(ref, 0) + 1
        self.wait(ref, now + min(LONGEST_RETRY, RETRY << min(failures - 1, 30)))

    def end(self, ref: DeployRef) -> None:
        """It is done with."""
        for known in (self._anew, self._not_before, self._failures):
            known.pop(ref, None)


def take_in_turn(items: Iterable[T], key: Callable[[T], Hashable], most: int) -> list[T]:
    """At most so many of `items`: the first of each key, then the second of each, and so on."""
    queues: dict[Hashable, list[T]] = {}
    for item in items:
        queues.setdefault(key(item), []).append(item)
    turns = [iter(queue) for queue in queues.values()]
    taken: list[T] = []
    while turns and len(taken) < most:
        turns = [turn for turn in turns if _take_one(turn, taken, most)]
    return taken


def _take_one(turn: Iterator[T], taken: list[T], most: int) -> bool:
    if len(taken) < most:
        for item in turn:
            taken.append(item)
            return True
    return False
