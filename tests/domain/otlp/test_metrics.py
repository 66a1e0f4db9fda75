"""Metrics are not kept, but counted."""

from collections.abc import Callable

import msgspec
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from miniapm.domain.otlp.metrics import count_json_points, count_points
from miniapm.exceptions import Invalid

KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def make_request(metrics: int, points: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    for number in range(metrics):
        metric = scope.metrics.add(name=f"m{number}", description="d" * 100)
        for _ in range(points):
            getattr(metric, KINDS[number % len(KINDS)]).data_points.add(time_unix_nano=1)
    return request


@pytest.mark.parametrize(("metrics", "points"), [(0, 0), (3, 0), (5, 2), (20_000, 3)])
def test_data_points_of_all_kinds_are_counted(metrics: int, points: int) -> None:
    body = make_request(metrics, points).SerializeToString()
    assert count_points(body) == metrics * points


def test_in_json() -> None:
    points = {"dataPoints": [{"asInt": "1"}, {}]}
    kinds = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
    metrics = [{"name": "m", kind: points} for kind in kinds]
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}, {"metrics": None}]}, {}]}
    assert count_json_points(msgspec.json.encode(body)) == 10
    assert count_json_points(b"{}") == count_json_points(b"") == 0


@pytest.mark.parametrize("count", [count_points, count_json_points])
def test_rubbish_is_refused(count: Callable[[bytes], int]) -> None:
    with pytest.raises(Invalid, match="not a valid OTLP"):
        count(b"rubbish")
