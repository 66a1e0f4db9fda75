"""Commands that set a sender's webhook up, and that show that its receiver answers."""

import re
from shlex import quote
from typing import NamedTuple

from miniapm.domain.receivers.values import ReceiverKind, ReceiverTerms

ADDRESS, SECRET = "ADDRESS", "SECRET"
"""What stands in a command for what is shown once."""


class Command(NamedTuple):
    """`words` say what it does; `text` is for a shell."""

    words: str
    text: str


_TRY = "See that it is reached; this stores nothing:"
_CALL = r"curl -sS -m 5 -w ' miniapm: HTTP %{http_code}\n' -H 'Content-Type: application/json'"
_COMMANDS: dict[ReceiverKind, tuple[Command, ...]] = {
    "github": (
        Command(
            "The same with GitHub's gh, in a clone of the repository:",
            r"""
gh api 'repos/{owner}/{repo}/hooks' -f name=web \
  -f 'events[]=RUN_OR_STATUS' -f 'events[]=push' \
  -f 'config[content_type]=json' -f 'config[url]'=ADDRESS \
  -f 'config[secret]'=SECRET
""",
        ),
        Command(
            _TRY,
            r"""
body='{"zen": "Keep it logically awesome."}'
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac SECRET | sed 's/.* //')
CALL \
  -H 'X-GitHub-Event: ping' -H "X-Hub-Signature-256: sha256=$signature" \
  -d "$body" ADDRESS
""",
        ),
    ),
    "gitlab": (
        Command(
            "The same with GitLab's glab, in a clone of the project:",
            r"""
glab api projects/:fullpath/hooks -F deployment_events=true -F push_events=true \
  -f push_events_branch_filter=BRANCH \
  -f url=ADDRESS \
  -f token=SECRET
""",
        ),
        Command(
            _TRY,
            r"""
CALL \
  -H 'X-Gitlab-Event: Note Hook' -H 'X-Gitlab-Token: 'SECRET \
  -d '{"object_kind": "note"}' ADDRESS
""",
        ),
    ),
    "heroku": (
        Command(
            "With Heroku's own client, and the name of the app in place of APP:",
            r"""
heroku webhooks:add -i api:release -l sync \
  -u ADDRESS \
  --secret=SECRET \
  -a APP
""",
        ),
        Command(
            _TRY,
            r"""
body='{"resource": "formation"}'
signature=$(printf %s "$body" | openssl dgst -sha256 -hmac SECRET -binary | base64)
CALL \
  -H "Heroku-Webhook-Hmac-SHA256: $signature" -d "$body" ADDRESS
""",
        ),
    ),
    "coolify": (
        Command(
            _TRY,
            r"""
CALL \
  -d '{"event": "test"}' ADDRESS
""",
        ),
    ),
    "cdevents": (
        Command(
            "A deploy of the service shop, told by a script; it makes no deploy fail:",
            r"""
CALL \
  -H 'ce-specversion: 1.0' -H 'ce-source: /deploy' -H "ce-id: $(date +%s)" \
  -H 'ce-type: dev.cdevents.service.deployed.0.2.0' -d @- ADDRESS <<EVENT || true
{
  "subject": {"id": "shop", "content": {"environment": {"id": "production"}}},
  "customData": {"git_sha": "$(git rev-parse HEAD)"}
}
EVENT
""",
        ),
    ),
}


def list_commands(
    terms: ReceiverTerms, address: str = ADDRESS, secret: str = SECRET
) -> tuple[Command, ...]:
    """What to paste, with the address and the secret of a receiver with these terms."""
    values = {
        ADDRESS: quote(address),
        SECRET: quote(secret),
        "BRANCH": quote(terms.branch or ""),
        "RUN_OR_STATUS": "workflow_run" if terms.workflows else "deployment_status",
        "CALL": _CALL,
    }
    place = re.compile(rf"\b({'|'.join(values)})\b")
    return tuple(
        Command(words, place.sub(lambda found: values[found[1]], text.strip()))
        for words, text in _COMMANDS[terms.kind]
    )
