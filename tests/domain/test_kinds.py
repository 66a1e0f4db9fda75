"""What a deploy was in the story of its service and environment."""

import pytest

from miniapm.domain.deploys.kinds import Surroundings, derive_kind
from miniapm.domain.deploys.values import Status
from tests.factories import START, make_deploy

A, B = "a" * 40, "b" * 40
OLD = make_deploy(id=1, git_sha=A, version="v1", deployed_at=START)
NOW = make_deploy(id=9, git_sha=B, version="v2", deployed_at=START + 100)


def test_the_first_replaces_nothing() -> None:
    assert derive_kind(NOW, Surroundings()) == ("first", "Nothing was live in production before.")


def test_something_new_replaces_what_was_live() -> None:
    assert derive_kind(NOW, Surroundings(previous=OLD)) == ("deploy", "v2 replaces v1.")


def test_the_live_sha_again_is_a_redeploy() -> None:
    again = make_deploy(id=2, git_sha=B, version="v2", deployed_at=START + 50)
    around = Surroundings(again, again, own_live_at=START + 50, previous_live_at=START + 50)
    assert derive_kind(NOW, around) == ("redeploy", "v2 was live already.")
    renamed = make_deploy(id=2, git_sha=B, version="v1.9", deployed_at=START + 50)
    assert derive_kind(NOW, Surroundings(renamed, renamed)) == (
        "redeploy",
        "The same commit was live already, as v1.9.",
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [("failed", "failed"), ("cancelled", "was cancelled"), ("timed_out", "timed out")],
)
def test_a_try_after_one_that_did_not_go_live_is_a_retry(status: Status, words: str) -> None:
    attempt = make_deploy(id=3, git_sha=B, status=status, deployed_at=START + 50)
    kind = derive_kind(NOW, Surroundings(OLD, attempt))
    assert kind == ("retry", f"The try before, of the same commit, {words}.")
    # something went live since: what failed then is not what is tried now
    live_since = make_deploy(id=4, git_sha=A, deployed_at=START + 60)
    assert derive_kind(NOW, Surroundings(live_since, attempt)).kind == "deploy"


def test_back_to_what_was_live_before_is_a_rollback() -> None:
    around = Surroundings(OLD, OLD, own_live_at=START - 50, previous_live_at=START)
    assert derive_kind(NOW, around) == ("rollback", "v2 was live before v1, which it replaces.")


def test_what_did_not_go_live_is_not_told_as_if_it_had() -> None:
    rollback = Surroundings(OLD, OLD, own_live_at=START - 50, previous_live_at=START)
    forward = Surroundings(OLD, OLD, own_live_at=START + 50, previous_live_at=START)
    failed = make_deploy(git_sha=B, version="v2", status="failed", deployed_at=START + 100)
    assert derive_kind(failed, Surroundings(OLD)).reason == "v2 was to replace v1."
    assert derive_kind(failed, rollback) == (
        "rollback",
        "v2 was live before v1, which it was to replace.",
    )
    assert derive_kind(failed, forward).reason == (
        "v2 was live after v1 before: it was to come back."
    )
    started = make_deploy(git_sha=B, version="v2", status="started", deployed_at=START + 100)
    assert derive_kind(started, rollback).reason.endswith("which it is to replace.")
    assert derive_kind(started, forward).reason.endswith("it is to come back.")


def test_a_version_that_is_the_sha_is_told_short() -> None:
    named = make_deploy(git_sha=B, version=B, deployed_at=START + 100)
    assert derive_kind(named, Surroundings(OLD)).reason == "bbbbbbb replaces v1."


def test_taking_a_rollback_back_is_a_rollforward() -> None:
    around = Surroundings(OLD, OLD, own_live_at=START + 50, previous_live_at=START)
    assert derive_kind(NOW, around).kind == "rollforward"


def test_shas_stand_in_for_versions() -> None:
    plain = make_deploy(id=9, git_sha=B, deployed_at=START + 100)
    around = Surroundings(make_deploy(id=1, git_sha="release-of-monday"))
    assert derive_kind(plain, around).reason == "bbbbbbb replaces release-of-monday."
