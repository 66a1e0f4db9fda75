"""Calls that came in a batch before their entry count for it, once, and not for ever."""

from miniapm.domain.spans.early_calls import MOST_REMEMBERED, REMEMBERED_FOR, EarlyCallsMemory
from miniapm.domain.spans.values import EarlyCalls, Entry, ReleaseName
from tests.factories import START

TRACE = b"\1" * 16
RELEASE = ReleaseName("shop", "production", "v1", "")


def make_entry(trace_id: bytes | None = TRACE, service: str = "shop") -> Entry:
    release = RELEASE._replace(service=service)
    return Entry(release, "GET /", START, 2_000_000, False, 200, trace_id, 100, 1, 0, 0)


def make_calls(trace_id: bytes = TRACE) -> EarlyCalls:
    return EarlyCalls("shop", trace_id, 2_000, 2, 30, 1)


def test_an_entry_has_what_came_before_it() -> None:
    memory = EarlyCallsMemory()
    memory.add(1, [make_calls()], START)
    memory.add(1, [make_calls()], START)
    [entry] = memory.complete(1, [make_entry()])
    sums = (entry.database_us, entry.database_count, entry.http_us, entry.http_count)
    assert sums == (4_100, 5, 60, 2)
    assert memory.complete(1, [make_entry()]) == [make_entry()]


def test_others_have_nothing_of_it() -> None:
    memory = EarlyCallsMemory()
    memory.add(1, [make_calls()], START)
    others = [make_entry(b"\2" * 16), make_entry(service="billing"), make_entry(None)]
    assert memory.complete(1, others) == others
    assert memory.complete(2, [make_entry()]) == [make_entry()]


def test_what_no_entry_comes_for_is_forgotten() -> None:
    memory = EarlyCallsMemory()
    memory.add(1, [make_calls()], START)
    memory.forget_old(START + REMEMBERED_FOR - 1)
    memory.add(1, [make_calls(b"\2" * 16)], START + REMEMBERED_FOR - 1)
    memory.forget_old(START + REMEMBERED_FOR)
    assert memory.complete(1, [make_entry()]) == [make_entry()]
    [entry] = memory.complete(1, [make_entry(b"\2" * 16)])
    assert entry.database_count == 3


def test_only_so_many_are_remembered() -> None:
    memory = EarlyCallsMemory()
    calls = [make_calls(number.to_bytes(16, "big")) for number in range(MOST_REMEMBERED + 1)]
    memory.add(1, calls, START)
    first, last = (make_entry(call.trace_id) for call in (calls[0], calls[-1]))
    assert memory.complete(1, [first]) == [first]
    assert memory.complete(1, [last]) != [last]
