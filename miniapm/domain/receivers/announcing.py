"""From what a delivery says to an announcement, by the rules that hold for every deploy."""

from miniapm.domain.deploys.reading import Defaults, announce
from miniapm.domain.deploys.values import DEFAULT_ENV, Announcement
from miniapm.domain.receivers.values import Heard, Receiver


def announce_heard(heard: Heard, receiver: Receiver, now: int) -> Announcement | None:
    """None where no deploy is told of. Invalid names every bad field.

    The receiver's service is that of all its deploys; its env that of those that name none. What
    has no revision is called by its sender and its id there, until telemetry tells a better name.
    """
    if heard.deploy is None:
        return None
    fields = dict(heard.deploy)
    if receiver.service is not None:
        fields["service"] = receiver.service
    if heard.is_nameless:
        fields["git_sha"] = name_nameless(receiver.kind, str(fields.get("id") or ""))
    defaults = Defaults(
        project_id=receiver.project_id,
        service=receiver.project_slug,
        env=receiver.env or DEFAULT_ENV,
    )
    return announce(fields, defaults, now, source=receiver.kind)


def name_nameless(kind: str, external_id: str) -> str:
    """What stands for the revision of a deploy whose sender does not know it."""
    return f"{kind}:{external_id}"
