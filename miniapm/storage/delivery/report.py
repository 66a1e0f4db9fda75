"""All that the delivery metrics of a stretch of time are made of, read and folded at once."""

from collections.abc import Iterable
from typing import NamedTuple

from miniapm.domain.delivery.rules import DeliveryRules
from miniapm.domain.delivery.summary import Stretch
from miniapm.domain.delivery.values import LeadTimes, Outcome
from miniapm.domain.deploys.values import Deploy, Lane
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.asked import Asked
from miniapm.storage.delivery.commits import find_approximate
from miniapm.storage.delivery.lanes import find_counted_lanes, find_first_live
from miniapm.storage.delivery.left_out import LeftOut, count_left_out
from miniapm.storage.delivery.live import tell_lane
from miniapm.storage.delivery.marks import find_marks
from miniapm.storage.delivery.stories import tell_service


class Report(NamedTuple):
    """`envs` are the environments that count and have deploys."""

    stretch: Stretch
    left_out: LeftOut
    envs: tuple[str, ...]


def find_report(
    connection: Connection, project_id: int, asked: Asked, rules: DeliveryRules
) -> Report:
    """Outcomes and lead times of the stretch. Reads the live deploys from `since` to this day, for
    what came after says what failed, and the commits of the stretch."""
    since, until, env, service = asked
    lanes = find_counted_lanes(connection, project_id, env, service, rules)
    marks = find_marks(connection, project_id, rules)
    approximate = find_approximate(connection, project_id)
    outcomes: list[Outcome] = []
    lead_times: list[LeadTimes] = []
    for its_lanes in _group_by_service(lanes):
        story = tell_service(connection, its_lanes, since, marks)
        outcomes += (o for o in story.outcomes if o.deploy.at < until)
        lead_times += (
            lead._replace(is_approximate=True) if lead.deploy_id in approximate else lead
            for lead in story.lead_times
            if lead.at < until
        )
    outcomes.sort(key=lambda o: (o.deploy.at, o.deploy.id))
    lead_times.sort(key=lambda lead: (lead.at, lead.deploy_id))
    left_out = count_left_out(connection, project_id, asked, rules)
    redeploys = sum(outcome.is_redeploy for outcome in outcomes)
    return Report(
        Stretch(since, until, find_first_live(connection, lanes), outcomes, lead_times),
        left_out._replace(redeploys=redeploys),
        tuple(sorted({lane.env for lane in lanes})),
    )


def _group_by_service(lanes: list[Lane]) -> Iterable[list[Lane]]:
    by_service: dict[str, list[Lane]] = {}
    for lane in lanes:
        by_service.setdefault(lane.service, []).append(lane)
    return by_service.values()


def find_outcome(connection: Connection, deploy: Deploy, rules: DeliveryRules) -> Outcome | None:
    """What became of one deploy of its lane; None where it is not live."""
    marks = find_marks(connection, deploy.project_id, rules)
    told = tell_lane(connection, deploy.lane, deploy.deployed_at, marks)
    return next((o for o in told if o.deploy.id == deploy.id), None)
