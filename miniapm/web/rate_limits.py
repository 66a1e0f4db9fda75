"""How often one address may try: token buckets in a table of bounded size."""

import ipaddress
import math
from collections import OrderedDict

from starlette.requests import Request

from miniapm.clock import MINUTE, SECOND, Clock
from miniapm.exceptions import RateLimited

MOST_BUCKETS = 10_000


class RateLimit:
    """`per_minute` attempts at once for each caller, given back evenly over a minute."""

    def __init__(self, per_minute: int, clock: Clock, most_buckets: int = MOST_BUCKETS) -> None:
        self._capacity = float(per_minute)
        self._clock = clock
        self._most_buckets = most_buckets
        # caller -> (attempts left, as of); the one that tried longest ago comes first
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Takes one attempt; RateLimited, saying when the next is possible, when none is left."""
        now = self._clock()
        left, at = self._buckets.pop(caller, (self._capacity, now))
        # a clock that was set back gives nothing and takes nothing
        left = min(self._capacity, left + max(0, now - at) / MINUTE * self._capacity)
        allowed = left >= 1
        self._buckets[caller] = (left - 1 if allowed else left, now)
        if len(self._buckets) > self._most_buckets:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = math.ceil((1 - left) / self._capacity * MINUTE / SECOND)
            raise RateLimited(f"Too many attempts. Try again in {wait} seconds.", wait)

    def __len__(self) -> int:
        return len(self._buckets)


def caller_address(request: Request) -> str:
    """Whose attempts count together: an IPv4 address, or an IPv6 network of one household (/64)."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))
