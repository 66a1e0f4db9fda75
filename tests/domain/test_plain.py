"""The quick reading says what the long one says, or nothing."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.deploys.plain import parse_plain
from miniapm.domain.deploys.reading import Defaults, parse_deploy
from miniapm.exceptions import Invalid

NOW = 1_760_000_000_000_000
DEFAULTS = Defaults(7, "shop", "staging", 9)
FIELDS = ("git_sha", "version", "deployer", "env", "service", "title", "environment", "tags", "id")
texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["${X}", "{{ x }}", "<%= x %>", " a ", "", "é", "a" * 201, "\x00", "null", '"']
    ),
)
values = st.one_of(texts, st.none(), st.integers(), st.booleans(), st.lists(texts, max_size=2))


def assert_same(body: bytes) -> bool:
    """Whether the quick way took it; if so, the long way must agree to the letter."""
    quick = parse_plain(body, DEFAULTS, NOW)
    if quick is None:
        return False
    long = parse_deploy(body, DEFAULTS, NOW)
    assert msgspec.structs.replace(long, given=frozenset()) == quick
    return True


@given(st.dictionaries(st.sampled_from(FIELDS), values), st.booleans(), st.booleans())
def test_it_agrees_with_the_long_way(
    fields: dict[str, object], escaped: bool, spaced: bool
) -> None:
    separators = (", ", ": ") if spaced else (",", ":")
    assert_same(json.dumps(fields, ensure_ascii=escaped, separators=separators).encode())


@given(st.binary(max_size=60))
def test_it_never_raises(body: bytes) -> None:
    parse_plain(body, DEFAULTS, NOW)
    parse_plain(b'{"git_sha":"' + body + b'"}', DEFAULTS, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b'{"git_sha":"abc"}',
        b'{"git_sha": "abc", "version": "v1", "deployer": "ci", "env": "qa", "service": "web"}',
        b' {"title":"Fix the cart","git_sha":"abc"}\n',
        '{"git_sha":"abc","deployer":"Jörg"}'.encode(),
    ],
)
def test_what_hooks_send_is_plain(body: bytes) -> None:
    assert assert_same(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"git_sha":"a","git_sha":"b"}',
        b'{"git_sha":"a","version":null,"version":"v1"}',
        b'{"git_sha":"a","environment":"qa"}',
        b'{"git_sha":"a","timestamp":"2024-01-15T14:30:00Z"}',
        b'{"git_sha":"\\u0061"}',
        b'{"git_sha":" a"}',
        b'{"git_sha":"$SHA"}',
        b'{"git_sha":"{{sha}}"}',
        b'{"git_sha":"<%= sha %>"}',
        b'{"git_sha":"a\xc2\x85b"}',
        b'{"git_sha":"\xff"}',
        b'{"git_sha":1}',
        b'["git_sha"]',
        b"",
    ],
)
def test_the_least_doubt_takes_the_long_way(body: bytes) -> None:
    assert parse_plain(body, DEFAULTS, NOW) is None


def test_a_sha_of_201_characters_is_left_to_be_refused() -> None:
    body = json.dumps({"git_sha": "a" * 201}).encode()
    assert parse_plain(body, DEFAULTS, NOW) is None
    with pytest.raises(Invalid):
        parse_deploy(body, DEFAULTS, NOW)
