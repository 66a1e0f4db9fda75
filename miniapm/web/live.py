"""What turns pages live: tells listeners of a project that its deploys, or their verdicts, changed.

One look at the database per project and half second, however many listen; so changes by the command
line are seen as well as the server's own.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from miniapm.storage.database import Database
from miniapm.storage.impact.shown import find_newest_change

LOOK_SECONDS = 0.5
MAX_LISTENERS = 500
HEARTBEAT_SECONDS = 15.0


class Listener:
    """One page, or program, that listens. `seen` is the newest change that it knows; None:
    whatever is there."""

    def __init__(self, seen: int | None) -> None:
        self._seen = seen
        self._news = asyncio.Event()
        self.is_over = False

    def tell(self, latest: int) -> None:
        if self._seen is None:
            self._seen = latest
        elif latest != self._seen:
            self._seen = latest
            self._news.set()

    def end(self) -> None:
        self.is_over = True
        self._news.set()

    async def wait(self, seconds: float) -> int | None:
        """The instant of the newest change as soon as there is one; None after `seconds`, or
        when the server stops (`is_over`)."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return None
        if self.is_over:
            return None
        self._news.clear()
        return self._seen


class LiveFeed:
    """`heartbeat_seconds` is how often a quiet stream shows that it is there."""

    def __init__(self, database: Database) -> None:
        self.max_listeners = MAX_LISTENERS
        self.heartbeat_seconds = HEARTBEAT_SECONDS
        self._database = database
        self._listeners: dict[int, set[Listener]] = {}
        self._closed = False

    @property
    def count(self) -> int:
        """How many listen now."""
        return sum(len(listeners) for listeners in self._listeners.values())

    @property
    def is_full(self) -> bool:
        return self.count >= self.max_listeners

    def has_room(self, project_id: int) -> bool:
        """Whether one more program of a project may wait. They leave half of all places to pages,
        and a project as many of theirs to the others as it has itself."""
        free = self.max_listeners // 2 - self.count
        return len(self._listeners.get(project_id, ())) < free

    @contextmanager
    def listen(self, project_id: int, seen: int | None = None) -> Iterator[Listener]:
        """A listener for as long as the block lasts; it hears of what is newer than `seen`."""
        listener = Listener(seen)
        if self._closed:
            listener.end()
        self._listeners.setdefault(project_id, set()).add(listener)
        try:
            yield listener
        finally:
            self._listeners[project_id].discard(listener)
            if not self._listeners[project_id]:
                del self._listeners[project_id]

    async def look(self) -> None:
        """Tells the listeners of every project what its newest change is."""
        for project_id in list(self._listeners):
            latest = await self._database.read(find_newest_change, project_id)
            for listener in self._listeners.get(project_id, set()):
                listener.tell(latest)

    def close(self) -> None:
        """Ends every listener."""
        self._closed = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.end()
