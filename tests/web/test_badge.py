"""The badge: what it says, how long it may be kept, and that nothing breaks out of it."""

from typing import Any
from xml.etree import ElementTree

import pytest

from miniapm.clock import DAY
from miniapm.storage.audit import Act
from miniapm.storage.badges import BadgeContent, make_badge
from miniapm.storage.deploys.find import get_deploy
from miniapm.storage.deploys.rows import insert_row
from miniapm.storage.impact.reviews import review_verdict
from miniapm.web.badge import draw_badge, tell_badge
from tests.conftest import Server
from tests.factories import START, make_deploy
from tests.impacts import add_verdict, make_endpoint
from tests.web.hostile import HOSTILE_TEXTS

SVG = "{http://www.w3.org/2000/svg}"


def make_content(**fields: object) -> BadgeContent:
    base = BadgeContent("production", "shop", "v1.2", START, "final", "unchanged")
    return base._replace(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "unchanged"),
        ({"verdict": "regressed"}, "regressed"),
        ({"state": "provisional", "verdict": "improved"}, "improved"),
        ({"verdict": "not_enough_data"}, "not enough data"),
        ({"state": "pending", "verdict": "not_enough_data"}, "not judged yet"),
        ({"state": "superseded", "verdict": "not_enough_data"}, "superseded"),
        ({"state": None, "verdict": None}, "not judged yet"),
        ({"service": None, "name": None, "state": None, "verdict": None}, "no deploy yet"),
    ],
)
def test_what_it_says(fields: dict[str, object], words: str) -> None:
    content = make_content(**fields)
    assert tell_badge(content) == words
    svg = ElementTree.fromstring(draw_badge(content))  # noqa: S314 - ours
    assert svg.findtext(f"{SVG}title", "").endswith(words)


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS, "\x00\x1b\ud800", "", "]]>&amp;", "漢" * 60])
def test_hostile_names_stay_text_of_the_same_size(text: str) -> None:
    svg = ElementTree.fromstring(draw_badge(make_content(env=text, service=text, name=text)))  # noqa: S314
    assert (svg.get("width"), svg.get("height")) == ("400", "20")
    known = {"svg", "title", "rect", "path", "text", "g", "circle"}
    assert {element.tag.removeprefix(SVG) for element in svg.iter()} <= known
    assert all(len(element.text or "") <= 60 for element in svg.iter())


def test_marks_differ_in_shape_and_colour() -> None:
    verdicts = ("regressed", "improved", "unchanged", "not_enough_data")
    drawn = [draw_badge(make_content(verdict=verdict)) for verdict in verdicts]
    marks = {one.partition(b"<g ")[2].partition(b"</g>")[0] for one in drawn}
    assert len(marks) == 4


def make_token(server: Server) -> str:
    context = server.running.context
    act = Act("test", context.clock(), context.make_id)
    [project] = server.rows("select id from projects")
    token: str = server.run(context.database.write(make_badge, act, project["id"], "production"))
    return token


def add_deploy(server: Server, deploy_id: int, **fields: object) -> None:
    context = server.running.context
    [project] = server.rows("select id from projects")
    deploy = make_deploy(id=deploy_id, project_id=project["id"], **fields)
    server.run(context.database.write(insert_row, deploy))


def test_the_last_live_deploy_and_its_verdict(server: Server) -> None:
    add_deploy(server, 1, version="v1", deployed_at=START - 10)
    add_deploy(server, 2, version="v2", deployed_at=START)
    add_deploy(server, 3, version="v3", deployed_at=START + 5, status="failed")
    add_deploy(server, 4, version="v4", deployed_at=START + 5, hidden_at=START)
    add_deploy(server, 5, version="v5", deployed_at=START + 5, env="staging")
    token = make_token(server)
    address = f"/badge/{token}.json"
    assert server.http.get(address).json() == {
        "schemaVersion": 1,
        "label": "production",
        "message": "shop v2 not judged yet",
        "color": "#666666",
        "env": "production",
        "service": "shop",
        "version": "v2",
        "deployed_at": "2025-10-09T08:53:20Z",
        "state": None,
        "verdict": None,
    }
    [project] = server.rows("select id from projects")
    deploy = make_deploy(id=2, project_id=project["id"], version="v2", deployed_at=START)
    add_verdict(server, deploy, endpoints=(make_endpoint(),))
    told = server.http.get(address).json()
    assert (told["message"], told["verdict"]) == ("shop v2 regressed", "regressed")


def tell(server: Server, deploy_id: int, **fields: Any) -> None:
    context = server.running.context
    [project] = server.rows("select id from projects")
    deploy = server.run(context.database.read(get_deploy, project["id"], deploy_id))
    add_verdict(server, deploy, **fields)


def test_of_several_services_the_one_that_regressed_is_shown(server: Server) -> None:
    # so old that the job judges none of them
    for number, service in enumerate(("shop", "blog", "till"), 1):
        at = START - 20 * DAY + number
        add_deploy(server, number, version=f"v{number}", service=service, deployed_at=at)
    token = make_token(server)

    def ask() -> tuple[str, str]:
        told = server.http.get(f"/badge/{token}.json").json()
        return told["service"], told["message"]

    assert ask() == ("till", "till v3 not judged yet")
    tell(server, 3, endpoints=(make_endpoint(verdict="improved"),))
    tell(server, 1)
    assert ask() == ("shop", "shop v1 regressed")
    [project] = server.rows("select id from projects")
    context = server.running.context
    act = Act("ann", context.clock(), context.make_id)
    server.run(context.database.write(review_verdict, act, project["id"], 1, "dismiss", ""))
    assert ask() == ("till", "till v3 improved")
    svg = ElementTree.fromstring(server.http.get(f"/badge/{token}.svg").content)  # noqa: S314
    assert svg.findtext(f"{SVG}title") == "production: till v3 improved"


def test_what_is_pending_has_no_verdict(server: Server) -> None:
    add_deploy(server, 1, deployed_at=START - 20 * DAY)
    tell(server, 1, state="pending")
    told = server.http.get(f"/badge/{make_token(server)}.json").json()
    assert (told["state"], told["verdict"]) == ("pending", None)


def test_it_may_be_kept_for_a_minute(server: Server) -> None:
    add_deploy(server, 1)
    token = make_token(server)
    for kind, media_type in (("svg", "image/svg+xml"), ("json", "application/json")):
        answer = server.http.get(f"/badge/{token}.{kind}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.headers["cache-control"] == "public, max-age=60"
        again = server.http.get(
            f"/badge/{token}.{kind}", headers={"If-None-Match": answer.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
    add_deploy(server, 2, version="v9", deployed_at=START + 1)
    changed = server.http.get(
        f"/badge/{token}.svg", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert changed.status_code == 200


@pytest.mark.parametrize("name", ["x.svg", "x.json", "x", ".svg", "x.png", "..%2fx.svg"])
def test_no_other_address_shows_anything(server: Server, name: str) -> None:
    add_deploy(server, 1)
    token = make_token(server)
    assert server.http.get(f"/badge/{name}").status_code == 404
    assert server.http.get(f"/badge/{token}").status_code == 404
    assert server.http.get(f"/badge/{token}.png").status_code == 404
