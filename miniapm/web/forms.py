"""Forms as browsers send them: `application/x-www-form-urlencoded` bodies, decoded strictly."""

import re
from urllib.parse import parse_qsl

from starlette.requests import Request

from miniapm.exceptions import Invalid
from miniapm.web.limits import read_body

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


def local_path(target: str | None, default: str = "/") -> str:
    """`target` when it is a normalised path on this server, else `default`: where a redirect may
    go."""
    if not target or not _LOCAL.fullmatch(target):
        return default
    segments = target.partition("?")[0].lower().replace("%2e", ".").split("/")
    return default if "." in segments or ".." in segments else target
