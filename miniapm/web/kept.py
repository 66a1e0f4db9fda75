"""The filters that stay when a person goes from page to page: they ride in every link."""

from collections.abc import Mapping
from urllib.parse import urlencode

KEPT = ("env", "service", "range", "from", "to")


def kept_query(given: Mapping[str, str]) -> str:
    """`?env=production&service=shop`, of the filters that are set; "" when none is."""
    kept = {name: given[name] for name in KEPT if given.get(name)}
    return f"?{urlencode(kept)}" if kept else ""
