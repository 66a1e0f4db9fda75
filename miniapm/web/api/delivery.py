"""The delivery metrics over the JSON API, and the deploys behind them.

The docstring of each handler stands in the OpenAPI document.
"""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from miniapm.clock import to_rfc3339
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.instants import parse_instant_or_date
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.behind import Listed, Part, find_listed
from miniapm.storage.delivery.numbers import find_numbers
from miniapm.storage.delivery.report import find_report
from miniapm.storage.deploys.find import Cursor
from miniapm.web.addresses import base_url
from miniapm.web.api.behind_bodies import CountedList, to_counted_deploy
from miniapm.web.api.delivery_bodies import (
    BehindQuery,
    DeliveryBody,
    StretchQuery,
    to_bands_body,
    to_left_out_body,
    to_metrics_body,
    to_period_body,
)
from miniapm.web.api.queries import Problems, choose_project, parse_with, read_query
from miniapm.web.auth import Caller
from miniapm.web.cursors import decode_cursor, encode_cursor
from miniapm.web.delivery_stretch import Shown, find_stretch
from miniapm.web.filters import PageFilter
from miniapm.web.json_answers import answer_json
from miniapm.web.time_zone import Zone, make_zone


async def show_delivery(request: Request, caller: Caller) -> Response:
    """Shows the five delivery metrics of a time, whole and period by period.

    null says that there is no data, which is not zero; every number has its n beside it.
    `/api/v1/delivery/deploys` lists the deploys behind each.
    """
    problems: Problems = {}
    query = read_query(request, StretchQuery, problems)
    now, context = caller.context.clock(), caller.context
    shown, zone = _read_stretch(query, now, problems)
    project = await choose_project(caller, problems)
    rules = context.config.delivery_rules
    found = await context.database.read(
        find_numbers, project.id, shown.asked, shown.period, zone.rules, rules, now
    )
    since, until, env, service = shown.asked
    wanted = PageFilter(
        env=env or "", service=service or "", since=to_rfc3339(since), until=to_rfc3339(until)
    )
    return answer_json(
        DeliveryBody(
            project=project.slug,
            env=env,
            service=service,
            envs=list(found.report.envs),
            period=shown.period,
            tz=zone.name,
            since=to_rfc3339(since),
            until=to_rfc3339(until),
            metrics=to_metrics_body(found.summary.whole),
            bands=to_bands_body(found.summary),
            periods=[to_period_body(one) for one in found.summary.periods],
            services={name: to_metrics_body(m) for name, m in found.by_service.items()},
            left_out=to_left_out_body(found.report.left_out),
            page=f"{base_url(request, context)}/p/{project.slug}/delivery{wanted.query()}",
        )
    )


async def list_behind(request: Request, caller: Caller) -> Response:
    """Lists exactly the deploys that stand behind a delivery metric, newest first.

    `list=left_out.hidden` and the like are the deploys that a field of `left_out` counts. Takes the
    same time, environment and service as `/api/v1/delivery`. Follow `next_cursor` for more.
    """
    problems: Problems = {}
    query = read_query(request, BehindQuery, problems)
    now, context = caller.context.clock(), caller.context
    shown, _ = _read_stretch(query, now, problems)
    after = parse_with("cursor", query.cursor, decode_cursor, problems)
    project = await choose_project(caller, problems)
    found = await context.database.read(
        _list, project.id, shown, context.config.delivery_rules, query, after
    )
    pages = f"{base_url(request, context)}/p/{project.slug}/deploys"
    items = [to_counted_deploy(deploy, outcome, found, pages) for deploy, outcome in found.deploys]
    return answer_json(
        CountedList(items, None if found.after is None else encode_cursor(found.after))
    )


def _read_stretch(query: StretchQuery, now: int, problems: Problems) -> tuple[Shown, Zone]:
    """The time asked for; where there are problems, some other."""
    zone = make_zone(query.tz)
    if zone is None:
        problems["tz"] = "is no time zone that is known here, such as Europe/Berlin"
    parse = partial(parse_instant_or_date, zone=(zone or Zone()).rules)
    since = _read_one_of("since", query.since, "from", query.from_, parse, problems)
    until = _read_one_of("until", query.until, "to", query.to, parse, problems)
    if query.range and (since or until):
        problems["range"] = "does not go together with instants"
    if since is not None and since >= (now + 1 if until is None else until):
        problems["since" if query.since else "from"] = "must lie before the end"
    wanted = PageFilter(env=query.env or "", service=query.service or "")
    if not problems:
        wanted = wanted._replace(
            range=query.range or "",
            since="" if since is None else to_rfc3339(since),
            until="" if until is None else to_rfc3339(until),
        )
    zone = zone or Zone()
    return find_stretch(wanted, query.period or "", now, zone), zone


def _read_one_of(
    name: str,
    text: str | None,
    alias: str,
    same: str | None,
    parse: Callable[[str], int],
    problems: Problems,
) -> int | None:
    """The instant under either name; both must agree."""
    instant = parse_with(name, text, parse, problems)
    other = parse_with(alias, same, parse, problems)
    if instant is not None and other is not None and instant != other:
        problems[alias] = f"differs from {name}, and means the same"
    return other if instant is None else instant


def _list(
    connection: Connection,
    project_id: int,
    shown: Shown,
    rules: DeliveryRules,
    query: BehindQuery,
    after: Cursor | None,
) -> Listed:
    stretch = find_report(connection, project_id, shown.asked, rules).stretch
    part = Part(query.limit, after=after)
    return find_listed(connection, project_id, query.list, shown.asked, stretch, rules, part)
