"""The endpoints of a project with their figures of a stretch of time: sorted, one page of them.

Counts are added up by SQLite; histograms, which cost most, are read for one page only, unless it is
sorted by what is in them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from miniapm.domain.spans.comparisons import Change, Window
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.markers import Marker
from miniapm.storage.endpoints.spreads import (
    ComparedLane,
    Spread,
    find_compared_lanes,
    find_spreads,
)
from miniapm.storage.endpoints.sums import Counted, find_counted
from miniapm.storage.releases import Endpoint, find_endpoints, find_releases

Sort = Literal["name", "calls", "time", "p50", "p95", "p99", "errors", "change"]
SORTS: tuple[Sort, ...] = get_args(Sort)


class EndpointFilter(NamedTuple):
    """Which endpoints; None where it does not matter. `query` is looked for in their names."""

    env: str | None = None
    service: str | None = None
    query: str | None = None


class Order(NamedTuple):
    """What they are sorted by, and which of them are wanted; what has no value comes last."""

    sort: Sort = "time"
    descending: bool = True
    offset: int = 0
    limit: int = 100


class EndpointSum(NamedTuple):
    """What was counted of an endpoint; the time is a sum in µs."""

    endpoint: Endpoint
    calls: int
    failed: int
    duration_us: int


class EndpointFigures(NamedTuple):
    """An endpoint with all of its figures, times in µs. `change` is measured around `deploy`; both
    are None where its service was not deployed in this time."""

    endpoint: Endpoint
    calls: int
    failed: int
    duration_us: int
    p50_us: int | None
    p95_us: int | None
    p99_us: int | None
    change: Change | None
    deploy: Marker | None


Row = TypeVar("Row", bound=EndpointSum | EndpointFigures)


class EndpointPage(NamedTuple):
    """`total` counts all that match. `duration_us` is the time that all endpoints took together,
    whatever their names."""

    rows: list[EndpointFigures]
    total: int
    duration_us: int


class EndpointFinder:
    """Looks at what the endpoints of a project did in `shown`, as of `now` (µs)."""

    def __init__(
        self,
        connection: Connection,
        project_id: int,
        env: str | None,
        service: str | None,
        shown: Window,
        now: int,
    ) -> None:
        self._connection = connection
        self._project_id = project_id
        self._shown = shown
        self._now = now
        self._releases = find_releases(connection, project_id, env, service)
        self._counted = find_counted(connection, project_id, self._releases, *shown)
        self.sums = _add_up(find_endpoints(connection, project_id), self._counted)

    def find_figures(
        self, sums: Sequence[EndpointSum], lanes: Mapping[str, ComparedLane]
    ) -> list[EndpointFigures]:
        """All figures of some endpoints, in their order."""
        release_ids = frozenset(release.id for release in self._releases)
        spreads: dict[int, Spread] = {}
        for service, endpoint_ids in _group(sums).items():
            spreads |= find_spreads(
                self._connection, self._project_id, endpoint_ids, release_ids,
                lanes.get(service), self._shown,
            )  # fmt: skip
        return [_tell(one, spreads[one.endpoint.id], lanes) for one in sums]

    def find_compared_lanes(self) -> dict[str, ComparedLane]:
        """What changes are measured around, by service."""
        calls: dict[int, int] = {}
        for counted in self._counted:
            calls[counted.release_id] = calls.get(counted.release_id, 0) + counted.calls
        return find_compared_lanes(
            self._connection, self._project_id, self._releases, calls, *self._shown, self._now
        )


def find_endpoint_page(
    connection: Connection,
    project_id: int,
    wanted: EndpointFilter,
    order: Order,
    shown: Window,
    now: int,
) -> EndpointPage:
    """The endpoints that were called in `shown`."""
    finder = EndpointFinder(connection, project_id, wanted.env, wanted.service, shown, now)
    matching = [one for one in finder.sums if _matches(one.endpoint.name, wanted.query)]
    lanes = finder.find_compared_lanes()
    if order.sort in _SUM_KEYS:
        rows = finder.find_figures(_take(matching, order, _SUM_KEYS[order.sort]), lanes)
    else:
        rows = _take(finder.find_figures(matching, lanes), order, _FIGURE_KEYS[order.sort])
    time = sum(one.duration_us for one in finder.sums)
    return EndpointPage(rows, len(matching), time)


def _add_up(endpoints: dict[int, Endpoint], counted: Iterable[Counted]) -> list[EndpointSum]:
    found: dict[int, list[int]] = {}
    for endpoint_id, _, count, failed, duration in counted:
        sums = found.setdefault(endpoint_id, [0, 0, 0])
        sums[0] += count
        sums[1] += failed
        sums[2] += duration
    return [EndpointSum(endpoints[key], *sums) for key, sums in found.items()]


def _matches(name: str, query: str | None) -> bool:
    return query is None or query.casefold() in name.casefold()


def _group(sums: Iterable[EndpointSum]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for one in sums:
        found.setdefault(one.endpoint.service, set()).add(one.endpoint.id)
    return found


def _tell(one: EndpointSum, spread: Spread, lanes: Mapping[str, ComparedLane]) -> EndpointFigures:
    lane = lanes.get(one.endpoint.service)
    return EndpointFigures(*one, *spread, None if lane is None else lane.deploy)


def _take(rows: Iterable[Row], order: Order, key: Callable[[Row], Any]) -> list[Row]:
    by_name = sorted(rows, key=_fold_name)
    valued = [row for row in by_name if key(row) is not None]
    valued.sort(key=key, reverse=order.descending)
    rest = [row for row in by_name if key(row) is None]
    return [*valued, *rest][order.offset : order.offset + order.limit]


def _fold_name(row: EndpointSum | EndpointFigures) -> tuple[str, str]:
    return row.endpoint.name.casefold(), row.endpoint.service


_SUM_KEYS: dict[Sort, Callable[[EndpointSum], Any]] = {
    "name": _fold_name,
    "calls": lambda row: row.calls,
    "time": lambda row: row.duration_us,
    "errors": lambda row: row.failed / row.calls if row.calls else 0.0,
}
_FIGURE_KEYS: dict[Sort, Callable[[EndpointFigures], Any]] = {
    "p50": lambda row: row.p50_us,
    "p95": lambda row: row.p95_us,
    "p99": lambda row: row.p99_us,
    "change": lambda row: None if row.change is None else row.change.share,
}
