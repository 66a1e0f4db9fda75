"""Old dictionaries of bodies: made of some of them, they may hold texts of people long gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Set
from typing import NamedTuple

from miniapm.domain.spans.compression import HEADER_BYTES, dictionary_of
from miniapm.storage.connection import Connection
from miniapm.storage.database import Database
from miniapm.storage.spans.dictionaries import DictionaryKey, delete_dictionaries, find_replaced

PAGE_BATCHES = 2_000
_PAGE_BYTES = 8 * 1024 * 1024


class NeededPage(NamedTuple):
    """Which of the dictionaries asked for some batches need, up to batch `reached`."""

    needed: set[DictionaryKey]
    reached: int
    is_last: bool


class OldDictionaries:
    """Deletes the dictionaries that were replaced longer ago than bodies are kept, if there is no
    body that needs them.

    What is stored decides, for every body says which dictionary it needs. One that is on its way to
    the file may need the dictionary that was just replaced, so only those go that had been replaced
    at the run before, too. Bodies are looked through beside the writer, resting as long as it took;
    the writing transaction looks at those that came meanwhile.
    """

    def __init__(
        self, database: Database, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._database = database
        self._pause = pause
        self._replaced: Set[DictionaryKey] = frozenset()

    async def delete(self, before: int) -> None:
        """Those that were replaced before that instant (µs)."""
        replaced = await self._database.read(find_replaced, before)
        unneeded, self._replaced = replaced & self._replaced, replaced
        after = -1
        while unneeded:
            began = time.perf_counter()
            page = await self._database.read(find_needed, unneeded, after)
            after = page.reached
            unneeded = unneeded - page.needed
            if page.is_last and await self._database.write(delete_unneeded, unneeded, after):
                return
            await self._pause(time.perf_counter() - began)


def find_needed(connection: Connection, wanted: Set[DictionaryKey], after: int) -> NeededPage:
    """Looks through some batches after batch `after`, by the heads of their bodies; the oldest
    first, for those are the likeliest to need an old dictionary."""
    needed: set[DictionaryKey] = set()
    count = size = 0
    rows = connection.execute(
        """/* span_batches.heads */ select id, project_id, length(body) as size,
            substr(body, 1, :head) as head
        from span_batches where id > :after order by id limit :limit""",
        {"after": after, "head": HEADER_BYTES, "limit": PAGE_BATCHES},
    )
    for row in rows:
        count, after = count + 1, row["id"]
        key = DictionaryKey(row["project_id"], dictionary_of(row["head"]))
        if key in wanted:
            needed.add(key)
            if len(needed) == len(wanted):
                return NeededPage(needed, after, False)
        size += row["size"]
        if size >= _PAGE_BYTES:
            return NeededPage(needed, after, False)
    return NeededPage(needed, after, count < PAGE_BATCHES)


def delete_unneeded(connection: Connection, wanted: Set[DictionaryKey], after: int) -> bool:
    """Deletes those that no batch after `after` needs; whether those were all that there are."""
    page = find_needed(connection, wanted, after)
    if page.is_last:
        delete_dictionaries(connection, wanted - page.needed)
    return page.is_last
