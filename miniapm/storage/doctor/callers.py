"""Whose the refused calls are: keys and receivers, when each last got in, what would help."""

from collections.abc import Mapping
from typing import NamedTuple

from miniapm.domain.receivers.values import Receiver
from miniapm.storage.connection import Connection
from miniapm.storage.keys import find_keys
from miniapm.storage.projects import Project
from miniapm.storage.receivers.receivers import find_receivers

ADVICE = {
    401: "Look at the key that the sender has: `miniapm keys list` shows how each begins, "
    "`miniapm keys create NAME` makes a new one.",
    403: "Give the sender a key that is valid and has the scope: `miniapm keys list`.",
    404: "Correct the address that the sender has.",
    409: "Use a new Idempotency-Key for each deploy.",
    413: "Send less in one call; `miniapm config` shows the limits.",
    429: "Send less often.",
}


class Caller(NamedTuple):
    """Who called: a key, or who posts to a receiver. `means` are the words for what it called with,
    `accepted_at` is when it last got in, 0 for never of late; `advice` is by status."""

    words: str
    means: str
    accepted_at: int
    advice: Mapping[int, str]


def find_callers(connection: Connection, project: Project, since: int) -> dict[int | str, Caller]:
    """The keys of a project by id, its receivers by the route of their refusals; what got in before
    `since` is not looked at."""
    return {**_find_keys(connection, project, since), **_find_receivers(connection, project, since)}


def _find_keys(connection: Connection, project: Project, since: int) -> dict[int | str, Caller]:
    """The keys by id, with when each last recorded a deploy after `since`."""
    rows = connection.execute(
        """/* doctor.find_accepted */ select key_id, max(recorded_at) from deploys
        where project_id = :project_id and updated_at > :since and key_id is not null
        group by key_id""",
        {"project_id": project.id, "since": since},
    )
    accepted = dict(rows.fetchall())
    return {
        key.id: Caller(
            f"with the key {key.name} ({project.slug})",
            "call with this key",
            accepted.get(key.id, 0),
            ADVICE,
        )
        for key in find_keys(connection, project.id)
    }


def _find_receivers(
    connection: Connection, project: Project, since: int
) -> dict[int | str, Caller]:
    """The receivers by the route of their refusals, with when each last took a delivery after
    `since`."""
    rows = connection.execute(
        """/* doctor.find_delivered */ select receiver_id, max(received_at)
        from receiver_deliveries
        where project_id = :project_id and received_at > :since group by receiver_id""",
        {"project_id": project.id, "since": since},
    )
    accepted = dict(rows.fetchall())
    return {
        receiver.shown_path: Caller(
            f"to the {receiver.kind} receiver {receiver.id} ({project.slug})",
            "delivery to this receiver",
            accepted.get(receiver.id, 0),
            _advise_receiver(receiver),
        )
        for receiver in find_receivers(connection, project.id)
    }


def _advise_receiver(receiver: Receiver) -> dict[int, str]:
    anew = (
        f"`miniapm receivers create {receiver.kind} --project {receiver.project_slug}` makes a new "
        f"address"
    )
    revoke = f"`miniapm receivers revoke {receiver.id}` ends this one"
    return {
        **ADVICE,
        401: "Give the webhook the secret that was shown with the receiver's address. Where it is "
        f"lost, {anew} with a secret of its own, and {revoke}.",
        403: f"{anew}; or delete the webhook at its sender.",
    }
