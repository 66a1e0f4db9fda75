"""The addresses of senders with webhooks of their own."""

from miniapm.web.ingest.deploys import explain_as_json
from miniapm.web.receivers.calls import ForeignRoute
from miniapm.web.receivers.cdevents import post_cdevent
from miniapm.web.receivers.coolify import post_coolify
from miniapm.web.receivers.github import post_github
from miniapm.web.receivers.gitlab import post_gitlab
from miniapm.web.receivers.heroku import post_heroku

HOOK_ROUTES = tuple(
    ForeignRoute("POST", f"/hooks/{kind}/{{address}}", handler, explain_as_json)
    for kind, handler in (
        ("github", post_github),
        ("gitlab", post_gitlab),
        ("heroku", post_heroku),
        ("coolify", post_coolify),
        ("cdevents", post_cdevent),
    )
)
