"""Keys: their form, their checksum, what they may, when they end."""

import re

import pytest

from miniapm.clock import DAY
from miniapm.domain.keys import (
    DEFAULT_SCOPES,
    DEPLOYS_WRITE,
    READ,
    SCOPES,
    Key,
    check_scopes,
    display_of,
    hash_secret,
    looks_like_key,
    make_secret,
)
from miniapm.exceptions import Forbidden, Invalid
from tests.factories import START


def make_key(**fields: object) -> Key:
    defaults = {
        "id": 1,
        "project_id": 1,
        "project_slug": "shop",
        "name": "ci",
        "display": "proj_abc",
        "scopes": DEFAULT_SCOPES,
        "created_at": START,
    }
    return Key(**{**defaults, **fields})  # type: ignore[arg-type]


def test_a_secret_has_the_form_of_the_contract() -> None:
    secret = make_secret()
    assert re.fullmatch(r"proj_[0-9A-Za-z]{36}", secret)
    assert looks_like_key(secret)
    assert display_of(secret) == secret[:8]
    assert len(hash_secret(secret)) == 32
    assert make_secret() != secret


def test_half_a_character_is_a_key_that_nobody_has() -> None:
    assert hash_secret("\ud800") != hash_secret("\ud801") != hash_secret("?")


@pytest.mark.parametrize("position", [5, 20, 34, 35, 40])
def test_one_wrong_character_is_noticed(position: int) -> None:
    secret = make_secret()
    wrong = "a" if secret[position] != "a" else "b"
    assert not looks_like_key(secret[:position] + wrong + secret[position + 1 :])


@pytest.mark.parametrize("text", ["", "proj_", "proj_abc123...", "x" * 41, "proj_" + "é" * 36])
def test_what_is_no_key_does_not_look_like_one(text: str) -> None:
    assert not looks_like_key(text)


def test_a_key_is_valid_until_it_is_revoked_or_expires() -> None:
    make_key().refuse_unless_valid(START)
    make_key(revoked_at=START + 1, expires_at=START + 1).refuse_unless_valid(START)
    with pytest.raises(Forbidden, match="was revoked"):
        make_key(revoked_at=START).refuse_unless_valid(START)
    with pytest.raises(Forbidden, match="has expired"):
        make_key(expires_at=START).refuse_unless_valid(START)
    assert make_key(expires_at=START).has_ended(START + DAY)
    assert not make_key(expires_at=START + 1).has_ended(START)


def test_a_missing_scope_is_named() -> None:
    make_key(scopes=(READ,)).refuse_without(DEPLOYS_WRITE, READ)
    with pytest.raises(Forbidden, match=r"lacks the scope deploys:write; it has read"):
        make_key(scopes=(READ,)).refuse_without(DEPLOYS_WRITE)


def test_scopes_are_ordered_and_checked() -> None:
    assert check_scopes((READ, DEPLOYS_WRITE, READ)) == (DEPLOYS_WRITE, READ)
    assert check_scopes(SCOPES) == SCOPES
    with pytest.raises(Invalid, match="no scope 'deploys'"):
        check_scopes(("deploys",))
