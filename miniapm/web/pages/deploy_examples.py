"""Calls to look at: slow or failed ones from after a deploy beside some from before it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from miniapm.domain.impact.values import EndpointImpact, Impact, Window
from miniapm.storage.connection import Connection
from miniapm.storage.releases import find_releases
from miniapm.storage.spans.entries import FoundEntry
from miniapm.storage.spans.find import find_examples
from miniapm.web.charts import tell_ms
from miniapm.web.pages.entry_rows import tell_outcome

MOST_ENDPOINTS = 3
_EXAMPLES = 2


@dataclass(frozen=True, slots=True)
class Example:
    """One call, told. `link` leads to its trace, "" where it came without one."""

    at: int
    duration: str
    status: str
    failed: bool
    link: str


@dataclass(frozen=True, slots=True)
class Examples:
    """Those of one endpoint; `kind` says which of its calls were looked for."""

    endpoint_id: int
    name: str
    kind: Literal["slow", "failed"]
    before: tuple[Example, ...]
    after: tuple[Example, ...]


def find_deploy_examples(
    connection: Connection, project_id: int, impact: Impact
) -> tuple[Examples, ...]:
    """Of the endpoints that became worse, the worst first; a bounded number of rows is read."""
    if impact.look is None:
        return ()
    worst = [one for one in impact.endpoints if one.counts and one.verdict == "regressed"]
    releases = find_releases(connection, project_id, impact.env, impact.service)
    ids = frozenset(release.id for release in releases)
    found = (_find(connection, project_id, impact, one, ids) for one in worst[:MOST_ENDPOINTS])
    return tuple(examples for examples in found if examples.before or examples.after)


def has_regressed_endpoints(impact: Impact) -> bool:
    return any(one.counts and one.verdict == "regressed" for one in impact.endpoints)


def _find(
    connection: Connection,
    project_id: int,
    impact: Impact,
    endpoint: EndpointImpact,
    releases: Collection[int],
) -> Examples:
    kind = _choose(endpoint)

    def find(window: Window) -> tuple[Example, ...]:
        entries = find_examples(
            connection, project_id, endpoint.endpoint_id, releases, window.since, window.until,
            kind, _EXAMPLES,
        )  # fmt: skip
        return tuple(_tell(entry) for entry in entries)

    assert impact.look is not None
    return Examples(
        endpoint.endpoint_id, endpoint.name, kind, find(impact.before), find(impact.look.after)
    )


def _choose(endpoint: EndpointImpact) -> Literal["slow", "failed"]:
    """What its weightiest change is about."""
    changes = [change for change in endpoint.changes if change.verdict == "regressed"]
    worst = max(changes, key=lambda change: change.score, default=None)
    return "failed" if worst is not None and worst.metric == "error_rate" else "slow"


def _tell(entry: FoundEntry) -> Example:
    return Example(
        at=entry.started_at,
        duration=tell_ms(entry.duration_us),
        status=tell_outcome(entry),
        failed=entry.failed,
        link=f"{entry.trace_id.hex()}?at={entry.id}" if entry.trace_id else "",
    )
