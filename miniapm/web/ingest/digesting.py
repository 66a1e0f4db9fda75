"""Bodies of telemetry: read and inflated under their limits, decoded on the loop where they are
small, else in threads beside it and beside the one that writes."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

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
_KEPT_FOR_A_REFUSAL = 2048

T = TypeVar("T")
# of the body, the key's defaults, the present instant, what masks secrets
Read = Callable[..., T]


class Undigested(NamedTuple, Generic[T]):
    """A body that arrived, not decoded yet: `work` does that (and passes on to `read` what it is
    called with), `size` is what it holds, inflated."""

    size: int
    work: Callable[..., T]


async def take_body(call: Call, key: Key, read: Read[T]) -> Undigested[T]:
    """The call's body, for `read` to decode; its inflated size is reserved before it is inflated.

    TooLarge past the limits, Busy where there is no room.
    """
    limits = call.context.config.limits
    body = await call.read_raw(limits.telemetry_body_bytes)
    size = len(body)
    inflated_size = None
    if is_compressed(call.headers.get(b"content-encoding", b"")):
        size = inflated_size = tell_inflated_size(body, limits.telemetry_inflated_bytes)
        call.reserved.grow_to(size)
    call.body = body[:_KEPT_FOR_A_REFUSAL]  # the rest goes when it is decoded
    defaults, now = telemetry_defaults(key), call.context.clock()
    return Undigested(
        size, partial(_decode, body, inflated_size, read, defaults, now, call.context.scrubber)
    )


async def digest(call: Call, undigested: Undigested[T], *more: Any) -> T:
    """What `undigested` decodes to, beside the loop unless it is small; `more` goes to `read`."""
    precedence = call.context.database.precedence
    if undigested.size <= SMALL_BYTES and not precedence.is_held:
        return undigested.work(*more)
    # a large body takes a second: the usual ones do not wait for it
    is_large = undigested.size > LARGE_BYTES
    digester = call.context.large_digester if is_large else call.context.digester
    work = partial(_work_in_turn, precedence, undigested.work, *more)
    return await asyncio.get_running_loop().run_in_executor(digester, work)


def telemetry_defaults(key: Key) -> TelemetryDefaults:
    """What telemetry belongs to that names no service or environment."""
    return TelemetryDefaults(key.service or key.project_slug, key.env or DEFAULT_ENV)


def _work_in_turn(precedence: Precedence, work: Callable[..., T], *more: Any) -> T:
    precedence.give_way()
    return work(*more)


def _decode(
    body: bytes,
    inflated_size: int | None,
    read: Read[T],
    defaults: TelemetryDefaults,
    now: int,
    scrubber: Scrubber,
    *more: Any,
) -> T:
    if inflated_size is not None:
        try:
            body = inflate_gzip(body, inflated_size)
        except TooLarge:
            raise TooLarge("The gzip body is larger than it says it is.") from None
    return read(body, defaults, now, scrubber, *more)
