"""Looking through batches that may hold something: read in short reads, opened beside the loop."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from miniapm.domain.otlp.stored import DamagedBody, StoredBody
from miniapm.storage.spans.traces import BodyPage, read_bodies
from miniapm.web.context import Context

log = logging.getLogger(__name__)

MOST_BATCHES = 20_000
MOST_BYTES = 256 * 1024 * 1024
"""How much is opened for one page: it takes about a second."""
PAGE_BYTES = 8 * 1024 * 1024
_PAGE_BATCHES = 500

Take = Callable[[int, StoredBody], bool]


class BatchSearch:
    """Hands one batch after the other to `take`, with its id, on another thread, until that says
    that it has enough, or until the bound. `is_over` says that there was enough."""

    def __init__(self, context: Context, project_id: int, take: Take) -> None:
        self._context = context
        self._project_id = project_id
        self._take = take
        self._room = MOST_BYTES
        self._seen: dict[int, None] = {}
        self._left = self._damaged = 0
        self.is_over = False

    @property
    def unseen(self) -> int:
        """How many batches were left at the bound, or do not open any more."""
        return self._left + self._damaged

    @property
    def looked_through(self) -> list[int]:
        """The batches, in the order in which they were looked through."""
        return list(self._seen)

    async def look_through(self, batch_ids: Sequence[int]) -> None:
        """Looks through these in this order, but not again through what was before."""
        waiting = [batch_id for batch_id in batch_ids if batch_id not in self._seen]
        while waiting and not self.is_over:
            if self._room <= 0 or len(self._seen) >= MOST_BATCHES:
                self._left = len(waiting)
                return
            page = await self._context.database.read(
                read_bodies, self._project_id, waiting[:_PAGE_BATCHES], min(PAGE_BYTES, self._room)
            )
            self._room -= page.opened_bytes
            self._seen |= dict.fromkeys(waiting[: page.batches])
            waiting = waiting[page.batches :]
            self.is_over = await asyncio.to_thread(self._open, page)

    def _open(self, page: BodyPage) -> bool:
        return any(self._look_into(batch_id, stored) for batch_id, stored in page.bodies)

    def _look_into(self, batch_id: int, stored: StoredBody) -> bool:
        try:
            return self._take(batch_id, stored)
        except DamagedBody as error:
            log.error("the body of batch %d does not open: %s", batch_id, error)
            self._damaged += 1
            return False
