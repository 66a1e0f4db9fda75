"""Names under which secrets stand: `password`, `X-Auth-Token`, `user%5Bpin%5D`."""

import re
from functools import lru_cache
from urllib.parse import unquote

BUILT_IN_NAMES = (
    "amz_signature",
    "api_key",
    "authorization",
    "card",
    "cookie",
    "credential",
    "csrf",
    "cvv",
    "goog_signature",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "pwd",
    "routing_key",
    "secret",
    "session_id",
    "token",
)
# too short to be looked for within other words: `pin` is in `shipping`
BUILT_IN_WORDS = frozenset({"auth", "otp", "pin", "sig", "ssn"})
# words that hold a secret name and none of its meaning, as `_normalise` writes them
_HARMLESS = re.compile(
    r"discard|wildcard|scorecard|cardinal|(?:input|output|prompt|completion|total|max)tokens"
)
_WORD = re.compile(r"[A-Z]++(?![a-z])|[A-Z]?[a-z]++|[A-Z]")
_CODE_POINT = re.compile(r"\\++u([0-9a-fA-F]{4})")
_LONGEST_REMEMBERED = 200


class SecretNames:
    """Tells by name: without case, as part of a name, `-` and `_` the same or absent."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        """`names` are secret besides the built-in ones."""
        parts = {_normalise(name) for name in (*BUILT_IN_NAMES, *names)} - {""}
        self._parts = re.compile("|".join(re.escape(part) for part in sorted(parts)))
        self._remembered = lru_cache(maxsize=4096)(self._tell)

    def is_secret(self, name: str) -> bool:
        """Whether what stands under `name` is masked. Escapes of addresses and JSON are read."""
        return self._remembered(name) if len(name) <= _LONGEST_REMEMBERED else self._tell(name)

    def _tell(self, name: str) -> bool:
        plain = _decode(name)
        if self._parts.search(_HARMLESS.sub("", _normalise(plain))) is not None:
            return True
        return not BUILT_IN_WORDS.isdisjoint(word.lower() for word in _WORD.findall(plain))


def _normalise(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def _decode(name: str) -> str:
    if "\\u" in name:
        name = _CODE_POINT.sub(lambda match: chr(int(match[1], 16)), name)
    # an address within an address is encoded twice
    return unquote(unquote(name)) if "%" in name else name
