"""Asks a server until it answers, and says which failures are whose.

`Invalid` is the caller's mistake (the key, a flag), `Unavailable` that nobody can tell.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import chain, repeat

from miniapm.client.deadline import Deadline
from miniapm.client.remote import Found, Refused, Unreachable, explain, get_json
from miniapm.client.server import Server
from miniapm.exceptions import Invalid, NotFound, Unavailable

FIRST_SECONDS = 30.0
"""A server that nobody has reached yet is tried for so long: its address may be wrong."""
ANSWER_SECONDS = 10.0
"""What an answer may take beyond what was asked to be waited for."""
_LONGEST_PAUSE = 5.0


class Asker:
    """A server, asked under one deadline. Once it has answered, it may be away until then."""

    def __init__(self, server: Server, deadline: Deadline) -> None:
        self.deadline = deadline
        self._server = server
        self._was_reached = False
        self._pauses = _list_pauses()

    def get(self, path: str, query: Mapping[str, str] | None = None, wait: int = 0) -> object:
        """What a path answers; `wait` is for how many seconds it may hold the answer back.

        NotFound for 404.
        """
        if not self._was_reached:
            return _open(self._try_first(path, query))
        while True:
            held = {**(query or {}), "wait": str(wait)} if wait else query
            patience = Deadline(min(wait, self.deadline.remaining()) + ANSWER_SECONDS)
            outcome = get_json(self._server, path, patience, held, retry=False)
            if not isinstance(outcome, Unreachable) or not self.pause():
                return _open(outcome)
            wait = 0  # so many may wait at a server that it takes no more

    def find(self, path: str) -> object | None:
        """What a path answers now; None without an answer."""
        outcome = get_json(self._server, path, Deadline(ANSWER_SECONDS), retry=False)
        return outcome.value if isinstance(outcome, Found) else None

    def pause(self) -> bool:
        """Waits a little, longer each time, not past the deadline; False when that has come."""
        remaining = self.deadline.remaining()
        time.sleep(min(next(self._pauses), remaining))
        return remaining > 0

    def hurry(self) -> None:
        """Something happened: the next pause is a short one again."""
        self._pauses = _list_pauses()

    def _try_first(
        self, path: str, query: Mapping[str, str] | None
    ) -> Found | Refused | Unreachable:
        patience = Deadline(min(FIRST_SECONDS, self.deadline.seconds + ANSWER_SECONDS))
        outcome = get_json(self._server, path, patience, query)
        self._was_reached = not isinstance(outcome, Unreachable)
        return outcome


def _open(outcome: Found | Refused | Unreachable) -> object:
    if isinstance(outcome, Found):
        return outcome.value
    if isinstance(outcome, Unreachable):
        raise Unavailable(f"{outcome.reason}; see that the server runs at MINIAPM_URL.")
    if outcome.status == 404:
        raise NotFound(f"{explain(outcome)}.")
    if outcome.status in (400, 401, 403):
        raise Invalid(f"{explain(outcome)}.")
    raise Unavailable(f"{explain(outcome)}.")


def _list_pauses() -> Iterator[float]:
    return chain((0.25, 0.5, 1.0, 2.0), repeat(_LONGEST_PAUSE))
