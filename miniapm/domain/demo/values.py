"""The words of the demonstration: what a shop serves, what a version does to it, what is sent."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from miniapm.domain.deploys.values import Status

Service = Literal["web", "worker"]
SERVICES: tuple[Service, ...] = ("web", "worker")
PRODUCTION, STAGING = "production", "staging"


class Lane(NamedTuple):
    """A service in an environment."""

    service: Service
    env: str


LANES = tuple(Lane(service, env) for env in (PRODUCTION, STAGING) for service in SERVICES)


class Call(NamedTuple):
    """A call that a request makes: from `begin` to `end` (shares of its duration), `times` times
    one after the other. `text` is the query, or the address."""

    kind: Literal["query", "http", "publish"]
    text: str
    begin: float
    end: float
    times: int = 1


class Endpoint(NamedTuple):
    """What a service does, `rate` times a minute at the busiest, and how long it takes: the median
    in µs, and the spread of its logarithm. `path` is an example with {} for a number."""

    service: Service
    name: str
    rate: float
    median_us: int
    spread: float
    path: str
    calls: tuple[Call, ...]


class Fault(NamedTuple):
    """An error as it is reported; the stack trace as its language prints it. `line` is the line of
    source where it happened, with those around it."""

    exception_class: str
    message: str
    stacktrace: str
    file: str = ""
    lineno: int = 0
    lines: tuple[str, ...] = ()


class Effect(NamedTuple):
    """What versions do to an endpoint: it takes `factor` times as long, a share `failing` of its
    requests fails with `fault`. Holds from version `first` on, up to and with `last` (None: from
    then on)."""

    endpoint: str
    first: str
    last: str | None
    factor: float = 1.0
    failing: float = 0.0
    fault: Fault | None = None
    calls: tuple[Call, ...] | None = None


class Change(NamedTuple):
    """A commit."""

    subject: str
    author: str


class DemoDeploy(NamedTuple):
    """A deploy. `at` is µs before now (negative), `took` how long it ran. One that is not announced
    shows in telemetry alone."""

    lane: Lane
    version: str
    at: int
    took: int
    deployer: str
    title: str = ""
    status: Status = "succeeded"
    tags: tuple[str, ...] = ()
    description: str = ""
    changes: Sequence[Change] = ()
    is_announced: bool = True
