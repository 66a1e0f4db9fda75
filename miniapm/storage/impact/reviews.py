"""What people say of verdicts: dismissed or confirmed, with a note."""

from miniapm.domain.impact.values import Decision, Review
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.versions import count_up


def find_review(connection: Connection, project_id: int, deploy_id: int) -> Review | None:
    """The last word on a deploy's verdict; None where nobody said anything."""
    row = connection.execute(
        """/* impact_reviews.get */ select decision, note, actor, reviewed_at from impact_reviews
        where project_id = :project_id and deploy_id = :deploy_id""",
        {"project_id": project_id, "deploy_id": deploy_id},
    ).fetchone()
    return None if row is None else Review(*row)


def review_verdict(
    connection: Connection,
    act: Act,
    project_id: int,
    deploy_id: int,
    decision: Decision | None,
    words: str,
) -> Review | None:
    """Keeps what a person says of a verdict, over what was said before; None takes it back.

    The trail of all of it is in the audit. NotFound without such a deploy.
    """
    deploy = get_deploy(connection, project_id, deploy_id)
    count_up(connection, [(project_id, deploy.service)])
    if decision is None:
        connection.execute(
            """/* impact_reviews.delete */ delete from impact_reviews
            where project_id = :project_id and deploy_id = :deploy_id""",
            {"project_id": project_id, "deploy_id": deploy_id},
        )
        _touch(connection, act.at, project_id, deploy_id)
        note(connection, act, project_id, "impact.unreview", str(deploy_id), words)
        return None
    connection.execute(
        """/* impact_reviews.store */ insert into impact_reviews
            (deploy_id, project_id, decision, note, actor, reviewed_at)
        values (:deploy_id, :project_id, :decision, :note, :actor, :at)
        on conflict (deploy_id) do update set decision = excluded.decision,
            note = excluded.note, actor = excluded.actor, reviewed_at = excluded.reviewed_at""",
        {
            "deploy_id": deploy_id,
            "project_id": project_id,
            "decision": decision,
            "note": words,
            "actor": act.actor,
            "at": act.at,
        },
    )
    note(connection, act, project_id, f"impact.{decision}", str(deploy_id), words)
    return Review(decision, words, act.actor, act.at)


def _touch(connection: Connection, at: int, project_id: int, deploy_id: int) -> None:
    """Open pages hear of what changed by the newest instant; what is deleted has none."""
    connection.execute(
        """/* impacts.touch */ update impacts set changed_at = :at
        where project_id = :project_id and deploy_id = :deploy_id and changed_at < :at""",
        {"project_id": project_id, "deploy_id": deploy_id, "at": at},
    )
