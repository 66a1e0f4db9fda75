"""What may stand in the text fields of a deploy: characters, templates, links, tags."""

import re
from urllib.parse import urlsplit

from miniapm.printable import printable

_TEMPLATE = re.compile(
    r"\$?\{\{.*?(?:\}\}|$)|\$\{[^}]*\}?|\$\([^)]*\)?|#\{[^}]*\}?|<%.*?(?:%>|$)|\$[A-Za-z_]\w*"
)
_LONGEST_NAME = 200
# C0, C1, the Unicode line separators and lone surrogates: none can be meant in a name
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_GIT_ADDRESS = re.compile(r"[\w.-]+@[\w.-]+:[^\s]+", re.ASCII)


def clean_text(text: str, *, lines: bool) -> tuple[str, str | None]:
    """`text` with line ends made equal, and the first character that may not stand in it, if any.

    `lines` allows line breaks and tabs.
    """
    if lines:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    match = (_CONTROL_BUT_LINES if lines else _CONTROL).search(text)
    return text, None if match is None else f"U+{ord(match[0]):04X}"


def find_control(text: str) -> str | None:
    """As `clean_text` finds it, in text of one line."""
    return clean_text(text, lines=False)[1]


def find_template(text: str) -> str | None:
    """The first piece of `text` that a tool should have filled in, such as `${{ github.sha }}`."""
    # no name is that long, and looking for the ends of many openings takes quadratic time
    match = _TEMPLATE.search(text[:_LONGEST_NAME])
    return None if match is None else printable(match[0], 50)


def clean_url(url: str) -> str:
    """`url` without credentials; ValueError unless it is an http(s) address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - raises for an impossible port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", url):
        raise ValueError("must be an http or https address")
    # CI systems put tokens into clone addresses
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def clean_repository(address: str) -> str:
    """As `clean_url`, or git's own `git@host:path`."""
    if _GIT_ADDRESS.fullmatch(address) is not None:
        return address
    try:
        return clean_url(address)
    except ValueError as error:
        raise ValueError(f"{error}, or git@host:path") from None


def split_tags(value: str | list[str]) -> tuple[str, ...]:
    """Tags from a comma separated string or a list; trimmed, each once, in order."""
    parts = value.split(",") if isinstance(value, str) else (p for v in value for p in v.split(","))
    return tuple(dict.fromkeys(stripped for part in parts if (stripped := part.strip())))
