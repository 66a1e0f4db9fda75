"""Where a miniapm server is, and the key for it: read from the environment, and checked.

The key stands in the Authorization header and in no message or repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from miniapm import __version__
from miniapm.client.transport import Message
from miniapm.exceptions import Invalid

# what snippets and curls have behind the address, and people copy along
_OUR_PATHS = ("/ingest/deploys", "/deployments", "/api/v1", "/api/v1/deploys")


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send and with which key; both checked, so neither can fail later."""

    url: str
    api_key: str = field(repr=False)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, url: str | None = None, api_key: str | None = None
    ) -> "Server":
        """`MINIAPM_URL` and `MINIAPM_API_KEY` unless given; `Invalid` names what is wrong.

        Either may stand in a file that `MINIAPM_URL_FILE` or `MINIAPM_API_KEY_FILE` names.
        """
        url = (url or _read_variable(environ, "MINIAPM_URL")).strip()
        api_key = (api_key or _read_variable(environ, "MINIAPM_API_KEY")).strip()
        problems = {"MINIAPM_URL": _url_problem(url), "MINIAPM_API_KEY": _key_problem(api_key)}
        fields = {name: problem for name, problem in problems.items() if problem}
        if fields:
            raise Invalid("; ".join(f"{name} {what}" for name, what in fields.items()), fields)
        return cls(url.rstrip("/"), api_key)

    def address(self, path: str) -> str:
        """The absolute address of a path or `Location` of this server, behind its base path."""
        base_path = urlsplit(self.url).path
        if path.startswith("/") and not path.startswith((f"{base_path}/", "//")):
            path = base_path + path
        return urljoin(f"{self.url}/", path)

    def message(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Message:
        """A request to this server that carries the key."""
        ours = {
            "Authorization": f"Bearer {self.api_key}",
            "Accept": "application/json",
            "User-Agent": f"miniapm/{__version__}",
        }
        return Message(method, self.url + path, {**headers, **ours}, body)


def _read_variable(environ: Mapping[str, str], name: str) -> str:
    """The variable's value, else what stands in the file that `<name>_FILE` names, else nothing."""
    file = environ.get(f"{name}_FILE", "").strip()
    value = environ.get(name, "").strip()
    if not file or value:
        if file:
            raise Invalid(f"{name} and {name}_FILE are both set; unset one of them")
        return value
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Invalid(f"{name}_FILE names {file!r}, which cannot be read: {reason}") from None


def _url_problem(url: str) -> str | None:
    if not url:
        return "is not set: set it to the server's address, such as https://miniapm.example.com"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "has characters that no address has"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "must begin with http:// or https:// and name a host"
    if parts.username is not None:
        return "must not hold a user name or password"
    if parts.query or parts.fragment:
        return "must end with the path, without ? and #"
    for path in _OUR_PATHS:
        if parts.path.rstrip("/").endswith(path):
            base = url.rstrip("/").removesuffix(path)
            return f"must be the server's address without a path: {base}"
    return None


def _key_problem(key: str) -> str | None:
    if not key:
        return (
            "is not set: set it to a key that `miniapm keys create` printed, or "
            "MINIAPM_API_KEY_FILE to a file with one"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        return "has characters that no key has"
    return None
