"""Hints: the same call again and again."""

import pytest

from miniapm.domain.spans.hints import Hint, find_hints, find_shape, fold_address, fold_query
from miniapm.domain.spans.trees import build_trace
from tests.domain.trace_spans import PAY, make_query, make_span


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("SELECT * FROM items WHERE order_id = 17", "SELECT * FROM items WHERE order_id = ?"),
        ("select 'it''s', \"Name\" from t1 where a=-4.5e3", 'select ?, "Name" from t1 where a=?'),
        ("select * from t where id in (1, 2,\n 3)", "select * from t where id in (?)"),
        ("insert into t values (1,'a'), (2,'b')", "insert into t values (?)"),
        ("select a::text from t where b = $1, :c", "select a::text from t where b = ?, ?"),
        ("select %(id)s, %s, ?, @p1", "select ?, ?, ?, ?"),
        ("select /* trace 71 */ 1 -- and more", "select ?"),
        ('select "a b c"', "select ?"),
        ("GET cache:users:123", "GET cache:users:?"),
        ("select 'not closed", "select ?"),
        ("select /* not closed", "select"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_query_is_folded(text: str, folded: str) -> None:
    assert fold_query(text) == folded


NUMBERS = range(2, 16)
HARD = ("'", "/*", "(", "(?,", '"', "$a", "1", "a1", "\\'", "--")


@pytest.mark.parametrize("text", HARD)
def test_a_query_that_never_ends_is_cut(text: str) -> None:
    assert len(fold_query(text * 200_000)) <= 500


def test_an_address_loses_its_ids_its_query_and_who_signs_in() -> None:
    assert fold_address("https://a:b@pay.example/v2/items/17?token=x") == (
        "https://pay.example/v2/items/{id}"
    )
    assert fold_address("/items/17") == "/items/{id}"
    assert fold_address("https://pay.example") == "https://pay.example/"


def test_a_query_for_each_row_is_a_hint() -> None:
    spans = [
        make_span(1, took=100),
        *(make_query(n, 1, f"select a from items where order_id = {n}", took=4) for n in NUMBERS),
    ]  # fmt: skip
    [hint] = find_hints(build_trace(spans))
    assert hint == Hint(
        "n_plus_one", "select a from items where order_id = ?", 14, 56_000, "shop", spans[1]
    )


def test_a_few_are_none() -> None:
    spans = [make_span(1), *(make_query(n, 1, "select 1") for n in range(2, 6))]
    assert find_hints(build_trace(spans)) == []
    spans.append(make_query(6, 1, "select 1"))
    assert [hint.calls for hint in find_hints(build_trace(spans))] == [5]


def test_what_writes_or_calls_another_service_is_repeated() -> None:
    spans = [
        make_span(1),
        *(make_query(n, 1, f"insert into t values ({n})", took=1) for n in range(2, 8)),
        *(
            make_span(n, 1, kind="client", category="http", method="GET",
                      address=f"http://stock/items/{n}", took=2)
            for n in range(10, 16)
        ),
    ]  # fmt: skip
    assert [(h.kind, h.shape) for h in find_hints(build_trace(spans))] == [
        ("repeated", "GET http://stock/items/{id}"),
        ("repeated", "insert into t values (?)"),
    ]


def test_a_driver_below_its_library_counts_once() -> None:
    spans = [make_span(1)]
    for n in range(5):
        spans += [make_query(10 + n, 1, f"select {n}"), make_query(20 + n, 10 + n, f"select {n}")]
    assert [hint.calls for hint in find_hints(build_trace(spans))] == [5]


def test_calls_count_for_the_request_that_made_them() -> None:
    spans = [
        make_span(1),
        *(make_query(n, 1, "select 1") for n in range(2, 5)),
        make_span(9, 1, kind="server", source=PAY),
        *(make_query(n, 9, "select 1", source=PAY) for n in range(10, 13)),
    ]
    assert find_hints(build_trace(spans)) == []


def test_what_is_no_call_has_its_name_for_a_shape() -> None:
    assert find_shape(make_span(1, name="render")) == "render"
