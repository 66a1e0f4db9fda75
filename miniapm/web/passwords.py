"""Password hashing off the event loop, two at once: each takes 20 MB and a core for 30 ms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from miniapm.exceptions import Busy
from miniapm.storage.passwords import hash_password, verify_password

AT_ONCE = 2
MOST_WAITING = 50


class PasswordHashing:
    """Made within the running loop. Busy when too many wait already."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """What to store of `password`."""
        async with self._slot():
            return await asyncio.to_thread(hash_password, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` made `stored`; as slow for None, a name that nobody has."""
        async with self._slot():
            return await asyncio.to_thread(verify_password, stored, password)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Busy("Too many people sign in at this moment. Try again shortly.", 5)
        self._waiting += 1
        try:
            async with self._slots:
                yield
        finally:
            self._waiting -= 1
