"""Bodies of telemetry: read and inflated under their limits, decoded on the loop where they are
small, else in threads beside it and beside the one that writes."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from miniapm.domain.keys import Key
from miniapm.domain.otlp.splitting import LARGE_BYTES
from miniapm.domain.scrubbing import Scrubber
from miniapm.domain.spans.values import DEFAULT_ENV, TelemetryDefaults
from miniapm.exceptions import TooLarge
from miniapm.storage.precedence import Precedence
from miniapm.web.ingest.calls import Call
from miniapm.web.limits import inflate_gzip, is_compressed, tell_inflated_size

# what is smaller is decoded at once: handing it to another thread costs more
SMALL_BYTES = 24 * 1024

T = TypeVar("T")
# of the body, the key's defaults, the present instant, what masks secrets
Read = Callable[..., T]


async def digest(call: Call, key: Key, read: Read[T], *, most_inflated: int = 0) -> T:
    """What `read` makes of the call's body, beside the loop unless that is small; its inflated size
    is reserved before it is inflated. The body is held no longer than that, for many calls wait for
    their commit.

    TooLarge past the limits (`most_inflated` bytes, if that is not 0), Busy where there is no room.
    """
    context = call.context
    limits, precedence = context.config.limits, context.database.precedence
    body = await call.read_raw(limits.telemetry_body_bytes)
    size, is_packed = len(body), is_compressed(call.headers.get(b"content-encoding", b""))
    if is_packed:
        size = tell_inflated_size(body, most_inflated or limits.telemetry_inflated_bytes)
        call.reserved.grow_to(size)
    call.drop_body()
    defaults, now = telemetry_defaults(key), context.clock()
    work = partial(
        _decode, body, size if is_packed else None, read, defaults, now, context.scrubber
    )
    if size <= SMALL_BYTES and not precedence.is_held:
        return work()
    # a large body takes a second: the usual ones do not wait for it
    digester = context.large_digester if size > LARGE_BYTES else context.digester
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(digester, _work_in_turn, precedence, work)


def telemetry_defaults(key: Key) -> TelemetryDefaults:
    """What telemetry belongs to that names no service or environment."""
    return TelemetryDefaults(key.service or key.project_slug, key.env or DEFAULT_ENV)


def _work_in_turn(precedence: Precedence, work: Callable[[], T]) -> T:
    precedence.give_way()
    return work()


def _decode(
    body: bytes,
    inflated_size: int | None,
    read: Read[T],
    defaults: TelemetryDefaults,
    now: int,
    scrubber: Scrubber,
) -> T:
    if inflated_size is not None:
        try:
            body = inflate_gzip(body, inflated_size)
        except TooLarge:
            raise TooLarge("The gzip body is larger than it says it is.") from None
    return read(body, defaults, now, scrubber)
