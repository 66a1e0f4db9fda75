"""Forms as browsers send them: `application/x-www-form-urlencoded` bodies, decoded strictly."""

import re
from collections.abc import Callable
from typing import ParamSpec
from urllib.parse import parse_qsl

from starlette.requests import Request

from miniapm.domain.users import check_password
from miniapm.exceptions import Invalid
from miniapm.web.limits import read_body

P = ParamSpec("P")

FORM_BYTES = 128 * 1024
_MOST_FIELDS = 200
# one slash at a time, no backslash (browsers take it for a slash), no space or control character
_SEGMENT = r"[^/?#\\\x00-\x20\x7f-\U0010ffff]+"
_LOCAL = re.compile(rf"/(?:{_SEGMENT}(?:/{_SEGMENT})*/?)?(?:\?[^#\\\x00-\x20\x7f-\U0010ffff]*)?")


class Form(dict[str, str]):
    """The last value of each field; `get_all` has every value of one that came several times."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]


async def read_form(request: Request, limit: int = FORM_BYTES) -> Form:
    """The fields of the request's body. TooLarge past `limit` bytes, Invalid when it is no form."""
    length = request.headers.get("content-length")
    body = await read_body(request.receive, limit, length.encode() if length else None)
    return parse_form(body)


def parse_form(body: bytes) -> Form:
    """Invalid unless `body` is UTF-8 in a form's encoding, with 200 fields at most."""
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise Invalid("The form did not arrive as a browser sends it; load it again.") from None
    return Form(pairs)


def find_faults(check: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> dict[str, str]:
    """What `check` finds wrong, by field, to be shown beside it; empty when it raises nothing."""
    try:
        check(*args, **kwargs)
    except Invalid as error:
        return error.fields
    return {}


def find_password_faults(form: Form) -> dict[str, str]:
    """What is wrong with a new password, which the form has twice."""
    faults = find_faults(check_password, form.get("password", ""))
    if form.get("password", "") != form.get("repeated", ""):
        faults.setdefault("repeated", "differs from the first")
    return faults


def local_path(target: str | None, default: str = "/") -> str:
    """`target` when it is a normalised path on this server, else `default`: where a redirect may
    go."""
    if not target or not _LOCAL.fullmatch(target):
        return default
    segments = target.partition("?")[0].lower().replace("%2e", ".").split("/")
    return default if "." in segments or ".." in segments else target
