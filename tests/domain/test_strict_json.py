"""JSON from strangers: an object, or Invalid with a sentence."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.strict_json import MOST_VALUES, decode_object
from miniapm.exceptions import Invalid
from miniapm.printable import printable

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\xff\xfe{}", "not UTF-8: byte 0"),
        (b'{"a": "\xc3"}', "not UTF-8: byte 7"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": -Infinity}', "-Infinity is no number"),
        (b'{"a": 1, "a": 2}', "gives 'a' twice"),
        (b'{"x": {"a": 1, "a": 1}}', "gives 'a' twice"),
        (b'{"a": 1,}', "line 1 column"),
        (b"{'a': 1}", "line 1 column"),
        (b'{"a": "\x00"}', "not valid JSON"),
        (b"{} {}", "Extra data"),
        (b"[1]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"git_sha=abc", "not valid JSON"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' * 50_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
    ],
)
def test_what_is_doubtful_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        decode_object(body)


def test_a_key_given_twice_is_named_safely() -> None:
    with pytest.raises(Invalid) as caught:
        decode_object(b'{"\\ud800\\n": 1, "\\ud800\\n": 2}')
    [(name, reason)] = caught.value.fields.items()
    assert (name, reason) == ("\ufffd\ufffd", "is given twice")


@pytest.mark.parametrize("piece", [b"[],", b"{},", b'{"a":0},', b"1,"])
def test_what_is_made_of_small_pieces_is_not_decoded(piece: bytes) -> None:
    def write(pieces: int) -> bytes:
        return b'{"a":[' + piece * pieces + b"0]}"

    with pytest.raises(Invalid, match="400,000 values"):
        decode_object(write(MOST_VALUES))
    few = (MOST_VALUES - 3) // sum(map(piece.count, (b",", b"[", b"{")))
    assert len(decode_object(write(few))["a"]) == few + 1


def test_commas_in_texts_are_no_pieces() -> None:
    text = 'a,b,[{"\\' * 100_000
    assert decode_object(json.dumps({"a": text}).encode()) == {"a": text}


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert decode_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_what_is_repeated_in_messages_is_short_and_printable() -> None:
    assert printable("a\x1b[31m\u202eb") == "a\ufffd[31m\ufffdb"
    assert printable("x" * 200, 5) == "xxxxx\N{HORIZONTAL ELLIPSIS}"


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5))
def test_objects_round_trip(value: dict[str, Any]) -> None:
    assert decode_object(json.dumps(value).encode()) == value


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_an_object_or_invalid(body: bytes) -> None:
    message = "."
    try:
        assert isinstance(decode_object(body), dict)
    except Invalid as error:
        message = error.message
    assert message.endswith(".")
