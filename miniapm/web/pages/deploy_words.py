"""A deploy in the words of the pages: its name, its status, its kind."""

from collections.abc import Mapping

from miniapm.domain.deploys.values import Deploy, Kind, Source, Status

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
    "telemetry": "telemetry",
}
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
_PRODUCTION = frozenset({"production", "prod"})
_LONGEST_LINE = 140


def tell_sources(deploy: Deploy, key_names: Mapping[int, str]) -> str:
    """Who reported it; with the key's name where that is among `key_names`."""
    words = dict(SOURCE_WORDS)
    if deploy.key_id is not None and deploy.key_id in key_names:
        words["api"] = f"API, with the key {key_names[deploy.key_id]}"
    return ", ".join(words[source] for source in deploy.sources)


def is_production(env: str) -> bool:
    return env.lower() in _PRODUCTION


def first_line(text: str | None) -> str:
    """The first line of a text, cut to what a row can show."""
    line = (text or "").partition("\n")[0]
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
