"""The list of errors: what fails, how often, since when, and what came back."""

from dataclasses import dataclass

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from miniapm.domain.errors.values import State
from miniapm.domain.ranges import TimeRange
from miniapm.storage.connection import Connection
from miniapm.storage.errors.counts import sum_counts
from miniapm.storage.errors.find import (
    ErrorFilter,
    FoundGroup,
    GroupPage,
    find_groups,
    find_last_error,
)
from miniapm.storage.releases import find_release_ids, find_served_lanes
from miniapm.web.addresses import base_url
from miniapm.web.auth import Caller
from miniapm.web.cursors import encode_cursor
from miniapm.web.filters import RANGES, PageFilter, find_lane_choices, read_filter
from miniapm.web.pages.deploy_words import first_line
from miniapm.web.pages.empty import EmptyState, find_empty_state
from miniapm.web.pages.error_words import STATE_WORDS, tell_state
from miniapm.web.ranges import with_default_range
from miniapm.web.render import render
from miniapm.web.sparklines import draw_sparkline
from miniapm.web.time_zone import Zone, find_zone
from miniapm.web.times import tell_short

PAGE_SIZE = 30
_SPARK_POINTS = 24


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One error. `count` is of the time and the environment that are shown; `spark` an SVG."""

    id: int
    exception_class: str
    message: str
    culprit: str
    service: str
    envs: tuple[str, ...]
    count: int
    spark: Markup
    first_seen: Markup
    last_seen: Markup
    state: State
    mark: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave. `last_seen_at` is None where no error ever came."""

    page: GroupPage
    counts: dict[int, list[int]]
    lanes: list[tuple[str, str]]
    last_seen_at: int | None


@dataclass(frozen=True, slots=True)
class ErrorsView:
    """`older` and `newest` are queries of this page, "" where there is none."""

    filter: PageFilter
    envs: tuple[str, ...]
    services: tuple[str, ...]
    states: tuple[tuple[str, str], ...]
    ranges: tuple[tuple[str, str], ...]
    rows: tuple[ErrorRow, ...]
    older: str
    newest: str
    is_narrowed: bool
    last_seen_at: int | None
    empty: EmptyState | None
    command: str


async def get_errors(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    wanted = await with_default_range(caller, read_filter(request.query_params))
    zone = find_zone(request)
    time_range = wanted.to_time_range(context.clock())
    found = await context.database.read(_find, project.id, wanted, time_range)
    empty = await find_empty_state(request, caller) if found.last_seen_at is None else None
    after = found.page.after
    envs, services = find_lane_choices(found.lanes, wanted)
    view = ErrorsView(
        filter=wanted.as_shown(),
        envs=envs,
        services=services,
        states=tuple(STATE_WORDS.items()),
        ranges=RANGES,
        rows=tuple(_tell(group, found.counts, zone) for group in found.page.groups),
        older=wanted.query(cursor=encode_cursor(after)) if after is not None else "",
        newest=wanted.query() or "?" if wanted.cursor else "",
        is_narrowed=any((wanted.env, wanted.service, wanted.state, wanted.q)),
        last_seen_at=found.last_seen_at,
        empty=empty,
        command=write_command(base_url(request, context)),
    )
    return render(request, caller, "errors.html", view)


def write_command(base: str) -> str:
    """A curl that records an error; prints the answer and the status code."""
    return (
        f"curl -sS -w '%{{http_code}}\\n' {base}/ingest/errors \\\n"
        '  -H "Authorization: Bearer $MINIAPM_API_KEY" \\\n'
        """  -d '{"exception_class": "NotFound", "message": "No user 42","""
        """ "backtrace": ["app/users.rb:7:in find"]}'"""
    )


def _find(
    connection: Connection, project_id: int, wanted: PageFilter, time_range: TimeRange
) -> Found:
    page = find_groups(
        connection,
        project_id,
        ErrorFilter(
            env=wanted.env or None,
            service=wanted.service or None,
            state=wanted.state or None,
            query=wanted.q or None,
            since=time_range.since,
            until=time_range.until if wanted.until else None,
        ),
        PAGE_SIZE,
        wanted.to_cursor(),
    )
    steps = time_range.coarser(_SPARK_POINTS)
    return Found(
        page=page,
        counts=sum_counts(
            connection,
            project_id,
            [found.group.id for found in page.groups],
            steps.starts,
            steps.resolution_minutes,
            find_release_ids(connection, project_id, wanted.env or None, None),
        ),
        lanes=find_served_lanes(connection, project_id),
        last_seen_at=find_last_error(connection, project_id),
    )


def _tell(found: FoundGroup, counts: dict[int, list[int]], zone: Zone) -> ErrorRow:
    group = found.group
    return ErrorRow(
        id=group.id,
        exception_class=group.exception_class,
        message=first_line(group.message),
        culprit=group.culprit,
        service=group.service,
        envs=tuple(found.envs),
        count=sum(counts[group.id]),
        spark=draw_sparkline(counts[group.id]),
        first_seen=tell_short(group.first_seen_at, zone),
        last_seen=tell_short(group.last_seen_at, zone),
        state=group.state,
        mark=tell_state(group),
    )
