"""From what a foreign client said to our deploy: the rules of the contract, its names in errors."""

from collections.abc import Mapping
from typing import Any

from miniapm.domain.deploys.explaining import summarise
from miniapm.domain.deploys.reading import Defaults, announce
from miniapm.domain.deploys.values import Announcement
from miniapm.exceptions import Invalid


def announce_as(
    fields: Mapping[str, Any], names: Mapping[str, str], defaults: Defaults, now: int
) -> Announcement:
    """The announcement that `fields`, named as in `POST /ingest/deploys`, make; None is absent.

    `names` are the client's names by ours: Invalid names every bad field as the client does.
    """
    try:
        return announce(fields, defaults, now, source="api")
    except Invalid as error:
        found = dict(error.fields)
        if "version" in found and fields.get("git_sha") == fields.get("version"):
            # the version stands for the commit: what is wrong with it is told once
            found.pop("git_sha", None)
        problems = {names.get(name, name): reason for name, reason in found.items()}
        raise Invalid(summarise(problems), problems) from None
