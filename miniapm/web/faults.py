"""Faults of a form, to be shown beside its fields."""

from collections.abc import Callable
from typing import ParamSpec

from miniapm.exceptions import Invalid

P = ParamSpec("P")


def find_faults(check: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> dict[str, str]:
    """What `check` finds wrong, by field; empty when it raises nothing."""
    try:
        check(*args, **kwargs)
    except Invalid as error:
        return error.fields
    return {}
