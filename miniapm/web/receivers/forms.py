"""Forms, as `curl -d` and `curl --form` send them."""

import re
from urllib.parse import parse_qsl

from miniapm.exceptions import Invalid

MOST_FIELDS = 1000
_ENCODED = b"application/x-www-form-urlencoded"
_PARTS = b"multipart/form-data"
_BOUNDARY = re.compile(rb'boundary="?([^";,\s]{1,200})')
_NAME = re.compile(rb'(?i)^content-disposition:.*;\s*name="?([^";\r\n]*)', re.MULTILINE)


def is_form(content_type: bytes, body: bytes) -> bool:
    """Whether a body is a form; `curl -d` says so of JSON, too."""
    kind = content_type.lower()
    if kind.startswith(_PARTS):
        return True
    return kind.startswith(_ENCODED) and not body.lstrip().startswith(b"{")


def read_form(content_type: bytes, body: bytes) -> dict[str, str]:
    """The fields of a form; of one that comes twice, the last. Invalid where there are none, or too
    many."""
    try:
        if content_type.lower().startswith(_PARTS):
            return _read_parts(content_type, body)
        return read_pairs(body.decode())
    except UnicodeDecodeError:
        raise Invalid("The form is not UTF-8.") from None


def read_pairs(text: str) -> dict[str, str]:
    """The fields of a form or a query; of one that comes twice, the last."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise _too_many() from None


def _read_parts(content_type: bytes, body: bytes) -> dict[str, str]:
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise Invalid("The Content-Type of the form names no boundary.")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary[1], MOST_FIELDS + 2)
    if len(parts) > MOST_FIELDS + 2:
        raise _too_many()
    fields = {}
    # before the first boundary and after the last one stands nothing
    for part in parts[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is not None:
            fields[name[1].decode()] = value.decode()
    return fields


def _too_many() -> Invalid:
    return Invalid(f"The form has more than {MOST_FIELDS} fields.")
