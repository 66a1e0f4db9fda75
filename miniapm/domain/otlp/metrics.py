"""Metric requests: nothing of them is kept, but their data points are counted, for the answer."""

from collections.abc import Iterable
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from miniapm.domain.otlp.json_text import JsonSyntax, Shape, broken, read_leniently
from miniapm.domain.otlp.schema import load_schema
from miniapm.domain.otlp.splitting import split_request
from miniapm.domain.otlp.wire import BROKEN, WireSyntax
from miniapm.exceptions import Invalid

_SYNTAX = JsonSyntax(Shape("resourceMetrics", "scopeMetrics", "metrics"))


class _Points(msgspec.Struct, rename="camel"):
    data_points: list[msgspec.Raw] | None = None


class _Metric(msgspec.Struct, rename="camel"):
    gauge: _Points | None = None
    sum: _Points | None = None
    histogram: _Points | None = None
    exponential_histogram: _Points | None = None
    summary: _Points | None = None


_KINDS = _Metric.__struct_fields__


class _ScopeMetrics(msgspec.Struct):
    metrics: list[_Metric] | None = None


class _ResourceMetrics(msgspec.Struct, rename="camel"):
    scope_metrics: list[_ScopeMetrics] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_metrics: list[_ResourceMetrics] | None = None


_REQUEST = msgspec.json.Decoder(_Request)


class _Count:
    """Counts data points; a metric that is too large to look into is one."""

    def __init__(self) -> None:
        self.points = 0

    def refuse(self) -> None:
        self.points += 1

    def add(self, resource_metrics: Iterable[Any]) -> None:
        for resource in resource_metrics:
            for scope in resource.scope_metrics or ():
                for metric in scope.metrics or ():
                    for kind in _KINDS:
                        points = getattr(metric, kind)
                        self.points += len(points.data_points or ()) if points else 0


def count_points(body: bytes) -> int:
    """How many data points an ExportMetricsServiceRequest holds. Invalid when `body` is none."""
    count = _Count()
    try:
        for part in split_request(body, WireSyntax(), count.refuse):
            count.add(load_schema().MetricsRequest.FromString(part).resource_metrics)
    except DecodeError:
        raise Invalid(BROKEN) from None
    return count.points


def count_json_points(body: bytes) -> int:
    """The same for JSON."""
    return read_leniently(body or b"{}", _count_json)


def _count_json(body: bytes) -> int:
    count = _Count()
    try:
        for part in split_request(body, _SYNTAX, count.refuse):
            count.add(_REQUEST.decode(part).resource_metrics or ())
    except (ValueError, RecursionError) as error:
        raise broken(error) from None
    return count.points
