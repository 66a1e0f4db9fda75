"""Errors in the shapes in which the clients of other services read them."""

from collections.abc import Callable, Mapping
from typing import Any

from miniapm.exceptions import Invalid, MiniapmError
from miniapm.web.context import Context
from miniapm.web.ingest.calls import Answer, ErrorAnswer, RequestHeaders
from miniapm.web.receivers.calls import answer_object


def explain_with(shape: Callable[[MiniapmError], Any]) -> ErrorAnswer:
    """Errors as the JSON that `shape` makes of them."""

    def explain(error: MiniapmError, context: Context, headers: RequestHeaders) -> Answer:
        return answer_object(error.status, shape(error))

    return explain


def explain_under(name: str) -> ErrorAnswer:
    """Errors as an object with the sentence under `name`."""
    return explain_with(lambda error: {name: error.message})


def list_reasons(error: MiniapmError) -> list[str]:
    """What is wrong, a sentence for each bad field."""
    fields: Mapping[str, str] = error.fields if isinstance(error, Invalid) else {}
    return [f"{name} {reason}" for name, reason in fields.items()] or [error.message]
