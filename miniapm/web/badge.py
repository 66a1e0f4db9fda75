"""`/badge/<unguessable>.svg` and `.json`: the last deploy of an environment and its verdict, with
several services of one that regressed.

Public to whoever has the address, so it says nothing but that. The picture has one size, and what
senders wrote is cut to it and escaped.
"""

import hashlib
from xml.sax.saxutils import escape

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from miniapm.clock import to_rfc3339
from miniapm.domain.impact.words import VERDICT_WORDS
from miniapm.exceptions import NotFound
from miniapm.printable import printable
from miniapm.storage.badges import BadgeContent, find_badge_content
from miniapm.web.auth import Caller

_CACHE_SECONDS = 60
_LEFT, _RIGHT, _HEIGHT = 100, 300, 20
_LONGEST_LABEL, _LONGEST_NAME = 13, 12
# white text reads on each at 4.5:1 or more; blue and orange are told apart by everybody
_COLOURS = {"regressed": "#a33c00", "improved": "#0b5394", "unchanged": "#4a5560"}
_NEUTRAL = "#666666"
# filled triangle, hollow triangle down, dot, dashed dot: the marks of the pages
_MARKS = {
    "regressed": '<path d="M0 4 5-5 10 4z" fill="#fff"/>',
    "improved": '<path d="M1-4 5 4 9-4z" fill="none" stroke="#fff" stroke-width="1.5"/>',
    "unchanged": '<circle cx="5" r="4" fill="#fff"/>',
}
_NO_MARK = (
    '<circle cx="5" r="4" fill="none" stroke="#fff" stroke-width="1.5" stroke-dasharray="2"/>'
)


async def get_badge(request: Request, caller: Caller) -> Response:
    """The badge of a token; NotFound for any other."""
    token, _, kind = request.path_params["name"].rpartition(".")
    if kind not in ("svg", "json"):
        raise NotFound("There is no such badge.")
    content = await caller.context.database.read(find_badge_content, token)
    body = draw_badge(content) if kind == "svg" else _encode(content)
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"cache-control": f"public, max-age={_CACHE_SECONDS}", "etag": tag}
    if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    media_type = "image/svg+xml" if kind == "svg" else "application/json"
    return Response(body, headers=headers, media_type=media_type)


def tell_badge(content: BadgeContent) -> str:
    """The verdict in a word or three."""
    if content.name is None:
        return "no deploy yet"
    if content.state == "superseded":
        return "superseded"
    if content.state in (None, "pending") or content.verdict is None:
        return "not judged yet"
    return VERDICT_WORDS[content.verdict]


def draw_badge(content: BadgeContent) -> bytes:
    """400 by 20 pixels, whatever stands in it."""
    label = _fit(content.env, _LONGEST_LABEL)
    named = [_fit(one, _LONGEST_NAME) for one in (content.service, content.name) if one]
    words = " ".join([*named, tell_badge(content)])
    verdict = _shown_verdict(content)
    colour, mark = _COLOURS.get(verdict, _NEUTRAL), _MARKS.get(verdict, _NO_MARK)
    width, middle = _LEFT + _RIGHT, _HEIGHT // 2
    # the inner pictures clip what is wider than it looks
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" '
        f'viewBox="0 0 {width} {_HEIGHT}" role="img" font-family="Verdana,DejaVu Sans,sans-serif" '
        f'font-size="11" fill="#fff"><title>{escape(f"{label}: {words}")}</title>'
        f'<rect width="{width}" height="{_HEIGHT}" rx="4" fill="#30363d"/>'
        f'<path d="M{_LEFT} 0H{width - 4}a4 4 0 0 1 4 4V16a4 4 0 0 1-4 4H{_LEFT}z" '
        f'fill="{colour}"/>'
        f'<svg width="{_LEFT - 6}" height="{_HEIGHT}">'
        f'<text x="8" y="14">{escape(label)}</text></svg>'
        f'<g transform="translate({_LEFT + 8} {middle})">{mark}</g>'
        f'<svg x="{_LEFT}" width="{_RIGHT - 6}" height="{_HEIGHT}">'
        f'<text x="24" y="14">{escape(words)}</text></svg></svg>'
    ).encode()


def _shown_verdict(content: BadgeContent) -> str:
    is_judged = content.state not in (None, "pending", "superseded")
    return content.verdict or "" if is_judged else ""


def _encode(content: BadgeContent) -> bytes:
    """`label`, `message` and `color` as shields.io reads them, and what they are made from."""
    named = [one for one in (content.service, content.name) if one]
    return msgspec.json.encode(
        {
            "schemaVersion": 1,
            "label": content.env,
            "message": " ".join([*named, tell_badge(content)]),
            "color": _COLOURS.get(_shown_verdict(content), _NEUTRAL),
            "env": content.env,
            "service": content.service,
            "version": content.name,
            "deployed_at": to_rfc3339(content.deployed_at) if content.deployed_at else None,
            "state": content.state,
            "verdict": content.verdict,
        }
    )


def _fit(text: str, longest: int) -> str:
    shown = printable(" ".join(text.split()), 200)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
