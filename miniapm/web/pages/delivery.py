"""The delivery page: the five metrics with what stands behind each, and what counts in none."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from miniapm.clock import DAY, to_rfc3339
from miniapm.domain.delivery.periods import PERIOD_NAMES
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.behind import Listed, Part, find_listed
from miniapm.storage.delivery.numbers import Numbers, find_numbers
from miniapm.storage.deploys.find import find_lanes
from miniapm.web.auth import Caller
from miniapm.web.delivery_stretch import DEFAULT_RANGE, Shown, find_stretch
from miniapm.web.filters import RANGES, PageFilter, find_lane_choices
from miniapm.web.pages.delivery_lists import (
    ListedDeploy,
    ListLink,
    link_left_out,
    link_lists,
    tell_listed,
)
from miniapm.web.pages.delivery_query import PAGE_SIZE, DeliveryQuery, read_delivery_query
from miniapm.web.pages.delivery_tiles import PeriodRow, Tile, make_rows, make_tiles, tell_metrics
from miniapm.web.pages.empty import EmptyState, find_empty_state
from miniapm.web.render import render
from miniapm.web.time_zone import Zone, find_zone

_YEAR_US = 365 * DAY


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave; `listed` is the page of the open list."""

    numbers: Numbers
    listed: Listed
    lanes: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """`production` are the environments that count where none is chosen, `counted_envs` those of
    them that have deploys. `empty` is set where the project has no deploy at all."""

    filter: PageFilter
    envs: tuple[str, ...]
    services: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...]
    period: str
    period_links: tuple[tuple[str, str, bool], ...]
    year: str
    since: int
    until: int
    counted_envs: tuple[str, ...]
    production: tuple[str, ...]
    tiles: tuple[Tile, ...]
    rows: tuple[PeriodRow, ...]
    by_service: tuple[tuple[str, tuple[str, ...]], ...]
    lists: tuple[ListLink, ...]
    listed: tuple[ListedDeploy, ...]
    earlier: str
    later: str
    left_out: tuple[ListLink, ...]
    approximate: int
    empty: EmptyState | None


async def get_delivery(request: Request, caller: Caller) -> Response:
    context, project = caller.context, caller.its_project
    zone, now, rules = find_zone(request), context.clock(), context.config.delivery_rules
    query = read_delivery_query(request.query_params)
    shown = find_stretch(query.filter, query.period, now, zone)
    found = await context.database.read(_find, project.id, query, shown, rules, zone, now)
    wanted, summary = _as_shown(query.filter), found.numbers.summary
    envs, services = find_lane_choices(found.lanes, wanted)
    view = DeliveryView(
        filter=wanted,
        envs=envs,
        services=services,
        ranges=_find_ranges(wanted),
        period=shown.period,
        period_links=tuple((p, query.query(period=p), p == shown.period) for p in PERIOD_NAMES),
        year=query.query(range="", **{"from": to_rfc3339(now - _YEAR_US), "to": ""}),
        since=shown.asked.since,
        until=shown.asked.until,
        counted_envs=found.numbers.report.envs,
        production=rules.production,
        tiles=make_tiles(summary, shown.period, zone),
        rows=make_rows(summary, shown, zone, query),
        by_service=tuple((n, tell_metrics(m)) for n, m in found.numbers.by_service.items()),
        lists=link_lists(found.numbers, query, rules),
        listed=tell_listed(found.listed, query, rules, now),
        earlier=query.query(page=str(query.page - 1)) if query.page > 1 else "",
        later=query.query(page=str(query.page + 1)) if found.listed.after else "",
        left_out=link_left_out(found.numbers.report.left_out, query, rules),
        approximate=summary.whole.change_lead_time.approximate,
        empty=None if found.lanes else await find_empty_state(request, caller),
    )
    return render(request, caller, "delivery.html", view)


def _find(
    connection: Connection,
    project_id: int,
    query: DeliveryQuery,
    shown: Shown,
    rules: DeliveryRules,
    zone: Zone,
    now: int,
) -> Found:
    numbers = find_numbers(
        connection, project_id, shown.asked, shown.period, zone.rules, rules, now
    )
    part = Part(PAGE_SIZE, skip=(query.page - 1) * PAGE_SIZE)
    stretch = numbers.report.stretch
    return Found(
        numbers,
        find_listed(connection, project_id, query.behind, shown.asked, stretch, rules, part),
        find_lanes(connection, project_id),
    )


def _as_shown(wanted: PageFilter) -> PageFilter:
    return wanted._replace(range=wanted.range or DEFAULT_RANGE) if wanted.is_open else wanted


def _find_ranges(wanted: PageFilter) -> tuple[tuple[str, str], ...]:
    """Those long enough for deploys, and the one that is chosen."""
    return tuple(r for r in RANGES if r[0].endswith("d") or r[0] == wanted.range)
