"""A database with the job that tells webhooks, run step by step."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from miniapm.domain.errors.groups import open_group
from miniapm.domain.ids import IdMaker
from miniapm.domain.impact.values import Impact
from miniapm.domain.scrubbing import make_scrubber
from miniapm.domain.webhooks.values import Webhook
from miniapm.posting import post
from miniapm.storage.audit import Act
from miniapm.storage.database import Database, open_database
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.errors.groups import insert_group
from miniapm.storage.impact.verdicts import Judged, store_verdict
from miniapm.storage.projects import Project, find_projects, insert_project
from miniapm.storage.webhooks.job import WebhookJob
from miniapm.storage.webhooks.webhooks import create_webhook
from tests import factories
from tests.conftest import FakeClock
from tests.factories import START, make_deploy, make_occurrence
from tests.impacts import make_impact
from tests.receiver import Receiver

SHOP = Project(1, "shop", "Shop", START)
ADDRESS = "https://apm.example"


@dataclass
class Telling:
    """What a server has of webhooks, without the server. `run` waits for a coroutine."""

    run: Callable[[Any], Any]
    database: Database
    clock: FakeClock
    job: WebhookJob
    make_id: IdMaker
    path: Path

    def tell(self) -> None:
        """One run of the job."""
        self.run(self.job.run())

    def write(self, query: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.run(self.database.write(query, *args, **kwargs))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return factories.read_rows(self.path, sql)

    def deliveries(self) -> list[tuple[Any, ...]]:
        """(event, state, attempts) of all, oldest first."""
        rows = self.rows("select event, state, attempts from webhook_deliveries order by id")
        return [tuple(row.values()) for row in rows]

    def add_webhook(
        self, receiver: Receiver, *events: str, form: str = "json", project: Project = SHOP
    ) -> Webhook:
        act = Act("test", self.clock(), self.make_id)
        webhook: Webhook = self.write(
            create_webhook, act, project, receiver.url, events, form, allow_private=True
        )
        return webhook

    def add_deploy(self, **fields: Any) -> int:
        """A deploy that came to its end now."""
        deploy_id = self.make_id()
        at = fields.pop("at", self.clock())
        values = {"recorded_at": at, "updated_at": at, "deployed_at": at, **fields}
        self.write(insert_row, make_deploy(id=deploy_id, **values))
        return deploy_id

    def judge(self, deploy_id: int, **fields: Any) -> Impact:
        """A verdict on a deploy, come to now."""
        at = self.clock()
        deploy = make_deploy(id=deploy_id, deployed_at=at)
        impact = make_impact(deploy, computed_at=at, **fields)
        judged = Judged(impact, at, 0, at, None, None)
        self.write(store_verdict, 1, judged, self.make_id())
        return impact

    def add_error(self, **fields: Any) -> int:
        """A new group of errors."""
        at = self.clock()
        values = {"happened_at": at, "exception_class": f"E{self.make_id()}", **fields}
        group = open_group(self.make_id(), 1, make_occurrence(**values))
        self.write(insert_group, group)
        return group.id


@contextmanager
def telling(path: Path, clock: FakeClock, *, per_hour: int = 60, **more: Any) -> Iterator[Telling]:
    """Opens the database at `path`, a new one with the project shop (1)."""
    make_id = IdMaker(clock)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        opening = open_database(path, clock, make_id)
        database = runner.run(stack.enter_async_context(opening))
        try:
            if not runner.run(database.read(find_projects)):
                runner.run(database.write(insert_project, SHOP))
            job = WebhookJob(
                database,
                clock,
                make_id,
                **{
                    "post": partial(post, allow_private=True),
                    "scrubber": make_scrubber(),
                    "per_hour": per_hour,
                    "find_address": lambda: ADDRESS,
                    "chance": lambda: 0.5,
                    **more,
                },
            )
            yield Telling(runner.run, database, clock, job, make_id, path)
        finally:
            runner.run(stack.aclose())
