"""What each sender of webhooks says: a deploy or a push, something else, and a part missing."""

from typing import Any, NamedTuple

from tests.web.receivers.hooks import recorded


class Sender(NamedTuple):
    """What it says, the row that this makes, what it says that is to be left, and what it says with
    the part `missing` gone."""

    kind: str
    event: str
    said: dict[str, Any]
    row: tuple[Any, ...]
    other_event: str
    other: dict[str, Any]
    missing: str
    incomplete: dict[str, Any]
    workflows: tuple[str, ...] = ()

    @property
    def is_push(self) -> bool:
        return "push" in self.event.lower()


_STATUS, _RUN = "github/deployment_status.success", "github/workflow_run.completed"
_EVENT = "cdevents/service.deployed"
_DIGEST = "sha256:0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
_REMOVED = "dev.cdevents.service.removed.0.2.0"
_COOLIFY = "coolify:vgk4g0w8k0oc44w0ccocgw4o"
_COMMITS = recorded("gitlab/push")["commits"][:1]
SENDERS = {
    "github-deployment": Sender(
        "github", "deployment_status", recorded(_STATUS),
        ("f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "production", "default", "succeeded"),
        "deployment_status", recorded(_STATUS, deployment_status__state="queued"),
        "deployment.sha", recorded(_STATUS, deployment__sha=...),
    ),
    "github-run": Sender(
        "github", "workflow_run", recorded(_RUN),
        ("3484a3fb816e0859fd6e1cea078d76385ff50625", "production", "default", "succeeded"),
        "star", {"action": "created"},
        "workflow_run.head_sha", recorded(_RUN, workflow_run__head_sha=None),
        workflows=("test.yml",),
    ),
    "github-push": Sender(
        "github", "push", recorded("github/push.branch"),
        ("6113728f27ae82c7b1a177c8d03f9e96e0adf246", "master"),
        "ping", recorded("github/ping"),
        "ref", recorded("github/push.branch", ref=""),
    ),
    "gitlab-deployment": Sender(
        "gitlab", "Deployment Hook", recorded("gitlab/deployment"),
        ("279484c09fbe69ededfced8c1bb6e6d24616b468", "staging", "default", "succeeded"),
        "Note Hook", {"object_kind": "note"},
        "status", recorded("gitlab/deployment", status=...),
    ),
    "gitlab-push": Sender(
        "gitlab", "Push Hook", recorded("gitlab/push", commits=_COMMITS),
        (_COMMITS[0]["id"], "master"),
        "Tag Push Hook", recorded("gitlab/push", object_kind="tag_push"),
        "project.web_url", recorded("gitlab/push", project__web_url=...),
    ),
    "heroku-release": Sender(
        "heroku", "", recorded("heroku/release"),
        ("5ca1ab1e0123456789abcdef0123456789abcdef", "production", "default", "succeeded"),
        "", {"id": "1", "resource": "formation", "data": {}},
        "data.description", recorded("heroku/release", data__description=...),
    ),
    "coolify": Sender(
        "coolify", "", recorded("coolify/deployment_success"),
        (_COOLIFY, "production", "shop", "succeeded"),
        "", {"event": "test", "success": True},
        "deployment_uuid", recorded("coolify/deployment_success", deployment_uuid=...),
    ),
    "cdevents": Sender(
        "cdevents", "", recorded(_EVENT), (_DIGEST, "staging", "shop", "succeeded"),
        "", recorded(_EVENT, context__type=_REMOVED),
        "subject.content.artifactId", recorded(_EVENT, subject__content__artifactId=...),
    ),
    "cdevents-binary": Sender(
        "cdevents", "dev.cdevents.service.deployed.0.2.0", recorded(_EVENT),
        (_DIGEST, "staging", "shop", "succeeded"),
        _REMOVED, recorded(_EVENT),
        "subject.id", recorded(_EVENT, subject__id="  "),
    ),
}  # fmt: skip
