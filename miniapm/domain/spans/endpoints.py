"""What an entry span is called: the route where there is one, else its path or name with the ids
folded away, so that one endpoint is one name."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

LONGEST_ENDPOINT = 200
# what is remembered below must not be as long as a body
_LONGEST_READ = 2000
MOST_SEGMENTS = 12
_LONGEST_SEGMENT = 120
METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
)

# attribute names of both conventions, under the stable ones
WANTED = {
    b"http.request.method": "http.request.method",
    b"http.method": "http.request.method",
    b"http.route": "http.route",
    b"url.path": "url.path",
    b"http.target": "http.target",
    b"url.full": "url.full",
    b"http.url": "url.full",
    b"http.response.status_code": "http.response.status_code",
    b"http.status_code": "http.response.status_code",
}

_ID = re.compile(
    r"""\d+                                          # a number
    | [0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}   # a UUID
    | (?=[a-f]*\d)[0-9a-f]{7,}                       # a hash
    | (?=[^\d]*\d)(?=[^a-z]*[a-z])[\w=~-]{20,}       # a token
    | [^@\s]++@[^@\s.]++(?:\.[^@\s.]++)++             # an address of mail
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER_IN_NAME = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]+"
    r"|(?=[a-f]*\d)[0-9a-f]{12,}|\d+)\b",
    re.IGNORECASE,
)


def name_endpoint(span_name: str, attributes: Mapping[str, Any]) -> str:
    """The endpoint's name out of a span's name and the attributes of `WANTED`."""
    method = attributes.get("http.request.method")
    if not isinstance(method, str) or not method:
        return _fold_name(span_name[:_LONGEST_READ])
    method = method if method in METHODS else _known_method(method)
    route = attributes.get("http.route")
    if isinstance(route, str) and route:
        # a query is no part of a route, and may hold secrets
        return _clean(f"{method} {route[:_LONGEST_READ].partition('?')[0]}")
    path = _find_path(attributes)
    return _clean(f"{method} {fold_path(path)}") if path else _fold_name(span_name[:_LONGEST_READ])


def _known_method(method: str) -> str:
    return method.upper() if method.upper() in METHODS else "HTTP"


def _find_path(attributes: Mapping[str, Any]) -> str:
    for name in ("url.path", "http.target", "url.full"):
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value[:_LONGEST_READ]
    return ""


@lru_cache(maxsize=4096)
def fold_path(path: str) -> str:
    """`path` (or a whole URL) without query, its ids replaced: `/users/17` is `/users/{id}`."""
    if not path.startswith("/"):
        try:
            path = urlsplit(path).path
        except ValueError:
            path = ""
    segments = path.partition("?")[0].partition("#")[0].split("/")
    folded = [_fold_segment(segment) for segment in segments[:MOST_SEGMENTS]]
    if len(segments) > MOST_SEGMENTS:
        folded.append("…")
    return "/".join(folded) or "/"


def _fold_segment(segment: str) -> str:
    # nobody gives a path names of such a length
    is_id = len(segment) > _LONGEST_SEGMENT or _ID.fullmatch(segment)
    return "{id}" if is_id else segment


@lru_cache(maxsize=4096)
def _fold_name(name: str) -> str:
    return _clean(_NUMBER_IN_NAME.sub("{id}", name)) or "unnamed"


@lru_cache(maxsize=4096)
def _clean(name: str) -> str:
    text = name if name.isprintable() else "".join(c if c.isprintable() else " " for c in name)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_ENDPOINT else text[: LONGEST_ENDPOINT - 1] + "…"


def read_status_code(attributes: Mapping[str, Any]) -> int | None:
    """The HTTP status of a span, None where there is none that could be."""
    value = attributes.get("http.response.status_code")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 999:
        return value
    return None
