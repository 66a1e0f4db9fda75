"""Finding a name in a text where it stands by itself: `4711` is in `user 4711`, not in `14711`."""

import json
import re
from urllib.parse import quote

MASK = "\N{HORIZONTAL ELLIPSIS}"


class WholeWord:
    """A name, as the texts of errors and the bodies of calls write it."""

    def __init__(self, name: str) -> None:
        self._plain = _compile([name])
        in_json = {json.dumps(name, ensure_ascii=plain)[1:-1] for plain in (True, False)}
        slashed = {text.replace("/", r"\/") for text in in_json}
        self._encoded = _compile([name, *in_json, *slashed, quote(name, safe="")])

    def is_in(self, text: str) -> bool:
        return self._plain.search(text) is not None

    def is_in_body(self, body: str) -> bool:
        """Also where JSON or a form escapes some of its signs."""
        return self._encoded.search(body) is not None

    def mask(self, text: str) -> str:
        """`text` with a mark in each place where the name stood."""
        return self._plain.sub(MASK, text)


def _compile(names: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, dict.fromkeys(names)))})(?!\w)")
