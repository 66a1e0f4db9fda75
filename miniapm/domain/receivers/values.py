"""The words of receivers: addresses for senders with webhooks of their own, and what is heard."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from miniapm.domain.deploys.values import Commit
from miniapm.domain.names import clean_name
from miniapm.exceptions import Forbidden, Invalid

ReceiverKind = Literal["github", "gitlab", "heroku", "coolify", "cdevents"]
KINDS: tuple[ReceiverKind, ...] = get_args(ReceiverKind)
SIGNING = frozenset({"github", "gitlab", "heroku"})
"""Those that prove with a secret who sends; the address of the others is all the proof there is."""
MOST_WORKFLOWS = 20


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """An address as stored. `service` is that of all its deploys, `env` that of those that name
    none; `workflows` are the chosen ones, empty for none."""

    id: int
    project_id: int
    project_slug: str
    kind: ReceiverKind
    display: str
    secret: str
    created_at: int
    env: str | None = None
    service: str | None = None
    workflows: tuple[str, ...] = ()
    branch: str | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    @property
    def shown_path(self) -> str:
        """Its address as it may be shown: only who has all of it may send."""
        return f"/hooks/{self.kind}/{self.display}\N{HORIZONTAL ELLIPSIS}"

    def refuse_revoked(self, now: int) -> None:
        """Forbidden when it was revoked."""
        if self.revoked_at is not None and self.revoked_at <= now:
            raise Forbidden("This receiver was revoked; make a new one in the project's settings.")


class Push(msgspec.Struct, frozen=True):
    """Commits that a branch got, oldest first. `at` (µs) is None where the sender did not say."""

    repository: str
    branch: str
    commits: tuple[Commit, ...]
    at: int | None = None


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery says: a deploy, a push, or neither, for the reason `skipped`.

    `deploy` has the fields of `POST /ingest/deploys`, `head` the commit that it deployed, as far as
    the sender tells it. `is_nameless` marks a deploy whose revision its sender does not know.
    """

    deploy: Mapping[str, Any] | None = None
    head: Commit | None = None
    is_nameless: bool = False
    push: Push | None = None
    skipped: str = ""


class ReceiverTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a new receiver is to take."""

    kind: ReceiverKind
    env: str | None = None
    service: str | None = None
    workflows: tuple[str, ...] = ()
    branch: str | None = None


def check_terms(
    kind: str,
    *,
    env: str | None = None,
    service: str | None = None,
    workflows: tuple[str, ...] = (),
    branch: str | None = None,
) -> ReceiverTerms:
    """The terms, trimmed; Invalid names what is wrong with them."""
    found = next((known for known in KINDS if known == kind), None)
    if found is None:
        wrong = f"must be one of {', '.join(KINDS)}"
        raise Invalid(f"The kind of a receiver {wrong}.", {"kind": wrong})
    names = tuple(dict.fromkeys(clean_name(n, "workflow", "workflow") for n in workflows))
    if names and found != "github":
        raise Invalid("Only github has workflows.", {"workflow": "is for github only"})
    if branch and found not in ("github", "gitlab"):
        raise Invalid(
            "Only github and gitlab tell of branches.", {"branch": "is for github and gitlab only"}
        )
    if len(names) > MOST_WORKFLOWS:
        wrong = f"are {len(names)}; at most {MOST_WORKFLOWS} can be chosen"
        raise Invalid(f"The workflows {wrong}.", {"workflow": wrong})
    return ReceiverTerms(
        kind=found,
        env=clean_name(env, "env", "env") if env else None,
        service=clean_name(service, "service", "service") if service else None,
        workflows=names,
        branch=clean_name(branch, "branch", "branch") if branch else None,
    )
