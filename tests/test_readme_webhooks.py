"""What the README says of webhooks: its events are ours, and its snippet checks our signatures."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from miniapm.domain.webhooks.signatures import make_headers, make_signing_secret
from miniapm.domain.webhooks.values import EVENTS

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## Telling people\n")[2].partition("\n## ")[0]
NOW = 1_760_000_000

Check = Callable[[str, dict[str, str], bytes], bool]


@pytest.fixture
def is_from_miniapm(monkeypatch: pytest.MonkeyPatch) -> Check:
    [snippet] = re.findall(r"^```python\n(.*?)^```$", SECTION, re.M | re.S)
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102 - the README's own
    monkeypatch.setattr(time, "time", lambda: float(NOW))
    check: Check = names["is_from_miniapm"]
    return check


def test_every_event_is_told() -> None:
    assert re.findall(r"^\| `([\w.]+)` \|", SECTION, re.M) == list(EVENTS)


def test_the_snippet_takes_what_we_sign_and_nothing_else(is_from_miniapm: Check) -> None:
    secret, body = make_signing_secret(), b'{"type": "error.new"}'
    headers = make_headers([secret], 42, NOW * 1_000_000, body)
    assert is_from_miniapm(secret, headers, body)
    both = headers | {"webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}
    assert is_from_miniapm(secret, both, body)
    assert not is_from_miniapm(secret, headers, body + b" ")
    assert not is_from_miniapm(make_signing_secret(), headers, body)
    assert not is_from_miniapm(secret, headers | {"webhook-id": "msg_43"}, body)
    rotated = make_headers([make_signing_secret(), secret], 42, NOW * 1_000_000, body)
    assert is_from_miniapm(secret, rotated, body)
    old = make_headers([secret], 42, (NOW - 301) * 1_000_000, body)
    assert not is_from_miniapm(secret, old, body)
