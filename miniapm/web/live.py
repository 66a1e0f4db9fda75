"""What turns pages live: tells listeners of a project that its deploys changed.

One look at the database per project and half second, however many listen; so changes by the command
line are seen as well as the server's own.
"""

import asyncio
from collections.abc import AsyncIterator

from miniapm.storage.database import Database
from miniapm.storage.deploys.find import find_latest_change

LOOK_SECONDS = 0.5
MAX_LISTENERS = 500


class LiveFeed:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[int, set[asyncio.Queue[int | None]]] = {}
        self._latest: dict[int, int] = {}
        self._closed = False

    @property
    def is_full(self) -> bool:
        return sum(len(queues) for queues in self._waiting.values()) >= MAX_LISTENERS

    async def listen(self, project_id: int) -> AsyncIterator[int]:
        """The instant of each new change, until the server stops."""
        queue: asyncio.Queue[int | None] = asyncio.Queue(maxsize=4)
        self._waiting.setdefault(project_id, set()).add(queue)
        try:
            while not self._closed and (change := await queue.get()) is not None:
                yield change
        finally:
            self._waiting[project_id].discard(queue)
            if not self._waiting[project_id]:
                del self._waiting[project_id]
                self._latest.pop(project_id, None)

    async def look(self) -> None:
        """Tells the listeners of every project that has changed since the last look."""
        for project_id in list(self._waiting):
            latest = await self._database.read(find_latest_change, project_id)
            known = self._latest.setdefault(project_id, latest)
            if latest != known:
                self._latest[project_id] = latest
                self._tell(project_id, latest)

    def close(self) -> None:
        """Ends every listener."""
        self._closed = True
        for project_id in self._waiting:
            self._tell(project_id, None)

    def _tell(self, project_id: int, change: int | None) -> None:
        for queue in self._waiting.get(project_id, set()):
            while queue.full():
                queue.get_nowait()
            queue.put_nowait(change)
