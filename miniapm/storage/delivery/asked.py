"""Of which deploys the delivery metrics are asked for."""

from typing import NamedTuple


class Asked(NamedTuple):
    """since <= t < until in µs; None leaves `env` to the settings, and `service` open."""

    since: int
    until: int
    env: str | None = None
    service: str | None = None
