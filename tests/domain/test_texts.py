"""Characters, templates, links and tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.deploys.texts import (
    clean_repository,
    clean_text,
    clean_url,
    find_control,
    find_template,
    split_tags,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("v1-${X}-y", "${X}"),
        ("a $NAME b", "$NAME"),
        ("${{ github.sha }}-y", "${{ github.sha }}"),
        ("{{ x }}", "{{ x }}"),
        ("{{ never closed", "{{ never closed"),
        ("<% x", "<% x"),
        ("#{x", "#{x"),
        ("$(x", "$(x"),
    ],
)
def test_templates(text: str, found: str) -> None:
    assert find_template(text) == found


@pytest.mark.parametrize("text", ["v1.2.3", "costs 5$", "$5", "a{b}", "#1", "100%", "<b>", "a$"])
def test_no_templates(text: str) -> None:
    assert find_template(text) is None


def test_the_first_control_character_is_named() -> None:
    assert find_control("a\tb\x00") == "U+0009"
    assert clean_text("a\tb\x00", lines=True) == ("a\tb\x00", "U+0000")
    assert clean_text("a\rb\r\nc", lines=True) == ("a\nb\nc", None)


@given(st.text(), st.booleans())
def test_text_without_a_control_can_be_stored(text: str, lines: bool) -> None:
    cleaned, bad = clean_text(text, lines=lines)
    if bad is None:
        assert "\0" not in cleaned.encode().decode()


@pytest.mark.parametrize(
    "address", ["git@github.com:acme/shop.git", "deploy@10.0.0.1:/srv/git/shop"]
)
def test_git_addresses(address: str) -> None:
    assert clean_repository(address) == address


@given(st.text(alphabet="htps:/@[]a.?#\\ \u2100", max_size=30))
def test_any_text_is_a_link_or_a_value_error(text: str) -> None:
    try:
        cleaned = clean_url(text)
    except ValueError:
        return
    assert cleaned.startswith(("http://", "https://"))
    assert clean_url(cleaned) == cleaned


@given(st.text() | st.lists(st.text()))
def test_tags_are_trimmed_single_and_stable(value: str | list[str]) -> None:
    tags = split_tags(value)
    assert len(set(tags)) == len(tags)
    assert split_tags(list(tags)) == tags
    assert all(tag == tag.strip() and tag for tag in tags)
