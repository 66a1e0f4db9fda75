"""GitHub's deployments, as the REST API lists them and `gh api --paginate` writes the pages."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.deploys.github_deployments import parse_deployments
from miniapm.domain.deploys.given_lines import LeftOut
from miniapm.domain.deploys.json_values import read_objects
from miniapm.exceptions import Invalid

SHA = "a1" * 20
API = "https://api.github.com/repos/acme/shop/deployments"


def deployment(number: int, **more: Any) -> dict[str, Any]:
    """As GitHub lists it, with what matters here."""
    return {
        "url": f"{API}/{number}",
        "id": number,
        "sha": SHA,
        "ref": "main",
        "task": "deploy",
        "environment": "production",
        "description": None,
        "creator": {"login": "ann"},
        "created_at": "2024-01-15T14:30:00Z",
        "statuses_url": f"{API}/{number}/statuses",
        "repository_url": "https://api.github.com/repos/acme/shop",
        **more,
    }


def status(state: str, minute: int, **more: Any) -> dict[str, Any]:
    return {"state": state, "created_at": f"2024-01-15T14:{minute}:00Z", **more}


def parse(*values: Any) -> list[Any]:
    pieces = [json.dumps(value).encode() for value in values]
    return [given for _, given in parse_deployments(pieces)]


def test_without_statuses_it_succeeded_when_it_was_made() -> None:
    [found] = parse([deployment(7)])
    assert found == {
        "id": "deployment:7",
        "git_sha": SHA,
        "env": "production",
        "deployer": "ann",
        "description": None,
        "repository": "https://github.com/acme/shop",
        "timestamp": "2024-01-15T14:30:00Z",
    }


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([("success", 35), ("in_progress", 31)], ("succeeded", "14:35")),
        ([("success", 35), ("inactive", 50)], ("succeeded", "14:35")),
        ([("failure", 33), ("in_progress", 31)], ("failed", "14:33")),
        ([("error", 33)], ("failed", "14:33")),
        ([("in_progress", 31), ("queued", 30)], ("started", "14:30")),
        ([("inactive", 50)], (None, "14:30")),
    ],
)
def test_statuses_say_what_became_of_it(
    statuses: list[tuple[str, int]], expected: tuple[str, str]
) -> None:
    told = [status(*one) for one in statuses]
    beside = [{**one, "deployment_url": f"{API}/7"} for one in told]
    for found in (parse([deployment(7, statuses=told)]), parse([deployment(7)], beside)):
        assert (found[0].get("status"), found[0]["timestamp"][11:16]) == expected


def test_statuses_of_deployments_that_are_not_there_are_told() -> None:
    strangers = [
        {"deployment_url": "https://api/d/9", "state": state, "created_at": "2024-02-01T10:05:00Z"}
        for state in ("pending", "success")
    ]
    content = "\n".join(json.dumps(one) for one in strangers).encode()
    assert list(parse_deployments([content])) == [
        (1, LeftOut("2 statuses of https://api/d/9, a deployment that is not in the file"))
    ]


def test_what_never_began_is_left_out() -> None:
    [found] = parse([deployment(7, statuses=[status("queued", 30), status("waiting", 31)])])
    assert found == LeftOut("it is waiting: it never began")


def test_the_link_and_the_start_come_along() -> None:
    link = "https://github.com/acme/shop/actions/runs/1"
    [found] = parse([deployment(7, statuses=[status("success", 35, log_url=link)])])
    assert (found["url"], found["started_at"]) == (link, "2024-01-15T14:30:00Z")


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("https://api.github.com/repos/acme/shop", "https://github.com/acme/shop"),
        ("https://ghe.example.com/api/v3/repos/acme/shop", "https://ghe.example.com/acme/shop"),
        ("javascript://x/repos/a/b", None),
        ("nowhere", None),
        ("https://api.github.com/repos/acme", None),
        ("https://[x/repos/acme/shop", None),
    ],
)
def test_the_repositorys_page(address: str, page: str | None) -> None:
    assert parse(deployment(7, repository_url=address))[0]["repository"] == page


def test_bad_ones_are_named_and_stop_none() -> None:
    found = parse([deployment(1, sha=7), {"id": 2}, {"message": "Not Found"}, deployment(4)])
    assert [isinstance(one, Invalid) for one in found] == [True, True, True, False]
    assert "sha" in found[0].fields
    assert "no deployment of GitHub's" in found[1].message


values = st.lists(st.dictionaries(st.text(max_size=5), st.text() | st.integers()), max_size=5)


@given(pages=st.lists(values, max_size=4), size=st.integers(1, 30), indent=st.booleans())
def test_objects_come_whole_however_they_stand_in_the_file(
    pages: list[list[dict[str, Any]]], size: int, indent: bool
) -> None:
    objects = [one for page in pages for one in page]
    space = 2 if indent else None
    forms = (
        "".join(json.dumps(page, indent=space) for page in pages),
        json.dumps(pages, indent=space, ensure_ascii=False),
        "\n".join(json.dumps(one) for one in objects),
    )
    for text in forms:
        content = text.encode("utf-8", "surrogatepass")
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        found = list(read_objects(pieces))
        assert [one for one in found if not isinstance(one, Invalid)] == objects


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'[{"a": 1}, oops', "no object begins with 'oops'"),
        (b'[{"a": 1}, {"b": }, {"c": 3}]', "Expecting value"),
        (b'[{"a": 1}, {"b": ', "the file ends within the object"),
        (b'{"a": 1}{"a": ' + b"[" * 100_000, "too much stands in"),
    ],
)
def test_what_is_broken_ends_it_with_a_reason(content: bytes, words: str) -> None:
    first, last = read_objects([content])
    assert first == {"a": 1}
    assert isinstance(last, Invalid)
    assert words in last.message
