"""Cursors: whatever we write we read back; whatever we did not write is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.storage.deploys.find import Cursor
from miniapm.web.cursors import decode_cursor, encode_cursor

INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(INTEGERS, INTEGERS)
def test_it_comes_back(at: int, deploy_id: int) -> None:
    text = encode_cursor(Cursor(at, deploy_id))
    assert decode_cursor(text) == Cursor(at, deploy_id)
    assert text.replace("-", "").replace("_", "").isalnum()


@given(st.text())
def test_what_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="next_cursor"):
        decode_cursor(text)


@pytest.mark.parametrize("change", [lambda t: t + "=", lambda t: t[:-1], lambda t: t[:-1] + "B"])
def test_nearly_ours_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(ValueError, match="next_cursor"):
        decode_cursor(change(encode_cursor(Cursor(1, 2))))
