"""What became of the deploys of a service from some moment on, remembered until anything of it
changes."""

from collections.abc import Sequence
from typing import NamedTuple

from miniapm.domain.delivery.values import LeadTimes, Outcome
from miniapm.domain.deploys.values import Lane
from miniapm.storage.connection import Connection
from miniapm.storage.delivery.commits import find_lead_times
from miniapm.storage.delivery.live import tell_lane
from miniapm.storage.delivery.marks import Marks
from miniapm.storage.deploys.versions import find_version

# measured; a little more than they take
_OUTCOME_BYTES, _WAIT_BYTES = 600, 48


class Story(NamedTuple):
    """Outcomes by lane, lead times by deploy: to this day."""

    outcomes: list[Outcome]
    lead_times: list[LeadTimes]


def tell_service(connection: Connection, lanes: Sequence[Lane], since: int, marks: Marks) -> Story:
    """Of the live deploys at or after `since` in `lanes`, all of one service."""
    project_id, service = lanes[0].project_id, lanes[0].service
    key = ("delivery", project_id, service, since, *(lane.env for lane in lanes))
    version = find_version(connection, project_id, service)
    found: Story | None = connection.memory.find(key, version)
    if found is not None:
        return found
    outcomes = [o for lane in lanes for o in tell_lane(connection, lane, since, marks)]
    story = Story(outcomes, find_lead_times(connection, lanes, outcomes, since))
    size = measure_story(outcomes, story.lead_times)
    connection.memory.keep(key, version, story, size)
    return story


def measure_story(outcomes: Sequence[Outcome], lead_times: Sequence[LeadTimes]) -> int:
    """How many bytes they take in memory, about."""
    waits = sum(len(lead.waits) for lead in lead_times)
    return len(outcomes) * _OUTCOME_BYTES + waits * _WAIT_BYTES
