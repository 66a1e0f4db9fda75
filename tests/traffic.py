"""Requests that stand in the rollups before they are read."""

from collections.abc import Iterable
from typing import NamedTuple

from miniapm.domain.rollups import EntryRow, OpenRollups
from miniapm.domain.spans.values import ReleaseName
from miniapm.storage.connection import Connection, transaction
from miniapm.storage.rollups.flush import flush_rollups
from miniapm.storage.spans.names import NameCaps, NameIds
from tests.factories import START


class Call(NamedTuple):
    """One request, as a rollup counts it. Without a version, nobody takes it for a deploy."""

    at: int = START
    duration_us: int = 10_000
    endpoint: str = "GET /"
    failed: bool = False
    service: str = "shop"
    env: str = "production"
    version: str = ""
    database_us: int = 0
    http_us: int = 0


def add_calls(connection: Connection, calls: Iterable[Call], project_id: int = 1) -> None:
    """Counts `calls` in rollups of all resolutions. Their ids are 1, 2, ..."""
    names = NameIds(NameCaps(), lambda: START)
    with transaction(connection):
        _flush(connection, names, calls, project_id)


def insert_calls(connection: Connection, calls: Iterable[Call], project_id: int) -> None:
    """As `add_calls`, within the transaction of a running server."""
    _flush(connection, NameIds(NameCaps(), lambda: START), calls, project_id)


def _flush(connection: Connection, names: NameIds, calls: Iterable[Call], project_id: int) -> None:
    rollups = OpenRollups()
    rollups.add(
        [
            _to_entry(connection, names, number, call, project_id)
            for number, call in enumerate(calls, 1)
        ]
    )
    flush_rollups(connection, rollups)


def _to_entry(
    connection: Connection, names: NameIds, number: int, call: Call, project_id: int
) -> EntryRow:
    release = ReleaseName(call.service, call.env, call.version, "")
    return EntryRow(
        id=number,
        project_id=project_id,
        endpoint_id=names.endpoint(connection, project_id, call.service, call.endpoint, call.at),
        release_id=names.release(connection, project_id, release, call.at),
        started_at=call.at,
        duration_us=call.duration_us,
        failed=int(call.failed),
        status_code=None,
        trace_id=None,
        database_us=call.database_us,
        database_count=0,
        http_us=call.http_us,
        http_count=0,
    )
