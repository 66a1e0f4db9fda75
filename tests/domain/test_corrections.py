"""Corrections: what changes, what may not, and that every bad field is named."""

from typing import Any

import msgspec
import pytest
from hypothesis import given as given_by
from hypothesis import settings
from hypothesis import strategies as st

from miniapm.clock import HOUR, MINUTE, to_rfc3339
from miniapm.domain.deploys.corrections import CORRECTABLE, correct_deploy
from miniapm.domain.deploys.values import Deploy
from miniapm.exceptions import Invalid
from tests.factories import START, make_deploy

NOW = START + HOUR


def correct(deploy: Deploy, **given: Any) -> Deploy:
    return correct_deploy(deploy, given, NOW)


def find_problems(deploy: Deploy, given: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        correct_deploy(deploy, given, NOW)
    return caught.value.fields


def test_nothing_given_changes_nothing() -> None:
    deploy = make_deploy(title="kept", tags=("a",), started_at=START - MINUTE)
    assert correct(deploy) is deploy


def test_it_changes_what_is_given_and_nothing_else() -> None:
    deploy = make_deploy(title="old", deployer="ann", tags=("a", "b"), started_at=START - MINUTE)
    corrected = correct(
        deploy,
        git_sha="bbbbbbb2",
        version=" v2 ",
        env="staging",
        service="cart",
        title="new",
        tags="x, y",
        status="failed",
        url="https://ci.example.com/1",
        repository="git@example.com:shop.git",
    )
    assert corrected == msgspec.structs.replace(
        deploy,
        git_sha="bbbbbbb2",
        version="v2",
        env="staging",
        service="cart",
        title="new",
        tags=("x", "y"),
        status="failed",
        url="https://ci.example.com/1",
        repository="git@example.com:shop.git",
    )


@pytest.mark.parametrize("empty", [None, "", "  \t "])
@pytest.mark.parametrize("name", ["version", "deployer", "title", "description", "url"])
def test_nothing_given_for_an_optional_field_empties_it(name: str, empty: str | None) -> None:
    deploy = make_deploy(**{name: "https://example.com"})
    assert getattr(correct(deploy, **{name: empty}), name) is None


@pytest.mark.parametrize("empty", [None, "", [], " , "])
def test_tags_can_be_emptied(empty: Any) -> None:
    assert correct(make_deploy(tags=("a",)), tags=empty).tags == ()


@pytest.mark.parametrize("empty", [None, "", "  "])
@pytest.mark.parametrize(
    "name", ["git_sha", "env", "environment", "service", "timestamp", "deployed_at", "status"]
)
def test_what_every_deploy_has_cannot_be_emptied(name: str, empty: str | None) -> None:
    assert find_problems(make_deploy(), {name: empty}) == {name: "cannot be empty"}


def test_every_bad_field_is_named_at_once() -> None:
    given = {
        "git_sha": "",
        "version": 3,
        "env": "${ENV}",
        "status": "done",
        "timestamp": "yesterday",
        "url": "javascript:alert(1)",
        "id": "7",
        "descripton": "x",
        "bad\nname": "x",
    }
    problems = find_problems(make_deploy(), given)
    assert set(problems) == {*given, "bad�name"} - {"bad\nname"}
    assert problems["descripton"] == "cannot be changed; did you mean description"


def test_other_names_for_a_field_work_and_must_agree() -> None:
    assert correct(make_deploy(), environment="staging").env == "staging"
    assert correct(make_deploy(), deployed_at=to_rfc3339(START + 1)).deployed_at == START + 1
    problems = find_problems(make_deploy(), {"env": "a", "environment": "b"})
    assert set(problems) == {"env", "environment"}


def test_a_start_after_the_end_is_refused_whichever_is_given() -> None:
    deploy = make_deploy(started_at=START - MINUTE)
    assert "started_at" in find_problems(deploy, {"started_at": to_rfc3339(START + MINUTE)})
    assert "started_at" in find_problems(deploy, {"timestamp": to_rfc3339(START - HOUR)})
    both = correct(
        deploy, timestamp=to_rfc3339(START - HOUR), started_at=to_rfc3339(START - 2 * HOUR)
    )
    assert (both.deployed_at, both.started_at) == (START - HOUR, START - 2 * HOUR)


def test_an_open_deploy_that_is_ended_without_a_time_ends_now() -> None:
    open_deploy = make_deploy(status="started", started_at=START)
    ended = correct(open_deploy, status="succeeded")
    assert (ended.status, ended.started_at, ended.deployed_at) == ("succeeded", START, NOW)
    told = correct(open_deploy, status="failed", timestamp=to_rfc3339(START + MINUTE))
    assert (told.status, told.started_at, told.deployed_at) == ("failed", START, START + MINUTE)


def test_a_deploy_that_runs_again_has_its_start_as_its_time() -> None:
    ended = make_deploy(status="succeeded", started_at=START - MINUTE)
    running = correct(ended, status="started")
    assert (running.deployed_at, running.started_at) == (START - MINUTE, START - MINUTE)


@pytest.mark.parametrize("name", ["timestamp", "started_at"])
def test_the_start_of_a_running_deploy_can_be_corrected_under_either_name(name: str) -> None:
    running = make_deploy(status="started", started_at=START)
    moved = correct(running, **{name: to_rfc3339(START + MINUTE)})
    assert (moved.deployed_at, moved.started_at) == (START + MINUTE, START + MINUTE)


def test_a_timed_out_deploy_can_be_corrected() -> None:
    deploy = make_deploy(status="timed_out", started_at=START - HOUR)
    assert correct(deploy, title="x").status == "timed_out"
    assert correct(deploy, status="succeeded").status == "succeeded"


# lone surrogates too: JSON can spell them
TEXT = st.text(st.characters())
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300)
@given_by(st.dictionaries(st.sampled_from([*CORRECTABLE, "environment"]) | TEXT, ANY_JSON))
def test_whatever_comes_it_is_a_deploy_or_a_list_of_what_is_wrong(given: dict[str, Any]) -> None:
    try:
        corrected = correct_deploy(make_deploy(), given, NOW)
    except Invalid as error:
        refused = error
    else:
        assert msgspec.json.decode(msgspec.json.encode(corrected), type=Deploy) == corrected
        assert corrected.git_sha
        assert corrected.env
        assert corrected.service
        return
    assert refused.fields
    msgspec.json.encode([refused.message, refused.fields])


def test_a_flood_of_unknown_names_is_named_without_a_guess_for_each() -> None:
    problems = find_problems(make_deploy(), {f"titel{i}": 1 for i in range(50_000)})
    assert problems["titel0"] == "cannot be changed; did you mean title"
    assert problems["titel49999"] == "cannot be changed"
    assert len(problems) == 50_000
