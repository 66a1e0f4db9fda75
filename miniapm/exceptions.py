"""What can go wrong, in one tree; `web/errors.py` turns it into answers, `cli/` into exit codes.

MiniapmError
├── Invalid           400  the input is wrong; `fields` names every bad field
├── Unauthorized      401  no key, or one nobody knows
├── Forbidden         403  known, but not for this
├── NotFound          404  also: belongs to somebody else
├── MethodNotAllowed  405  `allow` lists what is
├── Conflict          409  contradicts what is stored
├── TooLarge          413  more bytes than the limit
├── RateLimited       429  too often; try again after `retry_after` seconds
├── Busy              503  no room now; try again after `retry_after` seconds
└── Unavailable            the database cannot be opened or used; the command line exits 3
"""

from collections.abc import Mapping
from typing import ClassVar


class MiniapmError(Exception):
    """Base of all errors that are ours to explain. `message` is one sentence for a person."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(MiniapmError):
    """The input is wrong. `fields` maps each bad field to what is wrong with it."""

    code = "invalid"
    status = 400

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class Unauthorized(MiniapmError):
    code = "unauthorized"
    status = 401


class Forbidden(MiniapmError):
    code = "forbidden"
    status = 403


class NotFound(MiniapmError):
    """`advice` is what a page says besides: what may have become of it."""

    code = "not_found"
    status = 404

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class MethodNotAllowed(MiniapmError):
    code = "method_not_allowed"
    status = 405

    def __init__(self, allow: tuple[str, ...]) -> None:
        super().__init__(f"This address takes {', '.join(allow)}.")
        self.allow = allow


class Conflict(MiniapmError):
    code = "conflict"
    status = 409


class TooLarge(MiniapmError):
    code = "too_large"
    status = 413


class TryLater(MiniapmError):
    """Base of the errors that carry `Retry-After`, in seconds."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(TryLater):
    code = "rate_limited"
    status = 429


class Busy(TryLater):
    code = "busy"
    status = 503


class Unavailable(MiniapmError):
    """The database file is missing, locked for good, too new, or not ours."""
