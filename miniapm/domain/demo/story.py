"""The week of the shop: who deployed what, when, and how that went. Now it is Thursday, half past
three in the afternoon, whatever the clock says."""

from collections.abc import Iterator
from typing import NamedTuple

from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.demo.values import (
    LANES,
    PRODUCTION,
    STAGING,
    Change,
    DemoDeploy,
    Lane,
    Service,
)
from miniapm.domain.deploys.values import Status

NOW = 15 * HOUR + 30 * MINUTE
"""The time of the day in the shop."""
WEEK = 7 * DAY

ANA, JONAS, MEI, PIPELINE = "Ana Ferreira", "Jonas Brandt", "Mei Tanaka", "github-actions"


class _Release(NamedTuple):
    """A version on its way to production: the day (before today) and time, and how long before that
    it went to staging (minutes; 0: it did not)."""

    service: Service
    version: str
    day: int
    time: str
    title: str
    author: str
    staged: int = 60
    status: Status = "succeeded"
    tags: tuple[str, ...] = ("feature",)
    description: str = ""
    more: tuple[str, ...] = ()


_RELEASES = (
    _Release("web", "v2.24.1", 6, "10:12", "Round prices in yen to whole numbers", MEI, 55,
             tags=("fix",), more=("Format money in one place",)),
    _Release("worker", "v1.11.1", 6, "11:35", "Wait longer between two tries of a mail", JONAS, 50,
             tags=("fix",)),
    _Release("web", "v2.25.0", 6, "14:40", "Remember the address that was used last", ANA, 95,
             more=("Ask before an address is forgotten", "Test the address book")),
    _Release("web", "v2.26.0", 3, "09:35", "Index orders by customer and day", JONAS, 0,
             status="failed", tags=("migration",),
             description="The migration gave up: orders stayed locked for 30 seconds.",
             more=("Show the last ten orders first",)),
    _Release("web", "v2.26.0", 3, "09:52", "Index orders by customer and day", JONAS, 0,
             tags=("migration",), description="Again, with the index built concurrently.",
             more=("Show the last ten orders first",)),
    _Release("worker", "v1.12.0", 3, "11:10", "Send invoices as PDF", MEI, 80,
             more=("Render invoices without a browser", "Bump pdfkit to 0.17")),
    _Release("web", "v2.26.0", 3, "14:10", "Rotate the secret of the payment gateway", ANA, 0,
             tags=("config",)),
    _Release("web", "v2.27.0", 2, "09:50", "Update Django to 5.2.8", JONAS, 100,
             tags=("dependencies",), more=("Update psycopg to 3.2.12",)),
    _Release("web", "v2.28.0", 2, "11:30", "Cache the related products of a product", MEI, 70,
             tags=("performance",),
             description="Related products come from Redis for ten minutes instead of from the "
             "recommendations at every view.",
             more=("Drop the cache when a product changes", "Measure the hit rate")),
    _Release("web", "v2.28.1", 2, "14:20", "Keep the cart when the currency changes", ANA, 45,
             tags=("fix",)),
    _Release("web", "v2.29.0", 1, "10:05", "Show when a parcel arrives", ANA, 65,
             more=("Ask the carrier once an hour", "Translate the days of the week")),
    _Release("worker", "v1.13.0", 1, "11:40", "Address mails to companies", JONAS, 75),
    _Release("web", "v2.30.0", 1, "13:20", "Rank search results by popularity", MEI, 90,
             description="Sorts what the search finds by how often it was sold in 30 days.",
             more=("Count sales by product", "Load the popularity of each result")),
    _Release("web", "v2.29.0", 1, "14:00", "Roll back to v2.29.0", MEI, 0, tags=("rollback",),
             description="The search is too slow since v2.30.0."),
    _Release("web", "v2.30.1", 1, "15:50", "Load the popularity of all results at once", MEI, 40,
             tags=("feature", "fix"), more=("Rank search results by popularity",)),
    _Release("web", "v2.31.0", 0, "09:40", "Let customers pay by invoice", ANA, 85,
             more=("Check the credit of new customers", "Explain when an invoice is due")),
    _Release("worker", "v1.13.1", 0, "10:20", "Log the ids of mails that bounce", JONAS, 35,
             tags=("ops",)),
    _Release("web", "v2.32.0", 0, "11:10", "Ask for the house number in a field of its own", JONAS,
             50, more=("Split stored addresses", "Check house numbers as they are typed")),
    _Release("web", "v2.32.1", 0, "12:24", "Accept addresses without a house number", JONAS, 0,
             tags=("hotfix",), description="Saved addresses have no house number yet."),
    _Release("web", "v2.33.0", 0, "14:15", "Offer gift wrapping", MEI, 55,
             more=("Add gift wrapping to the invoice",)),
)  # fmt: skip
_FIRST = {"web": "v2.24.0", "worker": "v1.11.0"}
_UNANNOUNCED = DemoDeploy(
    Lane("worker", PRODUCTION), "v1.12.1", at=-2 * DAY + HOUR, took=0, deployer="",
    is_announced=False,
)  # fmt: skip


def list_deploys() -> list[DemoDeploy]:
    """All deploys of the week, oldest first."""
    deploys = [
        *(_begin(lane) for lane in LANES),
        *(deploy for release in _RELEASES for deploy in _deploy(release)),
        _UNANNOUNCED,
    ]
    return sorted(deploys, key=lambda deploy: deploy.at)


def _begin(lane: Lane) -> DemoDeploy:
    return DemoDeploy(
        lane, _FIRST[lane.service], -WEEK, 130 * SECOND, PIPELINE, "Move to the new cluster",
        tags=("ops",), changes=(Change("Move to the new cluster", JONAS),),
    )  # fmt: skip


def _deploy(release: _Release) -> Iterator[DemoDeploy]:
    hours, minutes = map(int, release.time.split(":"))
    at = hours * HOUR + minutes * MINUTE - NOW - release.day * DAY
    # seconds that nobody would call round
    at += sum(map(ord, release.version + release.time)) % 60 * SECOND
    took = (75 + sum(map(ord, release.title)) % 110) * SECOND
    changes = [Change(subject, release.author) for subject in (release.title, *release.more)]
    if "rollback" in release.tags or "config" in release.tags:
        changes = []
    for env, before in ((STAGING, release.staged * MINUTE), (PRODUCTION, 0)):
        if env == STAGING and not before:
            continue
        yield DemoDeploy(
            Lane(release.service, env),
            release.version,
            at - before,
            took,
            PIPELINE if env == STAGING else release.author.split()[0].lower(),
            release.title,
            release.status,
            release.tags,
            release.description,
            changes,
        )


def is_weekend(before: int) -> bool:
    """Whether an instant (µs before now, negative) lies on a Saturday or Sunday of the shop."""
    # today is a Thursday; its midnight lies NOW back
    return (before + NOW) // DAY in (-5, -4)


def find_time(before: int) -> int:
    """The time of the day in the shop, in µs."""
    return (before + NOW) % DAY
