"""What is told: events, bodies, and the words of a chat."""

from typing import Any

import msgspec
import pytest

from miniapm.domain.deploys.values import Deploy
from miniapm.domain.impact.values import State, Verdict
from miniapm.domain.scrubbing import make_scrubber
from miniapm.domain.webhooks.news import (
    ErrorNews,
    ImpactNews,
    News,
    NewsData,
    name_verdict_events,
    tell_deploy,
)
from miniapm.domain.webhooks.targets import parse_target
from miniapm.domain.webhooks.values import EVENTS, check_events, check_format
from miniapm.domain.webhooks.words import quote
from miniapm.exceptions import Invalid
from tests.factories import START, make_deploy

PAGE = "https://apm.example/p/shop/deploys/1"


def deploy_news(deploy: Deploy | None = None, **impact: Any) -> News:
    told = tell_deploy(deploy or make_deploy(version="v1.2"), "Faster checkout", PAGE)
    judged = None
    if impact:
        defaults: dict[str, Any] = {
            "state": "final",
            "verdict": "regressed",
            "previous_verdict": None,
            "sentence": "v1.2 made POST /checkout 42 % slower.",
            "reasons": ["p95 212 to 301 ms"],
            "review": None,
        }
        judged = ImpactNews(**{**defaults, **impact})
    return News(
        event="verdict.regressed" if impact else "deploy.recorded",
        subject_id=1,
        happened_at=START,
        data=NewsData(project="shop", page=PAGE, deploy=told, impact=judged),
    )


def error_news(**fields: str) -> News:
    defaults = {
        "id": "7",
        "service": "shop",
        "env": "production",
        "version": "v1.2",
        "exception_class": "KeyError",
        "message": "'cart'",
        "culprit": "app/cart.py in add",
        "first_seen_at": "2025-10-09T08:53:20Z",
        "page": "https://apm.example/p/shop/errors/7",
    }
    error = ErrorNews(**{**defaults, **fields})
    data = NewsData(project="shop", page=error.page, error=error)
    return News(event="error.new", subject_id=7, happened_at=START, data=data)


@pytest.mark.parametrize(
    ("now", "before", "previous_deploy", "events"),
    [
        (("pending", "not_enough_data"), None, None, []),
        (("provisional", "unchanged"), ("pending", "not_enough_data"), None, []),
        (("provisional", "regressed"), None, None, ["verdict.regressed"]),
        (("final", "regressed"), ("provisional", "regressed"), None, ["verdict.reached"]),
        (("final", "regressed"), None, None, ["verdict.regressed", "verdict.reached"]),
        (
            ("withdrawn", "unchanged"),
            ("provisional", "regressed"),
            None,
            ["verdict.recovered", "verdict.reached"],
        ),
        (("final", "unchanged"), ("final", "unchanged"), None, ["verdict.reached"]),
        (("pending", "not_enough_data"), ("provisional", "regressed"), None, []),
        (("superseded", "not_enough_data"), None, "regressed", ["verdict.reached"]),
        (("provisional", "improved"), None, "regressed", []),
        (("final", "improved"), None, "regressed", ["verdict.recovered", "verdict.reached"]),
        (("final", "improved"), None, "unchanged", ["verdict.reached"]),
        (("final", "unchanged"), None, "regressed", ["verdict.reached"]),
    ],
)
def test_which_events_a_verdict_makes(
    now: tuple[State, Verdict],
    before: tuple[State, Verdict] | None,
    previous_deploy: Verdict | None,
    events: list[str],
) -> None:
    assert name_verdict_events(now, before, previous_deploy) == events


@pytest.mark.parametrize(
    ("now", "before", "events"),
    [
        (("final", "unchanged"), ("final", "regressed"), []),
        (("final", "improved"), ("final", "unchanged"), []),
        (("final", "regressed"), ("final", "regressed"), []),
        (("final", "regressed"), ("final", "unchanged"), ["verdict.regressed"]),
    ],
)
def test_of_an_edit_only_a_regression_is_news(
    now: tuple[State, Verdict], before: tuple[State, Verdict], events: list[str]
) -> None:
    assert name_verdict_events(now, before, "regressed", is_edit=True) == events


def test_events_are_chosen_by_name() -> None:
    assert check_events([]) == tuple(EVENTS)
    assert check_events(["error.new", "deploy.recorded", "error.new"]) == (
        "deploy.recorded",
        "error.new",
    )
    with pytest.raises(Invalid, match=r"did you mean verdict\.regressed") as caught:
        check_events(["verdict.regresed"])
    assert "event" in caught.value.fields


def test_formats() -> None:
    slack = parse_target("https://hooks.slack.com/services/a")
    other = parse_target("https://example.com/")
    assert check_format(None, slack) == "slack"
    assert check_format(None, other) == "json"
    assert check_format("json", slack) == "json"
    assert check_format("slack", other) == "slack"
    with pytest.raises(Invalid, match="did you mean slack"):
        check_format("slak", other)


def test_json_has_type_time_and_data() -> None:
    body = msgspec.json.decode(deploy_news(reasons=["a", "b"]).encode("json"))
    assert (body["type"], body["timestamp"]) == ("verdict.regressed", "2025-10-09T08:53:20Z")
    assert body["data"]["project"] == "shop"
    assert body["data"]["deploy"] == {
        "id": "1",
        "service": "shop",
        "env": "production",
        "git_sha": "aaaaaaa1",
        "version": "v1.2",
        "name": "v1.2",
        "title": "Faster checkout",
        "deployer": None,
        "status": "succeeded",
        "timestamp": "2025-10-09T08:53:20Z",
        "url": None,
        "repository": None,
        "page": PAGE,
    }
    assert body["data"]["impact"]["reasons"] == ["a", "b"]
    assert "error" not in body["data"]


def text_of(news: News) -> str:
    body = msgspec.json.decode(news.encode("slack"))
    assert list(body) == ["text"]
    text: str = body["text"]
    return text


def test_a_deploy_in_a_chat() -> None:
    text = text_of(deploy_news(make_deploy(version="v1.2", deployer="ann")))
    assert text == (
        f"*<{PAGE}|v1.2>* of shop is live in production, deployed by ann: Faster checkout"
    )
    failed = text_of(deploy_news(make_deploy(status="failed")))
    assert "failed to deploy to production" in failed


def test_a_regression_in_a_chat() -> None:
    text = text_of(deploy_news(reasons=["one", "two", "three", "four"], state="provisional"))
    assert text.splitlines() == [
        "▲ *shop in production: regressed, provisional*",
        f"<{PAGE}|v1.2 made POST /checkout 42 % slower.>",
        "• one",
        "• two",
        "• three",
    ]


@pytest.mark.parametrize(
    ("event", "state", "verdict", "title"),
    [
        ("verdict.regressed", "provisional", "regressed", "▲ *shop in production: regressed, prov"),
        ("verdict.reached", "final", "regressed", "▲ *shop in production: regressed, final*"),
        ("verdict.recovered", "withdrawn", "unchanged", "● *shop in production: recovered*"),
        ("verdict.recovered", "final", "improved", "▽ *shop in production: recovered, final*"),
    ],
)
def test_a_chat_is_told_how_sure_it_is(event: str, state: str, verdict: str, title: str) -> None:
    news = deploy_news(state=state, verdict=verdict)
    text = text_of(msgspec.structs.replace(news, event=event))
    assert text.splitlines()[0].startswith(title)


def test_an_error_in_a_chat() -> None:
    assert text_of(error_news()).splitlines() == [
        "New error in shop (production, v1.2): <https://apm.example/p/shop/errors/7|KeyError>",
        "'cart'",
        "in app/cart.py in add",
    ]


HOSTILE = (
    "http://a.example <!channel> <https://evil.example|click> @here [a](http://x) ![](http://y)\n"
    "*x* & |\x1b\u202e"
)


@pytest.mark.parametrize(
    "field", ["service", "env", "version", "exception_class", "message", "culprit"]
)
def test_hostile_text_has_no_power_over_a_chat(field: str) -> None:
    text = text_of(error_news(**{field: HOSTILE}))
    assert len(text.splitlines()) == 3
    # the only link is ours, and nothing is mentioned
    assert text.count("<") == 1 == text.count(">")
    assert "<https://apm.example/p/shop/errors/7|" in text
    assert text.count("://") == 1
    for sign in ("<!", "@here", "](", "\x1b", "\u202e"):
        assert sign not in text
    assert "&lt;!channel&gt;" in text


def test_quoted_text_is_bounded() -> None:
    assert len(quote("x" * 10_000)) == 300
    assert quote(" a\r\n\tb ") == "a b"


def test_nothing_secret_is_told() -> None:
    secret = "hunter2-hunter2"
    news = error_news(message=f"login failed: password={secret} for https://u:{secret}@db/")
    for body in (news.scrub(make_scrubber()).encode("json"), text_of(news.scrub(make_scrubber()))):
        assert secret not in body
        assert "login failed" in body
    own = error_news(message=f"pin={secret}").scrub(make_scrubber("pin"))
    assert secret not in own.encode("json")


def test_scrubbing_leaves_ids_and_links_alone() -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    news = deploy_news(make_deploy(git_sha=sha, version=None, url="https://ci.example/runs/1"))
    assert news.scrub(make_scrubber()).data == news.data


def test_our_own_names_are_no_secrets() -> None:
    ours = "state,status,verdict,reasons,impact,deploy,error,name,id,page,held,project,message"
    for news in (deploy_news(reasons=["a"]), error_news(message="b")):
        assert news.scrub(make_scrubber(ours)).data == news.data
    told = error_news(message="state=hunter2-hunter2").scrub(make_scrubber(ours))
    assert "hunter2" not in told.encode("json")
