"""Noticing that who asked has gone while the answer waits."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request


@contextmanager
def call_on_hang_up(request: Request, end: Callable[[], None]) -> Iterator[None]:
    """Calls `end` when the connection closes while the block runs."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass  # what is left of the body
        end()

    watching = asyncio.get_running_loop().create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
