"""The timeline: what was deployed, when, by whom."""

from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from miniapm.clock import DAY
from miniapm.domain.counts import tell_count
from miniapm.domain.deploys.shown import ShownDeploy
from miniapm.domain.deploys.values import Status
from miniapm.domain.impact.minutes import Strip
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import find_lanes
from miniapm.storage.deploys.shown import ShownPage, find_shown
from miniapm.storage.impact.shown import (
    RegressionCounts,
    count_regressions,
    find_newest_change,
)
from miniapm.storage.impact.verdicts import find_strips
from miniapm.web.auth import Caller
from miniapm.web.cursors import encode_cursor
from miniapm.web.filters import RANGES, PageFilter, find_lane_choices, read_filter
from miniapm.web.pages.deploy_words import (
    KIND_WORDS,
    STATUS_WORDS,
    first_line,
    tell_note,
    tell_status,
)
from miniapm.web.pages.empty import EmptyState, find_empty_state
from miniapm.web.render import render
from miniapm.web.strips import draw_strip
from miniapm.web.time_zone import Zone, find_zone
from miniapm.web.times import tell_day
from miniapm.web.verdicts import Mark, tell_mark

PAGE_SIZE = 50
_COUNTED_US = 90 * DAY
_SHOWN_TAGS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One deploy. `sha` is "" where `name` says it already; `kind` is "" for a plain deploy; `note`
    says where nobody announced it or it does not count, `mark` how it was judged; `strip` is its
    small chart."""

    id: int
    at: int
    status: Status
    status_words: str
    kind: str
    reason: str
    name: str
    sha: str
    git_sha: str
    env: str
    service: str
    deployer: str
    title: str
    tags: tuple[str, ...]
    note: str = ""
    mark: Mark | None = None
    strip: Markup | str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """The deploys of one day in the viewer's zone."""

    words: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at the database gave; `change` is the newest change that it saw."""

    page: ShownPage
    strips: dict[int, Strip]
    regressions: RegressionCounts
    lanes: list[tuple[str, str]]
    change: int


@dataclass(frozen=True, slots=True)
class TimelineView:
    """`older` and `newest` are queries of this page, "" where there is none."""

    filter: PageFilter
    envs: tuple[str, ...]
    services: tuple[str, ...]
    statuses: tuple[tuple[str, str], ...]
    ranges: tuple[tuple[str, str], ...]
    days: tuple[Day, ...]
    older: str
    newest: str
    regressions: str
    change: int
    may_restore: bool
    empty: EmptyState | None


async def get_timeline(request: Request, caller: Caller) -> Response:
    project, database = caller.its_project, caller.context.database
    wanted = read_filter(request.query_params)
    now = caller.context.clock()
    found = await database.read(_find, project.id, wanted, now)
    empty = None if found.lanes else await find_empty_state(request, caller)
    after = found.page.after
    envs, services = find_lane_choices(found.lanes, wanted)
    view = TimelineView(
        filter=wanted,
        envs=envs,
        services=services,
        statuses=tuple(STATUS_WORDS.items()),
        ranges=RANGES,
        days=_group(found, find_zone(request), now),
        older=wanted.query(cursor=encode_cursor(after)) if after is not None else "",
        newest=wanted.query() or "?" if wanted.cursor else "",
        regressions=_tell_regressions(found.regressions, wanted),
        change=found.change,
        may_restore=caller.may("member"),
        empty=empty,
    )
    return render(request, caller, "timeline.html", view)


def _find(connection: Connection, project_id: int, wanted: PageFilter, now: int) -> Found:
    deploys = wanted.to_deploys(now)
    page = find_shown(connection, project_id, deploys, PAGE_SIZE, wanted.to_cursor())
    judged = [shown.deploy.id for shown in page.deploys if shown.verdict is not None]
    until = now + 1 if deploys.until is None else deploys.until
    since = until - _COUNTED_US if deploys.since is None else deploys.since
    return Found(
        page=page,
        strips=find_strips(connection, project_id, judged),
        regressions=count_regressions(
            connection, project_id, deploys.env, deploys.service, since, until
        ),
        lanes=find_lanes(connection, project_id),
        change=find_newest_change(connection, project_id),
    )


def _tell_regressions(counts: RegressionCounts, wanted: PageFilter) -> str:
    """ "" where there are none, and where other filters show some of the deploys only."""
    if not counts.regressed or wanted.hidden or wanted.q or wanted.tag or wanted.status:
        return ""
    when = "in this time" if wanted.range or wanted.since or wanted.until else "in 90 days"
    said = [
        word if counts.regressed == 1 else f"{count} of them {word}"
        for count, word in ((counts.dismissed, "dismissed"), (counts.confirmed, "confirmed"))
        if count
    ]
    told = f"{tell_count(counts.regressed, 'regression')} {when}"
    return told + "".join(f", {part}" for part in said)


def _group(found: Found, zone: Zone, now: int) -> tuple[Day, ...]:
    today = zone.local(now).date()
    rows = (tell_row(one, found.strips.get(one.deploy.id)) for one in found.page.deploys)
    by_day = groupby(rows, key=lambda row: zone.local(row.at).date())
    return tuple(Day(tell_day(day, today), tuple(group)) for day, group in by_day)


def tell_row(shown: ShownDeploy, strip: Strip | None = None) -> Row:
    """A deploy as a row shows it."""
    deploy = shown.deploy
    return Row(
        id=deploy.id,
        at=deploy.deployed_at,
        status=deploy.status,
        status_words=tell_status(deploy),
        kind=KIND_WORDS[shown.kind.kind],
        reason=shown.kind.reason,
        name=deploy.name,
        sha="" if deploy.name.startswith(deploy.short_sha) else deploy.short_sha,
        git_sha=deploy.git_sha,
        env=deploy.env,
        service=deploy.service,
        deployer=deploy.deployer or "",
        title=first_line(shown.title or deploy.description),
        tags=deploy.tags[:_SHOWN_TAGS],
        note=tell_note(deploy),
        mark=tell_mark(shown.verdict),
        strip="" if strip is None else draw_strip(strip),
    )
