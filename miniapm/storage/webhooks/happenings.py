"""What may have to be told: a row of a project that nobody heard of yet, and how it is put."""

from typing import NamedTuple

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.webhooks.news import ImpactNews, News, NewsData, tell_deploy
from miniapm.storage.connection import Connection
from miniapm.storage.deploys.titles import find_titles

MOST_AT_ONCE = 200


class Place(NamedTuple):
    """A project, and under which address people find the server."""

    id: int
    slug: str
    address: str

    def page(self, path: str) -> str:
        return f"{self.address}/p/{self.slug}/{path}"


class Happening(NamedTuple):
    """A row that something may have to be told of, once."""

    kind: str
    subject_id: int
    news: tuple[News, ...]


def unseen_condition(kind: str, subject: str) -> str:
    """The condition that the row whose id is `subject` is not marked as seen."""
    return f"""not exists (select 1 from webhook_seen s where s.project_id = :project_id
        and s.kind = '{kind}' and s.subject_id = {subject})"""


def describe_deploy(
    connection: Connection, place: Place, deploy: Deploy, impact: ImpactNews | None = None
) -> NewsData:
    """What is told of a deploy, or of what it did."""
    page = place.page(f"deploys/{deploy.id}")
    title = find_titles(connection, [deploy]).get(deploy.id)
    told = tell_deploy(deploy, title, page)
    return NewsData(project=place.slug, page=page, deploy=told, impact=impact)
