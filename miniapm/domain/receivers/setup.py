"""How each sender is told the address of its receiver: one text for the command line, the settings
page and the README."""

from miniapm.domain.receivers.values import ReceiverKind

NAMES: dict[ReceiverKind, str] = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "heroku": "Heroku",
    "coolify": "Coolify",
    "cdevents": "CDEvents",
}

_STEPS: dict[ReceiverKind, tuple[str, ...]] = {
    "github": (
        "In the repository: Settings, Webhooks, Add webhook.",
        "Payload URL: the address. Content type: application/json. Secret: the secret.",
        "Events: Deployment statuses (or Workflow runs, where workflows were chosen), and Pushes "
        "for the commits of each deploy.",
    ),
    "gitlab": (
        "In the project: Settings, Webhooks, Add new webhook.",
        "URL: the address. Secret token: the secret.",
        "Trigger: Deployment events, and Push events of the deployed branch for the commits of "
        "each deploy.",
    ),
    "heroku": (
        "heroku webhooks:add tells an app's releases to the address, signed with the secret.",
        "Each app wants a receiver of its own, with its environment and its service.",
    ),
    "coolify": (
        "In the team: Notifications, Webhook. Webhook URL: the address.",
        "Events: Deployment Success and Deployment Failure.",
        "Coolify does not say which commit it deployed: telemetry's service.version does "
        "(SOURCE_COMMIT).",
    ),
    "cdevents": (
        "Send service.deployed, service.upgraded and service.rolledback as CloudEvents over HTTP "
        "to the address, in binary or structured mode.",
        "customData.git_sha, or vcs_url in the artifact's package URL, names the commit.",
    ),
}


def tell_setup(kind: ReceiverKind) -> tuple[str, ...]:
    """The steps, in their order."""
    return _STEPS[kind]
