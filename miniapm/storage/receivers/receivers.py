"""The SQL of receivers. The address is kept hashed: who has it may send."""

import msgspec

from miniapm.clock import MINUTE
from miniapm.domain.receivers.values import SIGNING, Receiver, ReceiverTerms
from miniapm.domain.tokens import hash_token, make_token
from miniapm.exceptions import Conflict, NotFound
from miniapm.storage.audit import Act, note
from miniapm.storage.connection import Connection, Row, scalar
from miniapm.storage.projects import Project

MOST_PER_PROJECT = 50
_SHOWN_CHARACTERS = 6
_SELECT = """select r.id, r.project_id, p.slug, r.kind, r.display, r.secret, r.env, r.service,
    r.workflows, r.branch, r.created_at, r.revoked_at, r.last_used_at
    from receivers r join projects p on p.id = r.project_id"""


class IssuedReceiver(msgspec.Struct, frozen=True):
    """A new receiver. `path` is its address below the server's: it cannot be had again."""

    receiver: Receiver
    path: str


def create_receiver(
    connection: Connection, act: Act, project: Project, terms: ReceiverTerms
) -> IssuedReceiver:
    """A new address, and a secret where the sender can sign; Conflict when the project has as many
    as it may."""
    count = scalar(
        connection,
        """/* receivers.count */ select count(*) from receivers
        where project_id = :project_id and revoked_at is null""",
        project_id=project.id,
    )
    if count >= MOST_PER_PROJECT:
        raise Conflict(f"{project.slug} has {count} receivers, and that is the most: revoke one.")
    token = make_token()
    receiver = Receiver(
        id=act.make_id(),
        project_id=project.id,
        project_slug=project.slug,
        display=token[:_SHOWN_CHARACTERS],
        secret=make_token() if terms.kind in SIGNING else "",
        created_at=act.at,
        **msgspec.structs.asdict(terms),
    )
    connection.execute(
        """/* receivers.insert */ insert into receivers (id, project_id, kind, address_hash,
            display, secret, env, service, workflows, branch, created_at)
        values (:id, :project_id, :kind, :address_hash, :display, :secret, :env, :service,
            :workflows, :branch, :created_at)""",
        {
            **msgspec.structs.asdict(receiver),
            "address_hash": hash_token(token),
            "workflows": msgspec.json.encode(receiver.workflows).decode(),
        },
    )
    note(connection, act, project.id, "receiver.create", receiver.kind, str(receiver.id))
    return IssuedReceiver(receiver, f"/hooks/{receiver.kind}/{token}")


def revoke_receiver(
    connection: Connection, act: Act, receiver_id: int, project_id: int | None = None
) -> Receiver:
    """Ends it now; one that has ended stays so."""
    receiver = get_receiver(connection, receiver_id, project_id)
    connection.execute(
        """/* receivers.revoke */ update receivers set revoked_at = :at
        where project_id = :project_id and id = :id and revoked_at is null""",
        {"project_id": receiver.project_id, "id": receiver.id, "at": act.at},
    )
    note(connection, act, receiver.project_id, "receiver.revoke", receiver.kind, str(receiver.id))
    return receiver


def find_receivers(connection: Connection, project_id: int | None = None) -> list[Receiver]:
    """The receivers of a project, or all; oldest first, revoked ones included."""
    rows = connection.execute(
        f"""/* receivers.find */ {_SELECT}
        where r.project_id = :project_id or :project_id is null order by r.id""",
        {"project_id": project_id},
    )
    return [_to_receiver(row) for row in rows]


def get_receiver(
    connection: Connection, receiver_id: int, project_id: int | None = None
) -> Receiver:
    """One receiver; NotFound also when it is another project's."""
    row = connection.execute(
        f"""/* receivers.get */ {_SELECT}
        where r.id = :id and (r.project_id = :project_id or :project_id is null)""",
        {"id": receiver_id, "project_id": project_id},
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no receiver {receiver_id}.")
    return _to_receiver(row)


def find_receiver_at(connection: Connection, kind: str, token: str) -> Receiver | None:
    """The receiver of this kind whose address ends in `token`, revoked or not."""
    row = connection.execute(
        f"""/* receivers.find_at */ {_SELECT}
        where r.address_hash = :address_hash and r.kind = :kind""",
        {"address_hash": hash_token(token), "kind": kind},
    ).fetchone()
    return None if row is None else _to_receiver(row)


def update_last_used(connection: Connection, receiver: Receiver, at: int) -> None:
    """To the minute."""
    connection.execute(
        """/* receivers.update_last_used */ update receivers set last_used_at = :at
        where project_id = :project_id and id = :id and coalesce(last_used_at, 0) < :at""",
        {"project_id": receiver.project_id, "id": receiver.id, "at": at - at % MINUTE},
    )


def _to_receiver(row: Row) -> Receiver:
    return Receiver(
        id=row["id"],
        project_id=row["project_id"],
        project_slug=row["slug"],
        kind=row["kind"],
        display=row["display"],
        secret=row["secret"],
        created_at=row["created_at"],
        env=row["env"],
        service=row["service"],
        workflows=tuple(msgspec.json.decode(row["workflows"])),
        branch=row["branch"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
