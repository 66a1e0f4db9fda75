"""Spans of a trace, as the readers give them."""

from typing import Any

from miniapm.domain.spans.span import Source, Span
from miniapm.domain.spans.values import ReleaseName
from tests.otlp import MS, NOW_NS

SHOP = Source(ReleaseName("shop", "production", "v1", ""), b"shop-1", "scope")
PAY = Source(ReleaseName("pay", "production", "v7", ""), b"pay-1", "scope")


def make_span(number: int, parent: int | None = None, **fields: Any) -> Span:
    """An internal span of the shop with the id `number`; `at` and `took` in ms from NOW_NS on."""
    at, took = fields.pop("at", 0), fields.pop("took", 10)
    defaults: dict[str, Any] = {
        "span_id": f"{number:016x}",
        "parent_id": "" if parent is None else f"{parent:016x}",
        "name": "work",
        "kind": "internal" if parent is not None else "server",
        "started_ns": NOW_NS + int(at * MS),
        "ended_ns": NOW_NS + int((at + took) * MS),
        "is_error": False,
        "status_code": None,
        "category": "",
        "statement": "",
        "method": "",
        "address": "",
        "source": SHOP,
        "raw": b"",
        "is_json": False,
    }
    return Span(**{**defaults, **fields})


def make_query(number: int, parent: int, statement: str, **fields: Any) -> Span:
    """A client span that asks a database."""
    return make_span(
        number, parent, kind="client", category="database", statement=statement, **fields
    )
