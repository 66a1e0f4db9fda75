"""The page of a trace: waterfall, hints, exceptions, the details of a span."""

import httpx2
import pytest

from miniapm.clock import DAY, HOUR
from tests import factories
from tests.conftest import Server
from tests.otlp import CLIENT, INTERNAL, Event, Group
from tests.web.hostile import HOSTILE_TEXTS
from tests.web.markup import Element, parse_html
from tests.web.trace_bodies import (
    BROKEN,
    CALL,
    FOREIGN,
    ROOT,
    STACK,
    TRACE,
    make_pay,
    make_shop,
    make_span,
    send,
    send_checkout,
    span_id,
)

PAGE = f"/p/default/traces/{TRACE}"


def show(browser: httpx2.Client, query: str = "", page: str = PAGE) -> Element:
    answer = browser.get(page + query)
    assert answer.status_code == 200, answer.text
    return parse_html(answer.text)


def names(page: Element) -> list[str]:
    return [link.text for link in page.select("table.waterfall tbody th a")]


def pairs(page: Element) -> dict[str, str]:
    """What the panel lists."""
    found = page.one("aside#span")
    return dict(
        zip(
            (e.text for e in found.select("dl.pairs dt")),
            (e.text for e in found.select("dl.pairs dd")),
            strict=True,
        )
    )


def test_the_waterfall_has_both_services(server: Server) -> None:
    send_checkout(server)
    page = show(server.sign_in())
    assert names(page) == ["GET /", "SELECT items", "POST", "POST /charges/{id}", "charge"]
    rows = page.select("table.waterfall tbody tr")
    assert [row.one("th")["class"] for row in rows] == ["d0", "d1", "d1", "d2", "d3"]
    assert rows[1].one("th b").text == "14 \N{MULTIPLICATION SIGN}"
    assert [row.select("td")[1].text for row in rows][:2] == ["400 ms", "56 ms"]
    assert len({row["class"].split()[0] for row in rows}) == 2
    assert [li.select("bdi")[0].text for li in page.select("ul.services li")] == ["shop", "pay"]
    # the other clock is five seconds slow: its bar stands within its caller's all the same
    call, foreign = (row.select("td svg rect")[0] for row in rows[2:4])
    assert float(call["x"][:-1]) < float(foreign["x"][:-1]) < 100
    assert not page.select("[style]")


def test_the_head_tells_the_request(server: Server) -> None:
    send_checkout(server)
    browser = server.sign_in()
    page = show(browser)
    [endpoint] = server.rows("select id from endpoints where name = 'POST /checkout'")
    link = page.one("h1 a")
    assert (link.text, link["href"]) == ("POST /checkout", f"/p/default/endpoints/{endpoint['id']}")
    assert "400 ms" in page.one("header p.facts").text
    assert "500 failed" in page.one("header p.facts").text
    assert "18 spans" in page.one("header p.facts").text
    counts = [count.text.split() for count in page.select("ul.services .count")]
    assert sum(int(count) for count, _ in counts) == 18
    assert {noun for _, noun in counts} <= {"span", "spans"}


def test_the_release_leads_to_its_deploy(server: Server) -> None:
    send_checkout(server)
    project = server.rows("select id from projects")[0]["id"]
    server.run(
        server.running.context.database.write(
            lambda connection: (
                connection.execute(
                    "update releases set deploy_id = 77 where version = 'v2' and project_id = :id",
                    {"id": project},
                ).rowcount
            )
        )
    )
    links = show(server.sign_in()).select("ul.services a")
    assert [(link.text, link["href"]) for link in links] == [("v2", "/p/default/deploys/77")]


def test_repeated_queries_are_a_hint(server: Server) -> None:
    send_checkout(server)
    [hint] = show(server.sign_in()).select("ul.findings[aria-label^=Repeated] li")
    assert hint.one("b").text == "14 \N{MULTIPLICATION SIGN}"
    assert hint.one("code").text == "select * from items where order_id = ?"
    assert "56 ms in all" in hint.text


def test_every_call_can_have_a_row(server: Server) -> None:
    send_checkout(server)
    browser = server.sign_in()
    folded = show(browser)
    [more] = [a for a in folded.select("div.fall a") if "every call" in a.text]
    page = show(browser, more["href"])
    assert len(names(page)) == 18
    [back] = [a for a in page.select("div.fall a") if "Fold" in a.text]
    assert len(names(show(browser, page=back["href"]))) == 5


def test_an_exception_leads_to_its_error_and_its_span(server: Server) -> None:
    send_checkout(server)
    browser = server.sign_in()
    page = show(browser)
    [group] = server.rows("select id from error_groups")
    [line] = page.select("ul.findings li.bad")
    assert line.one("b").text == "pay.GatewayError"
    assert "hunter2" not in browser.get(PAGE).text
    span, error = line.select("a")
    assert error["href"] == f"/p/default/errors/{group['id']}"
    # without a choice it is what the panel shows
    assert page.one("aside h2").text == "charge"
    assert show(browser, span["href"]).one("aside h2").text == "charge"
    exception = page.one("aside section.exception")
    assert exception.one("h3").text == "pay.GatewayError"
    assert exception.one("p").text == "declined password=[masked]"
    assert exception.one("pre").raw_text == STACK.rstrip("\n")
    assert pairs(page)["card"] == "[masked]"
    assert pairs(page)["amount"] == "4200"
    assert "behind" in page.one("aside dl.fields").text


def test_each_span_shows_what_it_holds(server: Server) -> None:
    send_checkout(server)
    browser = server.sign_in()
    page = show(browser, f"?span={CALL.hex()}")
    assert page.one("aside h2").text == "POST"
    assert pairs(page) == {
        "http.method": "POST",
        "http.url": "https://pay/charges/17?token=[masked]",
        "host.name": "shop-1",
        "service.name": "shop",
        "service.version": "v2",
    }
    [chosen] = page.select("tr.chosen th a")
    assert chosen.text == "POST"
    assert chosen["aria-current"] == "true"
    page = show(browser, f"?span={ROOT.hex()}")
    assert pairs(page)["http.request.header.cookie"] == "[masked]"
    page = show(browser, f"?span={span_id(103).hex()}")
    assert page.one("aside pre.statement").text == "select * from items where order_id = 3"
    assert len(page.select("aside p.alike a")) == 13
    assert [row.one("th a").text for row in page.select("tr.chosen")] == ["SELECT items"]


@pytest.mark.parametrize("query", ["?span=nothing", "?at=1", "?at=x", "?fold=7", "?span="])
def test_what_is_asked_wrongly_is_left_out(server: Server, query: str) -> None:
    send_checkout(server)
    assert len(names(show(server.sign_in(), query))) == 5


def test_a_hint_of_time_is_enough_and_everything_can_be_asked(server: Server) -> None:
    send(server, make_shop())
    server.clock.move(HOUR)
    send(server, make_pay(), as_json=True)
    shop, pay = server.rows("select id from entries order by id")
    browser = server.sign_in()
    # what has all its parents says nothing of what may lie elsewhere
    page = show(browser, f"?at={shop['id']}")
    assert names(page) == ["GET /", "SELECT items", "POST"]
    assert [a for a in page.select("div.fall a") if "everything" in a.text] == []
    # the hint stays with the choice of a span
    assert f"at={shop['id']}" in page.select("table.waterfall th a")[0]["href"]
    page = show(browser, f"?at={pay['id']}")
    assert names(page) == ["POST /charges/{id}", "charge"]
    [more] = [a for a in page.select("div.fall a") if "everything" in a.text]
    whole = show(browser, page=more["href"])
    assert len(names(whole)) == 5
    assert [a for a in whole.select("div.fall a") if "everything" in a.text] == []


def test_spans_that_are_gone_are_told_from_a_trace_that_never_was(server: Server) -> None:
    send_checkout(server)
    [entry] = server.rows("select id from entries where endpoint_id = 1")
    database = server.running.context.database

    def forget(connection: object) -> None:
        for table in ("span_batches", "span_batch_traces"):
            connection.execute(f"delete from {table}")  # type: ignore[attr-defined]

    server.run(database.write(forget))
    browser = server.sign_in()
    page = show(browser, f"?at={entry['id']}")
    assert page.one("h1").text == "POST /checkout"
    assert "kept for 7d" in page.one("div.notice").text
    assert not page.select("table.waterfall")
    answer = browser.get(PAGE)
    assert answer.status_code == 404
    told = parse_html(answer.text).one("article.trouble").text
    assert "kept for 7d" in told
    assert "it was erased" in told
    assert "deploy" not in told
    # the entry is another trace's
    assert browser.get(f"/p/default/traces/{'0' * 31}1?at={entry['id']}").status_code == 404


@pytest.mark.parametrize("trace_id", ["1", "x" * 32, "a" * 31, "a b" * 11, "%C3%A4" * 32])
def test_no_trace_has_such_an_id(server: Server, trace_id: str) -> None:
    answer = server.sign_in().get(f"/p/default/traces/{trace_id}")
    assert answer.status_code == 404
    trouble = parse_html(answer.text).one("article.trouble")
    assert trouble.one("a")["href"] == "/"
    assert "restored" not in trouble.text


def test_a_trace_is_its_project_s_alone(server: Server) -> None:
    server.run(factories.insert_project(server.running.context, "other"))
    send(server, make_shop(), project="other")
    assert server.sign_in().get(PAGE).status_code == 404
    assert server.sign_in().get(f"/p/other/traces/{TRACE}").status_code == 200


def test_thousands_of_spans_have_a_bounded_page(server: Server) -> None:
    spans = [make_span(span_id=ROOT, took=5000)]
    for number in range(1, 2000):
        parent = ROOT if number % 5 else span_id(number - 1)
        spans.append(
            make_span(
                span_id=span_id(number), parent_id=parent, kind=INTERNAL, name=f"work {number}",
                at=number, took=number % 97,
            )
        )  # fmt: skip
    send(server, Group(spans))
    browser = server.sign_in()
    answer = browser.get(PAGE)
    page = parse_html(answer.text)
    assert len(names(page)) == 300
    assert "2,000 spans" in page.one("header p.facts").text
    hidden = [int(e.text.split()[0]) for e in page.select("tbody em") if "below" in e.text]
    assert sum(hidden) == 1700
    assert len(answer.content) < 160_000


def test_a_span_of_very_much_text_has_a_bounded_page(server: Server) -> None:
    attributes = {f"key {n} {'k' * 500}": "v" * 2500 for n in range(100)}
    event = Event("told", attributes=attributes)
    send(server, Group([make_span(span_id=ROOT, attributes=attributes, events=[event] * 2)]))
    answer = server.sign_in().get(PAGE)
    page = parse_html(answer.text)
    assert "are too long to be shown here" in page.one("aside").text
    assert page.select("aside dl.pairs dd details pre")[0].raw_text.startswith("vvv")
    assert len(answer.content) < 200_000


@pytest.mark.parametrize("as_json", [False, True])
def test_hostile_text_is_text(server: Server, as_json: bool) -> None:
    spans = [make_span(span_id=ROOT, name=HOSTILE_TEXTS[0])]
    for number, text in enumerate(HOSTILE_TEXTS, 10):
        told = {"exception.type": text, "exception.message": text, "exception.stacktrace": text}
        spans.append(
            make_span(
                span_id=span_id(number), parent_id=ROOT, kind=CLIENT, name=text, status=2,
                attributes={text: text, "db.query.text": text, "url.full": text},
                events=[Event(attributes=told), Event(text, attributes={text: text})],
            )
        )  # fmt: skip
    resource = {"service.name": HOSTILE_TEXTS[0], "service.version": HOSTILE_TEXTS[0], "a": "<b>"}
    send(server, Group(spans, resource, HOSTILE_TEXTS[0]), as_json=as_json)
    browser = server.sign_in()
    for number, text in enumerate(HOSTILE_TEXTS, 10):
        page = show(browser, f"?span={span_id(number).hex()}")
        assert page.one("aside h2").raw_text == text
        assert [script["src"][:8] for script in page.select("script")] == ["/static/"] * 2
        assert page.select("style") == []
        assert not any(n.startswith("on") for e in page.walk() for n in e.attributes)
        links = {link["href"] for link in page.select("main a")}
        assert all(link.startswith(("/p/default/", "?span=", "?fold=")) for link in links), links


def test_spans_without_sense_are_shown(server: Server) -> None:
    spans = [
        make_span(span_id=ROOT, parent_id=CALL, kind=INTERNAL, name="a"),
        make_span(span_id=CALL, parent_id=ROOT, kind=INTERNAL, name="b", at=1),
        make_span(span_id=b"", parent_id=FOREIGN, kind=77, name="c", at=2),
        make_span(span_id=BROKEN, parent_id=FOREIGN, kind=INTERNAL, name="", at=3, took=-5),
        make_span(span_id=BROKEN, parent_id=FOREIGN, kind=INTERNAL, name="", at=3, took=9),
    ]
    send(server, Group(spans))
    page = show(server.sign_in())
    assert names(page) == ["a", "b", "c", "unnamed"]
    assert len([e for e in page.select("tbody em") if "did not arrive" in e.text]) == 2
    assert "1 span came twice" in page.text


def test_a_span_that_never_ends_is_shown(server: Server) -> None:
    forever = make_span(span_id=ROOT)
    send(server, Group([make_span(span_id=CALL, parent_id=ROOT, kind=CLIENT, took=10**9)]))
    send(server, Group([forever]))
    assert names(show(server.sign_in())) == ["GET /", "GET /"]


def test_the_filters_stay(server: Server) -> None:
    send_checkout(server)
    page = show(server.sign_in(), "?env=production&range=6h")
    assert page.one("p.crumb a")["href"] == "/p/default/traces?env=production&range=6h"
    assert "env=production&range=6h" in page.select("table.waterfall th a")[0]["href"]


def test_a_retried_part_counts_once(server: Server) -> None:
    send(server, make_shop())
    server.clock.move(DAY)
    send(server, make_shop(), as_json=True)
    page = show(server.sign_in())
    assert "16 spans" in page.one("header p.facts").text
    assert "16 spans came twice" in page.text
