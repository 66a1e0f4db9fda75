"""The rows of a trace: equal calls folded, a bounded number."""

from miniapm.domain.spans.trees import build_trace
from miniapm.domain.spans.waterfall import Row, lay_out
from tests.domain.trace_spans import make_query, make_span


def numbers(rows: list[Row]) -> list[list[int]]:
    return [[int(node.span.span_id, 16) for node in row.members] for row in rows]


def test_equal_calls_below_one_span_are_one_row() -> None:
    spans = [
        make_span(1, took=100),
        *(make_query(n, 1, f"select * from t where id = {n}", at=n) for n in (2, 4, 6)),
        make_query(3, 1, "select * from other", at=3),
        make_query(5, 1, "select * from other", at=5),
    ]
    assert numbers(lay_out(build_trace(spans), 100).rows) == [[1], [2, 4, 6], [3], [5]]
    unfolded = lay_out(build_trace(spans), 100, fold=False)
    assert numbers(unfolded.rows) == [[1], [2], [3], [4], [5], [6]]


def test_what_failed_or_has_spans_below_it_is_not_folded() -> None:
    spans = [
        make_span(1, took=100),
        *(make_span(n, 1, at=n, is_error=n == 3) for n in (2, 3, 4, 5, 6)),
        make_span(7, 5),
    ]
    assert numbers(lay_out(build_trace(spans), 100).rows) == [[1], [2, 4, 6], [3], [5], [7]]


def test_where_there_are_too_many_those_that_failed_or_took_longest_are_shown() -> None:
    spans = [
        make_span(1, took=1000),
        make_span(2, 1, at=1, took=900, name="slow"),
        *(make_span(n, 2, at=n, took=n, name=f"quick {n}") for n in range(10, 40)),
        make_span(50, 39, at=60, took=1, is_error=True, name="broken"),
        make_span(60, at=2000, took=1),
    ]
    waterfall = lay_out(build_trace(spans), 5)
    assert numbers(waterfall.rows) == [[1], [2], [38], [39], [50]]
    assert [row.hidden for row in waterfall.rows] == [0, 28, 0, 0, 0]
    assert waterfall.left_out == 1
