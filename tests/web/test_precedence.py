"""Ingest while pages go first: slower, and as sure as ever."""

import pytest

from tests.conftest import Server
from tests.domain.otlp.reading import write
from tests.otlp import Group, Span
from tests.web.otlp_calls import Sender


@pytest.mark.parametrize("number", [1, 400])
def test_bodies_are_stored_while_a_page_is_made(server: Server, number: int) -> None:
    sender = Sender(server, "json", server.make_key("traces:write"))
    body = write(
        "json", [Group([Span(span_id=n.to_bytes(8, "big")) for n in range(1, number + 1)])]
    )
    with server.running.context.database.precedence.hold():
        assert sender.send(body).status_code == 200
        [row] = server.rows("select sum(span_count) as spans from span_batches")
    assert row["spans"] == number


def test_precedence_ends_with_the_page(server: Server) -> None:
    precedence = server.running.context.database.precedence
    browser = server.sign_in("viewer")
    for path, status in (("/p/default/", 200), ("/p/none/", 404), ("/nothing/here", 404)):
        assert browser.get(path).status_code == status
        assert not precedence.is_held
