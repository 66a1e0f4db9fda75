"""The errors that are new since a deploy."""

from dataclasses import dataclass
from urllib.parse import urlencode

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.errors.values import Group
from miniapm.storage.errors.find import NewGroups

MOST_ERRORS = 10


@dataclass(frozen=True, slots=True)
class NewErrors:
    """`more` are not among `groups`; `query` is of the list that has them."""

    groups: tuple[Group, ...]
    total: int
    more: int
    query: str


def tell_new_errors(
    deploy: Deploy, found: NewGroups | None, *, has_telemetry: bool
) -> NewErrors | None:
    """None where the deploy never went live, or nothing would tell its errors."""
    if found is None or not (found.groups or has_telemetry):
        return None
    names = {"env": deploy.env, "service": deploy.service, "range": "90d"}
    return NewErrors(
        groups=tuple(found.groups),
        total=found.total,
        more=found.total - len(found.groups),
        query=f"?{urlencode(names)}",
    )
