"""The list of traces: rows, filters, order, pages, looking up an id."""

import httpx2
import pytest

from miniapm.clock import HOUR, MINUTE, SECOND, to_rfc3339
from tests import factories
from tests.conftest import Server
from tests.factories import START
from tests.web.entry_rows import add_entries, make_entry
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html
from tests.web.trace_bodies import TRACE, make_shop, send

PAGE = "/p/default/traces"


def show(browser: httpx2.Client, query: str = "") -> Element:
    answer = browser.get(PAGE + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def names(page: Element) -> list[str]:
    """Of the endpoints."""
    cells = page.select("table.requests th[scope=row]")
    return [cell.text.removesuffix(" no trace") for cell in cells]


def cells(row: Element) -> list[str]:
    return [cell.text for cell in row.select("td")]


def test_a_row_tells_all_of_a_request(server: Server) -> None:
    entry = make_entry(
        endpoint="GET /users/{id}", started_at=START - MINUTE, duration_us=123_000, failed=True,
        status_code=502, trace_id=bytes.fromhex(TRACE), database_us=61_500, database_count=1400,
        http_us=12_300, http_count=2, version="v9",
    )  # fmt: skip
    add_entries(server, [entry, make_entry(duration_us=246_000, status_code=None)])
    [row, other] = show(server.sign_in()).select("table.requests tbody tr")[::-1]
    [stored] = server.rows("select id from entries where failed = 1")
    link = row.one("th a")
    assert (link.text, link["href"]) == ("GET /users/{id}", f"{PAGE}/{TRACE}?at={stored['id']}")
    took, _, status, database, calls, service, version, _ = cells(row)
    assert (took, status, service, version) == ("123 ms", "502 failed", "shop", "v9")
    assert (database, calls) == ("1,400 in 62 ms", "2 in 12 ms")
    assert row.one("time")["datetime"] == to_rfc3339(START - MINUTE)
    assert [(r.attributes.get("class"), r["width"]) for r in row.select("rect")] == [
        (None, "50.0%"), ("database", "25.0%"), ("http", "5.0%"),
    ]  # fmt: skip
    assert "failed" in row["class"]
    # without a trace there is none to go to
    assert other.select("a") == []
    assert other.one("th .hint").text == "no trace"
    assert cells(other)[2] == "ok"


def test_the_newest_or_the_slowest_come_first(server: Server) -> None:
    add_entries(
        server,
        [
            make_entry(endpoint=name, started_at=START - at, duration_us=took)
            for name, at, took in (("a", 3, 50), ("b", 1, 20), ("c", 2, 90))
        ],
    )
    browser = server.sign_in()
    page = show(browser)
    assert names(page) == ["b", "c", "a"]
    current, slowest = page.select("nav.sorts a")
    assert current["aria-current"] == "true"
    for address in (slowest["href"].removeprefix(PAGE), "?sort=slowest"):
        page = show(browser, address)
        assert names(page) == ["c", "a", "b"]


FILTERED = [
    ("?endpoint={b}", ["b"]),
    ("?min_ms=1.5", ["c"]),
    ("?status=failed", ["b"]),
    ("?status=ok", ["c", "a"]),
    ("?status=404", ["a"]),
    ("?status=5xx", ["b"]),
    ("?version=v2", ["c"]),
    ("?version=abcdef0", ["b"]),
    ("?env=staging", ["c"]),
    ("?service=pay", ["b"]),
    ("?range=1h", ["c", "b"]),
    ("?from=2025-10-09T00:00:00Z&to=2025-10-09T07:30:00Z", ["a"]),
    ("?env=staging&status=failed", []),
]


@pytest.mark.parametrize(("query", "expected"), FILTERED)
def test_filters(server: Server, query: str, expected: list[str]) -> None:
    add_entries(
        server,
        [
            make_entry(endpoint="a", started_at=START - 2 * HOUR, status_code=404),
            make_entry(endpoint="b", started_at=START - 2, failed=True, status_code=503,
                       service="pay", revision="abcdef0123456", duration_us=900),
            make_entry(endpoint="c", started_at=START - 1, version="v2", env="staging",
                       duration_us=2000),
        ],
    )  # fmt: skip
    if "min_ms" in query:
        query += "&range=1h"
    [endpoint] = server.rows("select id from endpoints where name = 'b'")
    browser = server.sign_in()
    for sort in ("recent", "slow"):
        page = show(browser, f"{query.format(b=endpoint['id'])}&sort={sort}")
        assert sorted(names(page)) == sorted(expected), sort
    if not expected:
        assert "matches these filters" in page.one("div.nothing").text


def test_the_form_shows_what_was_asked(server: Server) -> None:
    add_entries(server, [make_entry()])
    query = "?status=418&min_ms=2.5&version=v1&env=production&sort=slow&endpoint=1"
    page = show(server.sign_in(), query)
    form = page.one("form.filters")
    chosen = {
        select["name"]: [o.text for o in select.select("option[selected]")]
        for select in form.select("select")
    }
    assert chosen == {
        "env": ["production"], "service": [], "range": ["1 hour"], "endpoint": ["GET /"],
        "status": ["418"],
    }  # fmt: skip
    given = {field["name"]: field["value"] for field in form.select("input")}
    assert given == {"min_ms": "2.5", "version": "v1", "trace": "", "sort": "slow"}


def test_pages_follow_each_other(server: Server) -> None:
    add_entries(
        server,
        [make_entry(endpoint=f"e{n}", started_at=START - n * SECOND, duration_us=n)
         for n in range(1, 121)],
    )  # fmt: skip
    browser = server.sign_in()
    for sort in ("recent", "slow"):
        query: str | None = f"?sort={sort}&status=ok"
        found: list[str] = []
        while query is not None:
            page = show(browser, query)
            assert len(names(page)) <= 50
            found += names(page)
            older = page.select("nav.pages a[rel=next]")
            query = older[0]["href"].removeprefix(PAGE) if older else None
            assert query is None or "status=ok" in query
        expected = [f"e{n}" for n in range(1, 121)]
        assert found == (expected if sort == "recent" else expected[::-1])
        [newest] = page.select("nav.pages a")
        assert "cursor" not in newest["href"]


def test_a_whole_id_leads_to_the_trace(server: Server) -> None:
    send(server, make_shop())
    browser = server.sign_in()
    dashed = f"{TRACE[:8]}-{TRACE[8:12]}-{TRACE[12:16]}-{TRACE[16:20]}-{TRACE[20:]}"
    for text in (TRACE, TRACE.upper(), dashed, f"00-{TRACE}-0102030405060708-01", f" {TRACE} "):
        answer = browser.get(PAGE, params={"trace": text, "env": "production"})
        assert answer.status_code == 303, text
        assert answer.headers["location"] == f"{PAGE}/{TRACE}?env=production"


@pytest.mark.parametrize(
    "query",
    [
        "?sort=x", "?endpoint=x", "?endpoint=0", "?endpoint=99999999999999999999", "?status=x",
        "?status=6xx", "?status=0404", "?range=x", "?from=x", "?cursor=x",
        "?from=2025-10-09T00:00:00Z&to=2025-10-08T00:00:00Z", "?trace=abc&status=x",
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(server: Server, query: str) -> None:
    answer = server.sign_in().get(PAGE + query)
    assert answer.status_code == 400
    assert parse_html(answer.text).one("article.trouble").text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_ms", "x"), ("min_ms", "-1"), ("min_ms", "nan"), ("min_ms", "1e9"),
        ("min_ms", "99999999"), ("min_ms", "\N{SUPERSCRIPT TWO}"), ("trace", "abc123"),
        ("trace", "ghijklmn"), ("trace", "a" * 33),
    ],
)  # fmt: skip
def test_what_is_typed_wrongly_is_said_beside_the_form(
    server: Server, name: str, value: str
) -> None:
    add_entries(server, [make_entry()])
    query = {"env": "production", "status": "ok", name: value}
    answer = server.sign_in().get(PAGE, params=query)
    assert answer.status_code == 400
    page = parse_html(answer.text)
    label = {"min_ms": "At least, ms", "trace": "Trace id"}[name]
    assert page.one("#problems p").text.startswith(f"{label} takes a ")
    # the form has it all, and the list does not look as if it answered
    assert [box["value"] for box in page.select("form.filters input[aria-invalid]")] == [value]
    chosen = [option.text for option in page.select("form.filters option[selected]")]
    assert {"production", "Not failed"} <= {*chosen}
    assert names(page) == []
    assert page.select("div.nothing") == []


def test_all_that_is_typed_wrongly_is_said_at_once(server: Server) -> None:
    add_entries(server, [make_entry()])
    page = parse_html(server.sign_in().get(f"{PAGE}?min_ms=x&trace=abc").text)
    assert len(page.select("#problems p")) == 2


def test_without_telemetry_it_says_how_to_send_some(server: Server) -> None:
    page = show(server.sign_in())
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in page.one("section.empty").text
    assert page.select("form.filters") == []


def test_nothing_in_this_time(server: Server) -> None:
    add_entries(server, [make_entry(started_at=START - 3 * HOUR)])
    page = show(server.sign_in(), "?range=1h")
    assert "No request began in this time" in page.one("div.nothing").text
    assert page.one("div.nothing a")["href"] == f"{PAGE}?range=7d"


def test_projects_are_apart(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    add_entries(server, [make_entry(endpoint="foreign")], project="other")
    add_entries(server, [make_entry(endpoint="own")])
    assert names(show(server.sign_in())) == ["own"]


def test_hostile_text_is_text(server: Server) -> None:
    add_entries(
        server,
        [
            make_entry(endpoint=text, service=text, env=text, version=text, started_at=START - n)
            for n, text in enumerate(HOSTILE_TEXTS)
        ],
    )
    page = show(server.sign_in())
    cells = [c.raw_text for c in page.select("th[scope=row]")]
    assert cells == [f"{text} no trace" for text in HOSTILE_TEXTS]
    assert [script["src"][:8] for script in page.select("script")] == ["/static/"]
    assert page.select("style") == []
    assert not any(n.startswith("on") for e in page.walk() for n in e.attributes)
    browser = server.sign_in()
    for text in HOSTILE_TEXTS:
        asked = parse_html(browser.get(PAGE, params={"version": text, "service": text}).text)
        assert asked.one("input[name=version]")["value"] == text


def test_it_stands_in_the_bar(server: Server) -> None:
    page = show(server.sign_in())
    words = [link.text for link in page.select("header nav a")]
    assert words[: words.index("Traces") + 1][-4:] == ["Overview", "Deploys", "Endpoints", "Traces"]
    assert page.one("header nav a[aria-current=page]").text == "Traces"
