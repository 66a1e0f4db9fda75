"""The JSON of endpoints: what the API answers, and what its document is made from."""

from typing import Annotated

import msgspec
from msgspec import Meta

from miniapm.clock import to_rfc3339
from miniapm.storage.endpoints.find import EndpointFigures
from miniapm.storage.endpoints.sums import EndpointTimes
from miniapm.web.api.deploy_bodies import DateTime, Id, Page
from miniapm.web.api.queries import ListQuery

Micros = Annotated[int | None, Meta(description="µs, at most 2.2 % off; null without calls")]


class EndpointQuery(ListQuery, frozen=True, kw_only=True):
    """What the list of endpoints takes."""


class EndpointBody(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with its figures of the time that was asked for."""

    id: Id
    service: str
    name: str
    count: Annotated[int, Meta(description="Calls")]
    failed: Annotated[int, Meta(description="Calls that failed")]
    error_rate: Annotated[float, Meta(ge=0, le=1, description="Failed calls for each call")]
    duration_us: Annotated[int, Meta(description="All calls together")]
    p50_us: Micros
    p95_us: Micros
    p99_us: Micros
    first_seen_at: Annotated[DateTime, Meta(description="Its first call of all time")]
    last_seen_at: Annotated[DateTime, Meta(description="Its last call of all time, to the minute")]
    page: Page


class EndpointList(msgspec.Struct, frozen=True):
    """A page of endpoints, newest first. `next_cursor` is null on the last one."""

    items: list[EndpointBody]
    next_cursor: str | None


def to_endpoint_body(figures: EndpointFigures, times: EndpointTimes, pages: str) -> EndpointBody:
    """`pages` is the address of the table of endpoints."""
    endpoint = figures.endpoint
    return EndpointBody(
        id=str(endpoint.id),
        service=endpoint.service,
        name=endpoint.name,
        count=figures.calls,
        failed=figures.failed,
        error_rate=figures.failed / figures.calls if figures.calls else 0.0,
        duration_us=figures.duration_us,
        p50_us=figures.p50_us,
        p95_us=figures.p95_us,
        p99_us=figures.p99_us,
        first_seen_at=to_rfc3339(times.first_seen_at),
        last_seen_at=to_rfc3339(times.last_seen_at),
        page=f"{pages}/{endpoint.id}",
    )
