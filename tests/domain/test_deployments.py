"""The second document's body, in its own names."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.clock import SECOND
from miniapm.domain.deploys.deployments import parse_deployment
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement, Commit
from miniapm.exceptions import Invalid
from tests.domain.test_strict_json import JSON_VALUES
from tests.factories import START

DEFAULTS = Defaults(project_id=7, service="shop", env="ignored", key_id=9)
NAMES = ("commitSha", "environmentName", "deployedAt", "title", "tags")


def parse(**fields: Any) -> Announcement:
    body = {"commitSha": "abc", "environmentName": "production", **fields}
    return parse_deployment(json.dumps(body).encode(), DEFAULTS, START)


def refuse(**fields: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        parse(**fields)
    return caught.value.fields


def test_the_two_required_fields_are_enough() -> None:
    announcement = parse()
    assert (announcement.git_sha, announcement.env) == ("abc", "production")
    assert (announcement.service, announcement.status) == ("shop", "succeeded")
    assert (announcement.at, announcement.at_given) == (START, False)
    assert announcement.every_call_counts


def test_the_optional_fields_arrive() -> None:
    announcement = parse(deployedAt="2024-01-15T14:30:00Z", title="T", tags="is_fix, sev1")
    assert announcement.at == 1_705_329_000 * SECOND
    assert (announcement.title, announcement.tags) == ("T", ("is_fix", "sev1"))


def test_the_first_of_several_shas_is_the_deployed_one() -> None:
    announcement = parse(commitSha=["b", "a", "b"])
    assert announcement.git_sha == "b"
    assert announcement.commits == (Commit("b"), Commit("a"))


def test_other_names_are_unknown_here() -> None:
    assert parse(env="x", git_sha="y", status="failed").status == "succeeded"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"commitSha": None}, {"commitSha"}),
        ({"commitSha": ""}, {"commitSha"}),
        ({"commitSha": []}, {"commitSha"}),
        ({"commitSha": 5}, {"commitSha"}),
        ({"commitSha": ["a", 5]}, {"commitSha[1]"}),
        ({"commitSha": ["a", "\ud800"]}, {"commitSha[1]"}),
        ({"commitSha": ["a", "x" * 201]}, {"commitSha[1]"}),
        ({"commitSha": ["a"] * 1001}, {"commitSha"}),
        ({"commitSha": "$SHA"}, {"commitSha"}),
        ({"environmentName": None}, {"environmentName"}),
        ({"environmentName": " "}, {"environmentName"}),
        ({"environmentName": 5}, {"environmentName"}),
        ({"deployedAt": "soon"}, {"deployedAt"}),
        ({"title": 5}, {"title"}),
        ({"tags": 5}, {"tags"}),
        ({"commitSha": None, "environmentName": "", "tags": 5}, {*NAMES} - {"deployedAt", "title"}),
    ],
)
def test_bad_fields_are_named_as_the_document_calls_them(
    fields: dict[str, Any], named: set[str]
) -> None:
    assert set(refuse(**fields)) == named


@given(st.dictionaries(st.sampled_from(NAMES), JSON_VALUES))
def test_any_value_gives_an_announcement_or_invalid(fields: dict[str, Any]) -> None:
    refused: Invalid | None = None
    try:
        announcement = parse(**fields)
    except Invalid as error:
        refused = error
    if refused is not None:
        assert {name.split("[")[0] for name in refused.fields} <= {*NAMES}
        assert refused.message.encode()
    else:
        assert all(commit.sha.encode() for commit in announcement.commits)
