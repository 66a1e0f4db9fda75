"""Names as whole words, in texts and in bodies."""

import pytest

from miniapm.domain.whole_words import WholeWord


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bad user 4711", "bad user …"),
        ("4711: not found (4711)", "…: not found (…)"),
        ("14711 47110 4711_a a4711", "14711 47110 4711_a a4711"),
        ("", ""),
    ],
)
def test_only_whole_words_are_masked(text: str, expected: str) -> None:
    word = WholeWord("4711")
    assert (word.mask(text), word.is_in(text)) == (expected, text != expected)


def test_a_name_is_no_pattern() -> None:
    assert WholeWord("a.b+c@x").mask("axb+c@x a.b+c@x") == "axb+c@x …"
    assert WholeWord("@ann(1)").is_in("by @ann(1).")


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("4711", '{"user_id": "4711"', True),
        ("4711", '{"user_id": 4711}', True),
        ("4711", '{"user_id": 14711}', False),
        ("Ané", r'{"user_id": "An\u00e9"}', True),
        ('a"b', r'{"user_id": "a\"b"}', True),
        ("a/b", r'{"user_id": "a\/b"}', True),
        ("ann@example.com", "user=ann%40example.com&x=1", True),
        ("ann@example.com", "user=joann%40example.com", False),
    ],
)
def test_bodies_escape(name: str, body: str, expected: bool) -> None:
    assert WholeWord(name).is_in_body(body) is expected
