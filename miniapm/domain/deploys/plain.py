"""The bodies that hooks send nearly always, read at a third of the cost.

What is plain is judged as `parse_deploy` judges it, to the same announcement; the least doubt gives
None, and `parse_deploy` has the word.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from miniapm.domain.deploys.payload import Text100, Text200
from miniapm.domain.deploys.reading import Defaults
from miniapm.domain.deploys.values import Announcement


class _PlainDeploy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    git_sha: Text200
    version: Text200 | None = None
    deployer: Text200 | None = None
    env: Text100 | None = None
    service: Text100 | None = None
    title: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


_DECODER = msgspec.json.Decoder(_PlainDeploy)


def parse_plain(body: bytes, defaults: Defaults, now: int) -> Announcement | None:
    """The announcement of a deploy that succeeded now, if `body` says nothing out of the ordinary.

    Plain is: an object of known texts, each given once, without escapes, templates, control
    characters or blanks around it.
    """
    if b"\\" in body or b"$" in body or b"<" in body or body.count(b"{") != 1:
        return None
    try:
        plain = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    texts = [text for text in msgspec.structs.astuple(plain) if text is not None]
    # four quotes to a field: one that came twice, or came as null, has left others behind
    if body.count(b'"') != 4 * len(texts) or not "".join(texts).isprintable():
        return None
    for text in texts:
        if text[0] == " " or text[-1] == " ":
            return None
    return Announcement(
        project_id=defaults.project_id,
        service=plain.service or defaults.service,
        env=plain.env or defaults.env,
        git_sha=plain.git_sha,
        status="succeeded",
        at=now,
        at_given=False,
        received_at=now,
        version=plain.version,
        deployer=plain.deployer,
        title=plain.title,
        key_id=defaults.key_id,
    )
