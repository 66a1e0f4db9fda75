"""What `miniapm doctor` tells of telemetry: each trouble is made for real, and found."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from miniapm import clock
from miniapm.clock import DAY, HOUR, MINUTE, SECOND
from miniapm.domain.retention import Lifetimes
from miniapm.storage.connection import open_connection, transaction
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.jobs import JobRow, write_jobs, write_lifetimes
from miniapm.storage.server_lock import server_lock
from miniapm.storage.spans.names import NameCaps
from tests.cli.conftest import Command
from tests.conftest import FakeClock
from tests.factories import make_deploy
from tests.spans import Recorder, SentSpan, make_trace_id

CAPS = {
    "MINIAPM_LIMITS_ENDPOINTS_PER_SERVICE": "3",
    "MINIAPM_LIMITS_RELEASES_PER_SERVICE": "2",
    "MINIAPM_LIMITS_SERVICES": "2",
}


class Told(NamedTuple):
    mark: str
    about: str
    sentence: str
    advice: str


@pytest.fixture
def recorder(miniapm: Command) -> Iterator[Recorder]:
    connection = open_connection(miniapm.home / "miniapm.db")
    caps = NameCaps(services=2, releases=2, endpoints=3)
    yield Recorder(connection, FakeClock(clock.now()), caps)
    connection.close()


def examine(command: Command, part: str, **environ: str) -> list[Told]:
    """The findings whose sentence holds `part`."""
    told = json.loads(command("doctor", "--json", **environ).out)["findings"]
    return [Told(**one) for one in told if part in one["sentence"]]


def test_nothing_came_though_a_key_may_send_it(miniapm: Command, recorder: Recorder) -> None:
    assert examine(miniapm, "telemetry") == []
    miniapm("keys", "create", "app")
    [found] = examine(miniapm, "telemetry")
    assert (found.mark, found.about) == ("note", "default")
    assert found.sentence == "No telemetry of default has come in yet, though a key may send it."
    recorder.record([SentSpan(make_trace_id(1), recorder.clock())])
    assert examine(miniapm, "No telemetry") == []
    [found] = examine(miniapm, "was last seen")
    assert (found.mark, found.advice) == ("ok", "")
    assert "of the service shop in production (1 service in all)" in found.sentence


def test_nothing_came_for_a_day(miniapm: Command, recorder: Recorder) -> None:
    recorder.clock.move(-2 * DAY)
    recorder.record([SentSpan(make_trace_id(1), recorder.clock())])
    [found] = examine(miniapm, "was last seen")
    assert (found.mark, "Nothing came for a day" in found.advice) == ("note", True)


def test_figures_that_are_behind(miniapm: Command, recorder: Recorder) -> None:
    recorder.clock.move(-5 * MINUTE)
    recorder.record([SentSpan(make_trace_id(1), recorder.clock())])
    [found] = examine(miniapm, "is behind")
    assert (found.mark, found.about) == ("note", "telemetry")  # no server runs
    assert "the figures are 5m behind what came in" in found.sentence
    with server_lock(miniapm.home / "miniapm.db"):
        assert [found.mark for found in examine(miniapm, "is behind")] == ["problem"]
    recorder.flush()
    assert examine(miniapm, "is behind") == []


def test_retention_that_is_behind(miniapm: Command, recorder: Recorder) -> None:
    recorder.clock.move(-9 * DAY)
    recorder.record([SentSpan(make_trace_id(1), recorder.clock())])
    recorder.flush()
    [found] = examine(miniapm, "is behind")
    assert "spans are kept for 7d, but the oldest came in 9d ago" in found.sentence
    assert examine(miniapm, "is behind", MINIAPM_RETENTION_SPANS="10d") == []
    # the server's own settings count, not those of this shell
    with transaction(recorder.connection):
        write_lifetimes(recorder.connection, Lifetimes(30 * DAY, 1, 1, 1, 1))
    assert examine(miniapm, "is behind") == []


def test_jobs_as_the_server_noted_them(miniapm: Command, recorder: Recorder) -> None:
    rows = [
        JobRow("flush rollups", 0, 0, "", 1),
        JobRow("retention", MINUTE * 1_000_000, 0, "", 1),
        JobRow("forget", None, 2, "Busy", 1),
    ]
    with transaction(recorder.connection):
        write_jobs(recorder.connection, rows)
    [found] = examine(miniapm, "keep up")
    assert found.mark == "ok"
    assert "`flush rollups` last at 1970-01-01T00:00:00Z" in found.sentence
    assert "`retention` last at 1971-11-26T" in found.sentence
    [found] = examine(miniapm, "failed")
    assert found.mark == "note"
    assert found.sentence.startswith(
        "The job `forget` failed 2 times in a row (Busy); it last worked at no time yet."
    )


def test_caps_that_are_reached(miniapm: Command, recorder: Recorder) -> None:
    at = recorder.clock()
    recorder.record([SentSpan(make_trace_id(n), at, f"GET /{'abcdefg'[n]}") for n in range(2)])
    for version in ("1",):
        recorder.record(
            [SentSpan(make_trace_id(1), at)],
            resource={"service.name": "shop", "service.version": version},
        )
    assert examine(miniapm, "which is the most", **CAPS) == []
    recorder.record([SentSpan(make_trace_id(8), at, "GET /z")], resource={"service.version": "2"})
    for service in ("two", "three"):
        recorder.record([SentSpan(make_trace_id(9), at)], resource={"service.name": service})
    endpoints, releases, services = examine(miniapm, "which is the most", **CAPS)
    assert {endpoints.mark, releases.mark, services.mark} == {"problem"}
    assert "The service shop of default has" in endpoints.sentence
    assert "limits.endpoints_per_service" in endpoints.advice
    assert "limits.releases_per_service" in releases.advice
    assert "names 2 services" in services.sentence
    assert examine(miniapm, "which is the most") == []  # with the caps as they are by default


@pytest.mark.parametrize(
    ("skew", "expected"),
    [
        (5 * MINUTE, "end 5m after they arrive"),
        (-3 * HOUR, "arrive 3h after they ended"),
        (10 * SECOND, None),
        (-MINUTE, None),
    ],
)
def test_clocks_of_senders(
    miniapm: Command, recorder: Recorder, skew: int, expected: str | None
) -> None:
    for number in range(5):
        at = recorder.clock() + skew
        recorder.record([SentSpan(make_trace_id(number), at)], resource={"service.name": "edge"})
        recorder.record([SentSpan(make_trace_id(number), recorder.clock())])
        recorder.clock.move(SECOND)
    found = examine(miniapm, "Requests of")
    if expected is None:
        assert found == []
    else:
        assert [(one.mark, expected in one.sentence) for one in found] == [("note", True)]
        assert "edge in production" in found[0].sentence


def test_what_serves_where_nothing_was_ever_announced(miniapm: Command, recorder: Recorder) -> None:
    at = recorder.clock()
    recorder.record([SentSpan(make_trace_id(1), at)], resource={"service.name": "web-shop"})
    assert examine(miniapm, "web-shop in production,") == []  # nothing is announced here at all
    insert_row(recorder.connection, make_deploy(id=1, service="webshop", deployed_at=at))
    insert_row(
        recorder.connection,
        make_deploy(id=2, service="web-shop", deployed_at=at, sources=("telemetry",)),
    )
    [found] = examine(miniapm, "web-shop in production,")
    assert found.mark == "note"
    assert "deploys are announced for webshop in production" in found.sentence
    assert "use one name" in found.advice
    # once, not once more in other words
    assert examine(miniapm, "no deploy of it") == []
    insert_row(recorder.connection, make_deploy(id=3, service="web-shop", deployed_at=at))
    assert examine(miniapm, "web-shop in production,") == []


def test_what_takes_most_of_the_file(miniapm: Command, recorder: Recorder) -> None:
    at = recorder.clock()
    recorder.record([SentSpan(make_trace_id(n), at, f"GET /{n}") for n in range(3000)])
    recorder.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    [found] = examine(miniapm, "Most of it")
    assert found.mark == "ok"
    assert "entries" in found.sentence.partition(",")[0]


def test_spans_that_cannot_be_read(miniapm: Command, recorder: Recorder) -> None:
    assert examine(miniapm, "looked at") == []
    for number in range(2):
        recorder.record([SentSpan(make_trace_id(number), recorder.clock())])
    [found] = examine(miniapm, "looked at")
    assert (found.mark, found.about) == ("ok", "spans")
    bad = "select max(id) from span_batches"
    recorder.connection.execute(f"update span_batches set body = x'00ff' where id = ({bad})")
    [found] = examine(miniapm, "looked at")
    assert found.mark == "problem"
    assert found.sentence.startswith("1 of 2 batches of spans that were looked at cannot be read")
