"""A deploy in the words of the pages: its name, its status, its kind."""

from collections.abc import Mapping

from miniapm.domain.deploys.shown import ShownDeploy
from miniapm.domain.deploys.values import Deploy, Kind, Source, Status
from miniapm.storage.releases import Release

STATUS_WORDS: dict[Status, str] = {
    "started": "started",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    "timed_out": "timed out",
}
# what is plainly the next deploy needs no word of its own
KIND_WORDS: dict[Kind, str] = {
    "first": "first",
    "deploy": "",
    "redeploy": "redeploy",
    "retry": "retry",
    "rollback": "rollback",
    "rollforward": "roll-forward",
}
SOURCE_WORDS: dict[Source, str] = {
    "api": "API",
    "import": "import",
    "github": "GitHub",
    "gitlab": "GitLab",
    "heroku": "Heroku",
    "coolify": "Coolify",
    "cdevents": "CDEvents",
    "telemetry": "telemetry",
}
OBSERVED_WORDS = "seen in telemetry, not announced"
LEFT_OUT_WORDS = "only from GitHub, in no number"
# by column, and by the name in a form where that is another one
LABELS = {
    "git_sha": "Commit",
    "version": "Version",
    "env": "Environment",
    "service": "Service",
    "deployer": "Deployer",
    "title": "Title",
    "description": "Description",
    "tags": "Tags",
    "deployed_at": "Deploy time",
    "timestamp": "Deploy time",
    "started_at": "Start",
    "status": "Status",
    "url": "Link",
    "repository": "Repository",
}
_LONGEST_LINE = 140


def tell_sources(shown: ShownDeploy, key_names: Mapping[int, str]) -> str:
    """Who reported it; with the key's name where that is among `key_names`."""
    words, key_id = dict(SOURCE_WORDS), shown.deploy.key_id
    if key_id is not None and key_id in key_names:
        words["api"] = f"API, with the key {key_names[key_id]}"
    return ", ".join(words[source] for source in shown.sources)


def tell_note(deploy: Deploy) -> str:
    """What sets it apart from a deploy that somebody announced and that counts; "" for nothing."""
    if deploy.is_observed:
        return OBSERVED_WORDS
    return LEFT_OUT_WORDS if deploy.is_left_out else ""


def tell_status(deploy: Deploy) -> str:
    """Its status; what telemetry has shown is known to serve, not to have been deployed well."""
    return "seen" if deploy.is_observed else STATUS_WORDS[deploy.status]


def tell_release(version: str, revision: str) -> str:
    """Its version, else the beginning of its revision; "" where telemetry gave neither."""
    return version or revision[:7]


def tell_version(release: Release) -> str:
    """As `tell_release`, in words where telemetry gave neither."""
    return tell_release(release.version, release.revision) or "no version"


def first_line(text: str | None) -> str:
    """The first line of a text, cut to what a row can show."""
    line = (text or "").partition("\n")[0]
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
