"""Stored bodies of the tests of packing: what is written, and what is there."""

from typing import Any

from miniapm.domain.otlp.packing import is_packed
from miniapm.domain.otlp.stored import read_spans
from miniapm.domain.spans.compression import decompress
from miniapm.domain.spans.span import Span
from miniapm.storage.connection import Connection, transaction
from miniapm.storage.spans.dictionaries import Bodies
from miniapm.storage.spans.packing import find_due, pack_body, replace_bodies
from miniapm.storage.spans.traces import find_batches, read_bodies
from tests import otlp
from tests.factories import START
from tests.spans import SentSpan, make_trace_id


def make_spans(batch: int, traces: int = 8) -> list[SentSpan]:
    """Three spans of each of some traces, which are others in every batch."""
    return [
        SentSpan(
            make_trace_id(batch * traces + trace),
            START + trace * 1000 + place * 77,
            f"{batch} {place}",
            otlp.CLIENT if place else otlp.SERVER,
            {"url.path": f"/products/{trace}", "user": "ada"},
        )
        for trace in range(traces)
        for place in range(3)
    ]


def find_rows(connection: Connection, project_id: int = 1) -> list[dict[str, Any]]:
    rows = connection.execute(
        "select * from span_batches where project_id = ? order by id", (project_id,)
    )
    return [dict(row) for row in rows]


def find_bodies(connection: Connection, project_id: int = 1) -> list[bytes]:
    return [row["body"] for row in find_rows(connection, project_id)]


def find_packed(connection: Connection, project_id: int = 1) -> list[bool]:
    """Of each stored body whether it is packed."""
    rows = connection.execute(
        "select format, defaults, body from span_batches where project_id = ? order by id",
        (project_id,),
    ).fetchall()
    stored = map(Bodies(connection, project_id).stored, rows)
    return [bool(one.body) and is_packed(decompress(one.body, one.dictionary)) for one in stored]


def read_trace(connection: Connection, trace_id: str, project_id: int = 1) -> list[Span]:
    """What the page of a trace reads."""
    wanted = bytes.fromhex(trace_id)
    page = read_bodies(connection, project_id, find_batches(connection, project_id, wanted), 10**9)
    return [span for _, stored in page.bodies for span in read_spans(stored, wanted, 100)]


def pack_all(connection: Connection) -> int:
    """As the job does it; gives how many bodies were replaced."""
    replaced = 0
    while (due := find_due(connection)) is not None:
        packed = [one for one in map(pack_body, due.bodies) if one is not None]
        with transaction(connection):
            replaced += replace_bodies(connection, packed, due.reached)
    return replaced
