"""Long lists, a part at a time."""

import pytest

from miniapm.domain.parts import cut_in_parts


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ("", []),
        ("ab", ["ab"]),
        ("abc", ["abc"]),
        ("abcd", ["abc", "d"]),
        ("abcdef", ["abc", "def"]),
    ],
)
def test_every_value_is_in_one_part(values: str, parts: list[str]) -> None:
    assert list(cut_in_parts(values, 3)) == parts
