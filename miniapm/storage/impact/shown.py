"""All that is shown of how a deploy was judged, and when anything of that changed."""

from typing import NamedTuple

from miniapm.domain.impact.values import Impact, Review, StoredVerdict
from miniapm.storage.connection import Connection, scalar
from miniapm.storage.deploys.find import find_latest_change
from miniapm.storage.impact.reviews import find_review
from miniapm.storage.impact.verdicts import (
    Transition,
    find_impact,
    find_transitions,
    find_verdicts,
)


class Judgement(NamedTuple):
    """`impact` is None before the deploy was looked at for the first time; `transitions` are what
    it went through, oldest first."""

    impact: Impact | None
    review: Review | None
    transitions: list[Transition]


class Standing(NamedTuple):
    """How it stands with a deploy at `change`, the newest change in its project."""

    verdict: StoredVerdict | None
    change: int


class RegressionCounts(NamedTuple):
    """Deploys that were called regressed, and what people said of that."""

    regressed: int
    dismissed: int
    confirmed: int


def find_judgement(connection: Connection, project_id: int, deploy_id: int) -> Judgement:
    return Judgement(
        find_impact(connection, project_id, deploy_id),
        find_review(connection, project_id, deploy_id),
        find_transitions(connection, project_id, deploy_id),
    )


def find_standing(connection: Connection, project_id: int, deploy_id: int) -> Standing:
    verdicts = find_verdicts(connection, project_id, [deploy_id])
    return Standing(verdicts.get(deploy_id), find_newest_change(connection, project_id))


def find_newest_change(connection: Connection, project_id: int) -> int:
    """The instant of the newest change to any deploy of the project, to a verdict, or to what
    people say of it; 0 when it has none. Looks at the ends of three indexes."""
    verdict = scalar(
        connection,
        """/* impacts.latest_change */ select max(changed_at) from impacts
        where project_id = :project_id""",
        project_id=project_id,
    )
    review = scalar(
        connection,
        """/* impact_reviews.latest */ select max(reviewed_at) from impact_reviews
        where project_id = :project_id""",
        project_id=project_id,
    )
    return max(find_latest_change(connection, project_id), int(verdict or 0), int(review or 0))


def count_regressions(
    connection: Connection,
    project_id: int,
    env: str | None,
    service: str | None,
    since: int,
    until: int,
) -> RegressionCounts:
    """Of the deploys in since <= t < until (µs) that are not hidden; None leaves `env` or `service`
    open."""
    where = ["d.env = :env"] * (env is not None) + ["d.service = :service"] * (service is not None)
    row = connection.execute(
        f"""/* impacts.count_regressed */ select count(*),
            coalesce(sum(case when r.decision = 'dismiss' then 1 else 0 end), 0),
            coalesce(sum(case when r.decision = 'confirm' then 1 else 0 end), 0)
        from deploys d join impacts i on i.deploy_id = d.id
            left join impact_reviews r on r.deploy_id = d.id
        where {" and ".join(["d.project_id = :project_id", *where])} and d.hidden_at is null
            and d.is_left_out = 0 and d.deployed_at >= :since and d.deployed_at < :until
            and i.verdict = 'regressed'""",
        {
            "project_id": project_id,
            "env": env,
            "service": service,
            "since": since,
            "until": until,
        },
    ).fetchone()
    return RegressionCounts(*row)
