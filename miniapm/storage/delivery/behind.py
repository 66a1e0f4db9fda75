"""A page of the deploys behind a delivery number, or of those that stand in none."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from miniapm.domain.delivery.behind import Behind, LeftOutList, find_behind, is_behind, name_behind
from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.delivery.summary import Stretch
from miniapm.domain.delivery.values import LeadTimes, Outcome
from miniapm.domain.deploys.values import Deploy
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.asked import Asked
from miniapm.storage.delivery.left_out import find_left_out
from miniapm.storage.deploys.find import Cursor, find_by_ids

T = TypeVar("T")


class Part(NamedTuple):
    """Which part of a list: at most `limit` past `after`, `skip` of them left out."""

    limit: int
    skip: int = 0
    after: Cursor | None = None


class Listed(NamedTuple):
    """Deploys, newest first, each with its outcome; None where it stands in no number. `named` are
    these and those that their reasons name, by id; `after` is None on the last page."""

    deploys: list[tuple[Deploy, Outcome | None]]
    lead_times: dict[int, LeadTimes]
    named: dict[int, Deploy]
    after: Cursor | None


def find_listed(
    connection: Connection,
    project_id: int,
    what: Behind | LeftOutList,
    asked: Asked,
    stretch: Stretch,
    rules: DeliveryRules,
    part: Part,
) -> Listed:
    """The deploys that the list `what` of the `stretch` that is `asked` for has."""
    if not is_behind(what):
        reason = what.partition(".")[2]
        places = find_left_out(connection, project_id, asked, rules, reason)
        places, after = _cut(places, Cursor._make, part)
        named = find_by_ids(connection, project_id, (place.id for place in places))
        return Listed([(named[place.id], None) for place in places], {}, named, after)
    behind = find_behind(what, stretch.outcomes, stretch.lead_times)[::-1]
    page, after = _cut(behind, lambda outcome: Cursor(outcome.deploy.at, outcome.deploy.id), part)
    named = find_by_ids(connection, project_id, name_behind(page))
    ids = {outcome.deploy.id for outcome in page}
    return Listed(
        [(named[outcome.deploy.id], outcome) for outcome in page],
        {lead.deploy_id: lead for lead in stretch.lead_times if lead.deploy_id in ids},
        named,
        after,
    )


def _cut(
    items: Sequence[T], find_place: Callable[[T], Cursor], part: Part
) -> tuple[list[T], Cursor | None]:
    """That part of `items`, and where the next one begins."""
    if part.after is not None:
        items = [item for item in items if find_place(item) < part.after]
    end = part.skip + part.limit
    page = list(items[part.skip : end])
    return page, find_place(page[-1]) if page and len(items) > end else None
