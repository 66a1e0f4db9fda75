"""The job that tells people: finds what is new, writes it down as messages, and sends what is due.

A message is written in the transaction that marks its cause as seen, and is sent from its row: a
server that is killed goes on where it stopped. Killed between an answer and its note, it sends that
message once more, under the same id.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from miniapm.clock import SECOND, Clock
from miniapm.domain.ids import IdMaker
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.webhooks.attempts import Outcome, judge
from miniapm.domain.webhooks.signatures import make_headers
from miniapm.domain.webhooks.targets import Target
from miniapm.domain.webhooks.values import Delivery, Webhook
from miniapm.storage.database import Database
from miniapm.storage.webhooks.deliveries import Tried, find_due, note_try
from miniapm.storage.webhooks.happenings import MOST_AT_ONCE, Happening, Place
from miniapm.storage.webhooks.news import find_happenings
from miniapm.storage.webhooks.queue import (
    Queueing,
    find_listening,
    find_overdue,
    queue_happenings,
    queue_sums,
)

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
_MOST_RECEIVERS = 32
_MOST_OF_RECEIVER = 20
# a receiver's turn ends soon after this, or with the try that it is at
_SENDING_SECONDS = 1.0
# a run that never ended would look like one that hangs
_RUN_SECONDS = 300.0

Post = Callable[[Target, Mapping[str, str], bytes, int], Awaitable[Outcome]]
"""Posts a body with headers at an instant; never raises for what the net does."""

Sending = dict[int, asyncio.Task[None]]
"""The webhooks that are being sent to, by id."""


class WebhookJob:
    """`find_address` tells under which address people find the server, `chance` gives 0 to 1."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        make_id: IdMaker,
        *,
        post: Post,
        scrubber: Scrubber,
        per_hour: int,
        find_address: Callable[[], str],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._make_id = make_id
        self._post = post
        self._scrubber = scrubber
        self._per_hour = per_hour
        self._find_address = find_address
        self._chance = chance
        self._looked: dict[int, int] = {}
        self._unread: set[int] = set()

    async def run(self) -> None:
        """One look, and what is due. While a receiver takes its time, the others have more."""
        end = time.monotonic() + _RUN_SECONDS
        sending: Sending = {}
        async with asyncio.TaskGroup() as group:
            await self._look(group, sending)
            while sending:
                await asyncio.wait(sending.values(), timeout=LOOK_SECONDS)
                for webhook_id in [id for id, task in sending.items() if task.done()]:
                    del sending[webhook_id]
                if sending and time.monotonic() < end:
                    await self._look(group, sending)

    async def _look(self, group: asyncio.TaskGroup, sending: Sending) -> None:
        places = await self._find_places()
        if places:
            await self._queue(places)
            await self._send(group, sending)

    async def _find_places(self) -> list[Place]:
        """The projects of which somebody wants to hear."""
        listening = await self._database.read(find_listening)
        if not listening:
            return []
        address = self._find_address()
        slugs = {webhook.project_id: webhook.project_slug for webhook in listening}
        return [Place(project_id, slug, address) for project_id, slug in slugs.items()]

    async def _queue(self, places: Sequence[Place]) -> None:
        now = self._clock()
        by = Queueing(self._make_id, self._scrubber, self._per_hour, now)
        for place in places:
            try:
                await self._queue_of(place, by)
            except Exception as error:
                # the next look is in two seconds; so it is said once
                if place.id not in self._unread:
                    log.error("the news of project %s cannot be read", place.slug, exc_info=error)
                self._unread.add(place.id)
            else:
                self._unread.discard(place.id)
        overdue = await self._database.read(find_overdue, now)
        if overdue:
            await self._database.write(queue_sums, by, places, overdue)

    async def _queue_of(self, place: Place, by: Queueing) -> None:
        looked_at = self._looked.get(place.id)
        found = await self._database.read(find_happenings, place, looked_at, by.now)
        if found:
            await self._database.write(queue_happenings, by, place, found)
        if not _may_be_more(found):
            self._looked[place.id] = by.now

    async def _send(self, group: asyncio.TaskGroup, sending: dict[int, asyncio.Task[None]]) -> None:
        """Begins to send what is due, but to those that are being sent to; a few at a time."""
        due = await self._database.read(find_due, self._clock(), _MOST_OF_RECEIVER)
        end = time.monotonic() + _SENDING_SECONDS
        free = [(webhook, of_it) for webhook, of_it in due if webhook.id not in sending]
        for webhook, deliveries in free[: _MOST_RECEIVERS - len(sending)]:
            sending[webhook.id] = group.create_task(self._send_to(webhook, deliveries, end))

    async def _send_to(self, webhook: Webhook, deliveries: Sequence[Delivery], end: float) -> None:
        """One after the other, until one fails in a way that the next would, too."""
        for delivery in deliveries:
            if time.monotonic() > end:
                return
            tried = await try_delivery(webhook, delivery, self._post, self._clock, self._chance())
            await self._database.write(note_try, webhook, delivery.id, tried)
            if tried.verdict.holds or tried.verdict.disables:
                return


def _may_be_more(found: Sequence[Happening]) -> bool:
    kinds = [happening.kind for happening in found]
    return any(kinds.count(kind) >= MOST_AT_ONCE for kind in set(kinds))


async def try_delivery(
    webhook: Webhook, delivery: Delivery, post: Post, clock: Clock, chance: float
) -> Tried:
    """Posts one message once, and says what follows."""
    at, began = clock(), time.monotonic()
    body = delivery.body.encode()
    headers = make_headers(webhook.find_secrets(at), delivery.id, at, body)
    outcome = await post(webhook.target, headers, body, at)
    took = int((time.monotonic() - began) * SECOND)
    ended_at = clock()
    verdict = judge(delivery.event, delivery.attempts + 1, outcome, ended_at, chance)
    return Tried(outcome, verdict, ended_at, took)
