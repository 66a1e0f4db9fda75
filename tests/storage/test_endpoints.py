"""Endpoints with their figures: right against the calls themselves, sorted, narrowed, compared."""

import random
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import pytest

from miniapm.clock import DAY, HOUR, MINUTE
from miniapm.domain.spans.comparisons import Window
from miniapm.exceptions import NotFound
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.endpoints.find import (
    SORTS,
    EndpointFigures,
    EndpointFilter,
    Order,
    find_endpoint_page,
)
from miniapm.storage.endpoints.sums import get_endpoint, get_endpoint_times
from tests.factories import START, make_database, make_deploy
from tests.traffic import Call, add_calls

NOW = START - START % HOUR + 30 * MINUTE
DAY_LONG = Window(NOW - DAY, NOW)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    connection = make_database(tmp_path / "miniapm.db", "default", "other")
    yield connection
    connection.close()


def find(
    connection: Connection,
    wanted: EndpointFilter = EndpointFilter(),  # noqa: B008 - a value
    order: Order = Order(),  # noqa: B008 - a value
    shown: Window = DAY_LONG,
    project_id: int = 1,
) -> list[EndpointFigures]:
    return find_endpoint_page(connection, project_id, wanted, order, shown, NOW).rows


def names(rows: list[EndpointFigures]) -> list[str]:
    return [row.endpoint.name for row in rows]


def exact(durations: list[int], share: float) -> int:
    return sorted(durations)[ceil(share * len(durations)) - 1]


def test_figures_are_those_of_the_calls(connection: Connection) -> None:
    rng = random.Random(1)  # noqa: S311 - figures, not secrets
    calls = [
        Call(
            NOW - rng.randrange(DAY),
            int(10 ** rng.uniform(2, 6)),
            rng.choice(("GET /", "POST /cart")),
            failed=rng.random() < 0.1,
            version=rng.choice(("v1", "v2")),
        )
        for _ in range(3000)
    ]
    add_calls(connection, calls)
    page = find_endpoint_page(connection, 1, EndpointFilter(), Order(), DAY_LONG, NOW)
    assert page.total == 2
    assert page.duration_us == sum(call.duration_us for call in calls)
    for row in page.rows:
        own = [call for call in calls if call.endpoint == row.endpoint.name]
        durations = [call.duration_us for call in own]
        assert row.calls == len(own)
        assert row.failed == sum(call.failed for call in own)
        assert row.duration_us == sum(durations)
        assert row.p50_us == pytest.approx(exact(durations, 0.5), rel=0.025)
        assert row.p95_us == pytest.approx(exact(durations, 0.95), rel=0.025)
        assert row.p99_us == pytest.approx(exact(durations, 0.99), rel=0.025)
        assert row.change is None


def test_figures_around_a_deploy_are_those_of_the_calls(connection: Connection) -> None:
    """The pieces that the time is cut into at a deploy add up to the same."""
    rng = random.Random(2)  # noqa: S311 - figures, not secrets
    deployed = NOW - 5 * HOUR - 13 * MINUTE
    insert_row(connection, make_deploy(deployed_at=deployed, version="v2"))
    calls = [
        Call(at, int(10 ** rng.uniform(3, 5)) * (3 if at > deployed else 1))
        for at in (NOW - rng.randrange(2 * DAY) for _ in range(4000))
    ]
    add_calls(connection, calls)
    [row] = find(connection)
    inside = [c.duration_us for c in calls if DAY_LONG.since <= c.at < DAY_LONG.until]
    assert row.calls == len(inside)
    assert row.p95_us == pytest.approx(exact(inside, 0.95), rel=0.025)
    after_from = deployed - deployed % (10 * MINUTE) + 10 * MINUTE
    before_to = after_from - 10 * MINUTE
    length = NOW - after_from
    after = [c.duration_us for c in calls if after_from <= c.at < NOW]
    before = [c.duration_us for c in calls if before_to - length <= c.at < before_to]
    assert row.change is not None
    assert (row.change.before_calls, row.change.after_calls) == (len(before), len(after))
    assert row.change.before_p95_us == pytest.approx(exact(before, 0.95), rel=0.025)
    assert row.change.after_p95_us == pytest.approx(exact(after, 0.95), rel=0.025)
    assert row.deploy is not None
    assert row.deploy.name == "v2"


def test_a_change_looks_back_to_before_the_time_shown(connection: Connection) -> None:
    deployed = NOW - HOUR
    insert_row(connection, make_deploy(deployed_at=deployed))
    add_calls(connection, [Call(deployed - 30 * MINUTE)] * 60 + [Call(deployed + MINUTE)] * 70)
    [row] = find(connection, shown=Window(deployed - MINUTE, NOW))
    assert row.calls == 70
    assert row.change is not None
    assert (row.change.before_calls, row.change.after_calls) == (60, 70)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "failed"},
        {"hidden_at": START},
        {"service": "another"},
        {"deployed_at": NOW - DAY - HOUR},
        {"deployed_at": NOW + MINUTE},
    ],
)
def test_only_a_live_deploy_of_the_service_in_this_time_counts(
    connection: Connection, fields: dict[str, object]
) -> None:
    insert_row(connection, make_deploy(**{"deployed_at": NOW - HOUR, **fields}))
    add_calls(connection, [Call(NOW - 2 * HOUR), Call(NOW - MINUTE)])
    [row] = find(connection)
    assert (row.change, row.deploy) == (None, None)


def test_of_several_environments_the_busiest_is_compared(connection: Connection) -> None:
    for number, env in enumerate(("production", "staging"), 1):
        deploy = make_deploy(id=number, env=env, deployed_at=NOW - number * HOUR)
        insert_row(connection, deploy)
    add_calls(
        connection,
        [Call(NOW - MINUTE, env="production")] * 9 + [Call(NOW - MINUTE, env="staging")] * 10,
    )
    [row] = find(connection)
    assert row.deploy is not None
    assert row.change is not None
    assert (row.deploy.env, row.change.after_calls) == ("staging", 10)
    [row] = find(connection, EndpointFilter(env="production"))
    assert row.deploy is not None
    assert row.change is not None
    assert (row.deploy.env, row.change.after_calls) == ("production", 9)


def fill_for_sorting(connection: Connection) -> None:
    """Each of a, b, c is first by something; only c was called often enough to be compared."""
    insert_row(connection, make_deploy(deployed_at=NOW - HOUR))
    add_calls(
        connection,
        [Call(NOW - 2 * HOUR, 1_000, "c")] * 60
        + [Call(NOW - MINUTE, 4_000, "c")] * 60
        + [Call(NOW - MINUTE, 900_000, "a")]
        + [Call(NOW - MINUTE, 20_000, "b", failed=True)] * 2
        + [Call(NOW - MINUTE, 500_000, "b")] * 1,
    )


@pytest.mark.parametrize(
    ("sort", "falling", "rising"),
    [
        ("name", "cba", "abc"),
        ("calls", "cba", "abc"),
        ("time", "abc", "cba"),
        ("p50", "abc", "cba"),
        ("p95", "abc", "cba"),
        ("p99", "abc", "cba"),
        ("errors", "bac", "acb"),
        ("change", "cab", "cab"),
    ],
)
def test_sorted_by_each_figure_both_ways(
    connection: Connection, sort: str, falling: str, rising: str
) -> None:
    fill_for_sorting(connection)
    order = Order(sort)  # type: ignore[arg-type]
    assert "".join(names(find(connection, order=order))) == falling
    rows = find(connection, order=order._replace(descending=False))
    assert "".join(names(rows)) == rising


@pytest.mark.parametrize("sort", SORTS)
def test_a_page_is_a_part_of_the_whole_order(connection: Connection, sort: str) -> None:
    calls = [Call(NOW - HOUR, 1000 * n, f"GET /{n:03}") for n in range(1, 31) for _ in range(n)]
    add_calls(connection, calls)
    whole = names(find(connection, order=Order(sort)))  # type: ignore[arg-type]
    assert len(set(whole)) == 30
    parts = [
        name
        for offset in range(0, 40, 5)
        for name in names(find(connection, order=Order(sort, True, offset, 5)))  # type: ignore[arg-type]
    ]
    assert parts == whole


def test_few_of_many_have_the_same_figures(connection: Connection) -> None:
    """Those of a page may be read one by one or all at once."""
    calls = [Call(NOW - n * MINUTE, 1000 * n, f"GET /{n}") for n in range(1, 31)]
    add_calls(connection, calls)
    all_rows = {row.endpoint.name: row for row in find(connection)}
    [row] = find(connection, EndpointFilter(query="/17"))
    assert row == all_rows["GET /17"]


def test_filters_narrow(connection: Connection) -> None:
    add_calls(
        connection,
        [
            Call(NOW - HOUR, endpoint="GET /a"),
            Call(NOW - HOUR, endpoint="GET /a", env="staging"),
            Call(NOW - HOUR, endpoint="GET /b", service="worker"),
            Call(NOW - 25 * HOUR, endpoint="GET /old"),
        ],
    )
    assert sorted(names(find(connection))) == ["GET /a", "GET /b"]
    assert [(r.endpoint.name, r.calls) for r in find(connection, EndpointFilter("staging"))] == [
        ("GET /a", 1)
    ]
    assert names(find(connection, EndpointFilter(None, "worker"))) == ["GET /b"]
    assert names(find(connection, EndpointFilter(query="get /A"))) == ["GET /a"]
    assert names(find(connection, EndpointFilter(query="%"))) == []
    assert names(find(connection, EndpointFilter("production", "worker", "/b"))) == ["GET /b"]
    assert names(find(connection, EndpointFilter("nowhere"))) == []


def test_the_time_of_all_is_that_of_all_even_when_searched(connection: Connection) -> None:
    add_calls(connection, [Call(NOW - HOUR, 1000, "a"), Call(NOW - HOUR, 3000, "b")])
    page = find_endpoint_page(connection, 1, EndpointFilter(query="a"), Order(), DAY_LONG, NOW)
    assert (page.total, page.duration_us) == (1, 4000)


def test_projects_do_not_see_each_other(connection: Connection) -> None:
    add_calls(connection, [Call(NOW - HOUR, endpoint="GET /mine")])
    add_calls(connection, [Call(NOW - HOUR, endpoint="GET /theirs")] * 2, 2)
    add_calls(connection, [Call(NOW - HOUR, endpoint="GET /too")], 2)
    assert names(find(connection)) == ["GET /mine"]
    assert names(find(connection, project_id=2)) == ["GET /theirs", "GET /too"]
    assert get_endpoint(connection, 1, 1).name == "GET /mine"
    assert get_endpoint(connection, 2, 1).name == "GET /theirs"
    with pytest.raises(NotFound):
        get_endpoint(connection, 1, 2)


def test_times_are_the_first_and_the_last_call(connection: Connection) -> None:
    first, last = NOW - 2 * DAY, NOW - HOUR + 7 * MINUTE
    add_calls(connection, [Call(first), Call(last + 1)])
    assert get_endpoint_times(connection, 1, 1) == (first, last)
    with pytest.raises(NotFound):
        get_endpoint_times(connection, 2, 1)
