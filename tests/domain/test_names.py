"""Names that people give."""

import pytest

from miniapm.domain.names import clean_name, suggest
from miniapm.exceptions import Invalid


def test_a_name_is_trimmed_and_composed() -> None:
    assert clean_name("  Ann O'Neil\t", "user") == "Ann O'Neil"
    assert clean_name("e\u0301", "user") == "\xe9"
    assert clean_name("x" * 100, "user") == "x" * 100


@pytest.mark.parametrize("name", ["", " \n", "x" * 101, "a\nb", "a\x00", "\u202eb", "a\ud800"])
def test_what_is_no_name_is_refused_under_its_field(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        clean_name(name, "key", "title")
    assert list(caught.value.fields) == ["title"]
    assert caught.value.message.startswith("The name of a key ")


def test_the_nearest_name() -> None:
    assert suggest("prot", ["host", "port"]) == "; did you mean port"
    assert suggest("xyz", ["host", "port"]) == ""
    assert suggest("foo", ["from", "to"]) == ""
