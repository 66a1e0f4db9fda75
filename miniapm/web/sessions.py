"""The session cookie: set at sign-in, taken back at sign-out. The session itself is a row."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from miniapm.clock import SECOND
from miniapm.domain.tokens import hash_token
from miniapm.storage.sessions import SESSION_LIFETIME
from miniapm.web.addresses import is_secure
from miniapm.web.auth import SESSION_COOKIE
from miniapm.web.context import Context


def answer_signed_in(request: Request, context: Context, token: str, target: str) -> Response:
    """Sends a person on to `target`, a path of ours, with the session of `token`."""
    response = RedirectResponse(target, 303)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=SESSION_LIFETIME // SECOND,
        path="/",
        secure=is_secure(request, context),
        httponly=True,
        samesite="lax",
    )
    return response


def answer_signed_out(request: Request, context: Context) -> Response:
    """Sends a person to the sign-in page and makes the browser forget."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(
        SESSION_COOKIE,
        path="/",
        secure=is_secure(request, context),
        httponly=True,
        samesite="lax",
    )
    # the pages that are still in the browser's cache were this person's
    response.headers["clear-site-data"] = '"cache"'
    return response


def session_hash(request: Request) -> bytes | None:
    """The hash of the token that the browser brought, valid or not."""
    token = request.cookies.get(SESSION_COOKIE)
    return hash_token(token) if token else None
