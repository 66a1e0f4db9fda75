"""Payloads as senders write them, with odd parts: what property tests send."""

import copy
from typing import Any

from hypothesis import strategies as st

odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=300),
    st.sampled_from(
        ["", " ", "\x00", "\ud800", "${SHA}", "x" * 300, "\ud800 1.2.3", "2025-10-09T08:51:00Z"]
    ),
    st.lists(
        st.none() | st.text(max_size=3) | st.dictionaries(st.text(max_size=3), st.none()),
        max_size=3,
    ),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
any_objects = st.dictionaries(
    st.text(max_size=12), st.recursive(odd_values, lambda inner: st.lists(inner, max_size=3))
)


def make_odd(payload: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """The payload with some of its parts replaced or left out."""
    for path in data.draw(st.lists(st.sampled_from(paths_of(payload)), min_size=1, max_size=4)):
        changed = copy.deepcopy(payload)
        place: Any = changed
        try:
            for key in path[:-1]:
                place = place[key]
            if data.draw(st.booleans()):
                place[path[-1]] = data.draw(odd_values)
            else:
                del place[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        payload = changed
    return payload


def replace_at(payload: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The payload with `value` in the place at `path`."""
    changed = copy.deepcopy(payload)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a payload."""
    found = [path] if path else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in items:
        found += paths_of(child, (*path, key))
    return found
