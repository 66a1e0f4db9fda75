"""Trees out of whatever spans arrive."""

from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.spans.hints import find_hints
from miniapm.domain.spans.span import Span
from miniapm.domain.spans.trees import Node, Trace, build_trace
from miniapm.domain.spans.waterfall import lay_out
from tests.domain.trace_spans import PAY, SHOP, make_span
from tests.otlp import MS, NOW_NS


def shape(trace: Trace) -> list[tuple[int, int]]:
    """(id, depth) in the order in which they are shown."""
    return [(int(node.span.span_id or "0", 16), node.depth) for node in trace.nodes]


def find(trace: Trace, number: int) -> Node:
    return next(n for n in trace.nodes if n.span.span_id == f"{number:016x}")


def test_children_stand_below_their_parents_by_their_beginning() -> None:
    spans = [make_span(4, 2, at=3), make_span(3, 1, at=5), make_span(2, 1, at=1), make_span(1)]
    assert shape(build_trace(spans)) == [(1, 0), (2, 1), (4, 2), (3, 1)]


def test_a_span_whose_parent_did_not_arrive_is_a_root_after_the_others() -> None:
    trace = build_trace([make_span(5, 99, at=-5), make_span(1), make_span(6, 5)])
    assert shape(trace) == [(1, 0), (5, 0), (6, 1)]
    assert [node.is_orphan for node in trace.nodes] == [False, True, False]


def test_a_circle_is_cut_at_the_first_span() -> None:
    trace = build_trace([make_span(1, 3, at=4), make_span(2, 1, at=2), make_span(3, 2, at=7)])
    assert shape(trace) == [(2, 0), (3, 1), (1, 2)]
    assert shape(build_trace([make_span(7, 7)])) == [(7, 0)]


def test_a_span_that_came_twice_counts_once_and_the_longer_report_stands() -> None:
    trace = build_trace([make_span(1), make_span(2, 1, took=3), make_span(2, 1, took=8)])
    assert shape(trace) == [(1, 0), (2, 1)]
    assert find(trace, 2).duration_ns == 8 * MS
    assert trace.repeated == 1


def test_spans_without_an_id_are_each_their_own() -> None:
    trace = build_trace([make_span(1), make_span(0, 1, at=1), make_span(0, 1, at=2)])
    assert shape(trace) == [(1, 0), (0, 1), (0, 1)]


def test_what_a_span_worked_itself_is_its_time_without_its_childrens() -> None:
    spans = [
        make_span(1, took=100),
        make_span(2, 1, at=10, took=20),
        make_span(3, 1, at=25, took=15),
        make_span(4, 1, at=90, took=50),
    ]
    own = find(build_trace(spans), 1).find_own()
    assert [((a - NOW_NS) // MS, (b - NOW_NS) // MS) for a, b in own] == [(0, 10), (40, 90)]
    assert build_trace([make_span(1, took=0)]).nodes[0].find_own() == []


def test_a_server_whose_clock_is_off_is_moved_into_its_caller() -> None:
    spans = [
        make_span(1, took=100),
        make_span(2, 1, kind="client", at=10, took=50),
        make_span(3, 2, kind="server", source=PAY, at=-5000, took=40),
        make_span(4, 3, source=PAY, at=-4990, took=10),
    ]
    trace = build_trace(spans)
    server, below = find(trace, 3), find(trace, 4)
    assert (server.start - NOW_NS) // MS == 15
    assert server.shift_ns == below.shift_ns == 5015 * MS
    assert (below.start - NOW_NS) // MS == 25
    assert (trace.start, trace.end) == (NOW_NS, NOW_NS + 100 * MS)


def test_what_may_begin_later_is_not_moved() -> None:
    spans = [
        make_span(1, took=10),
        make_span(2, 1, kind="producer", at=1, took=1),
        make_span(3, 2, kind="consumer", source=PAY, at=900, took=5),
        make_span(4, 1, kind="client", at=2, took=5),
        make_span(5, 4, kind="server", source=PAY, at=3, took=3),
    ]
    assert {node.shift_ns for node in build_trace(spans).nodes} == {0}


def test_a_server_that_went_on_after_its_caller_left_begins_with_it() -> None:
    spans = [
        make_span(1, kind="client", took=10),
        make_span(2, 1, kind="server", source=PAY, at=-3, took=500),
    ]
    assert find(build_trace(spans), 2).start == NOW_NS


def test_each_span_knows_the_entry_that_it_works_for() -> None:
    spans = [
        make_span(1),
        make_span(2, 1),
        make_span(3, 2, kind="server", source=PAY),
        make_span(4, 3, source=PAY),
    ]
    assert build_trace(spans).owners == [0, 0, 2, 2]


def test_a_long_chain_is_no_trouble() -> None:
    spans = [make_span(number, number - 1 or None) for number in range(1, 5001)]
    trace = build_trace(reversed(spans))
    assert trace.nodes[-1].depth == 4999
    assert len(lay_out(trace, 100).rows) == 100


ids = st.integers(0, 12).map(lambda number: f"{number:016x}" if number else "")
some_spans = st.lists(
    st.builds(
        make_span,
        st.just(1),
        span_id=ids,
        parent_id=ids,
        at=st.integers(-50, 50),
        took=st.sampled_from((0, 1, 7, 10**9)),
        name=st.sampled_from(("a", "b")),
        kind=st.sampled_from(("server", "client", "internal", "unspecified")),
        is_error=st.booleans(),
        category=st.sampled_from(("", "database")),
        statement=st.sampled_from(("", "select 1")),
        source=st.sampled_from((SHOP, PAY)),
    ),
    max_size=40,
)


@given(some_spans, st.integers(1, 50), st.booleans())
def test_every_span_stands_in_it_exactly_once(spans: list[Span], limit: int, fold: bool) -> None:
    trace = build_trace(spans)
    distinct = {span.span_id for span in spans if span.span_id}
    nameless = sum(not span.span_id for span in spans)
    assert len(trace.nodes) == len(distinct) + nameless
    assert {n.span.span_id for n in trace.nodes} - {""} == distinct
    assert trace.repeated == len(spans) - len(trace.nodes)
    assert len({id(node) for node in trace.nodes}) == len(trace.nodes)
    for position, node in enumerate(trace.nodes):
        assert node.position == position
        assert node.parent is None or node.parent.position < position
        assert 0 <= sum(end - start for start, end in node.find_own()) <= node.duration_ns
    waterfall = lay_out(trace, limit, fold=fold)
    assert len(waterfall.rows) <= limit
    counted = sum(len(row.members) + row.hidden for row in waterfall.rows) + waterfall.left_out
    assert counted == len(trace.nodes)
    members = [id(node) for row in waterfall.rows for node in row.members]
    assert len(members) == len(set(members))
    find_hints(trace)
