"""GitHub's deployments as its REST API lists them, `gh api --paginate` page after page.

The statuses say what became of a deployment. They may stand in it as `statuses`, or anywhere in the
file as GitHub lists them; one without any is taken to have succeeded when it was made.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from miniapm.domain.deploys.given_lines import LeftOut
from miniapm.domain.deploys.json_values import read_objects
from miniapm.domain.receivers.payloads import Payload, tidy_name, tidy_text, tidy_url
from miniapm.exceptions import Invalid

_ENDS = {"success": "succeeded", "failure": "failed", "error": "failed"}
_BEFORE = frozenset({"queued", "pending", "waiting"})


class _Status(NamedTuple):
    at: str
    state: str
    link: str | None
    description: str | None


class _Deployment(NamedTuple):
    """One in the order of the file; `statuses` are those that stand in it, None without any."""

    url: str | None
    made_at: str | None
    fields: Mapping[str, Any]
    statuses: list[_Status] | None


Given = Mapping[str, Any] | Invalid | LeftOut


def parse_deployments(pieces: Iterable[bytes]) -> Iterator[tuple[int, Given]]:
    """The number and the fields of each deployment; statuses for themselves have no number, unless
    their deployment is not among them."""
    found: list[_Deployment | Invalid] = []
    statuses: dict[str, list[_Status]] = {}
    for value in read_objects(pieces):
        if isinstance(value, Invalid):
            found.append(value)
        elif "deployment_url" in value and "sha" not in value:
            url, status = value.get("deployment_url"), _read_status(value)
            if isinstance(url, str) and isinstance(status, _Status):
                statuses.setdefault(url, []).append(status)
            else:
                found.append(Invalid("The status names no deployment_url, state and created_at."))
        else:
            found.append(_read_deployment(value))
    for number, one in enumerate(found, 1):
        if isinstance(one, Invalid):
            yield number, one
        else:
            beside = statuses.pop(one.url or "", [])
            yield number, _tell(one, (one.statuses or []) + beside)
    for number, (url, told) in enumerate(statuses.items(), len(found) + 1):
        what = "a status" if len(told) == 1 else f"{len(told):,} statuses"
        yield number, LeftOut(f"{what} of {url[:200]}, a deployment that is not in the file")


def _read_deployment(value: Mapping[str, Any]) -> _Deployment | Invalid:
    if "sha" not in value:
        return Invalid("The object is no deployment of GitHub's: it has no sha.")
    payload = Payload(value)
    number = payload.number("id")
    fields = {
        "id": None if number is None else f"deployment:{number}",
        "git_sha": payload.sha("sha"),
        "env": payload.text("environment"),
        "deployer": tidy_name(payload.text("creator.login")),
        "description": tidy_text(payload.text("description")),
        "repository": _find_page(payload.text("repository_url") or payload.text("url")),
    }
    made_at, url, given = payload.text("created_at"), payload.text("url"), value.get("statuses")
    statuses: list[_Status] | None = None
    if isinstance(given, list):
        read = [_read_status(one) for one in given if isinstance(one, dict)]
        statuses = [one for one in read if one is not None]
    try:
        payload.refuse_bad()
    except Invalid as error:
        return error
    return _Deployment(url, made_at, fields, statuses)


def _read_status(value: Mapping[str, Any]) -> _Status | None:
    payload = Payload(value)
    at, state = payload.text("created_at"), payload.text("state")
    link = payload.text("log_url") or payload.text("target_url")
    description = tidy_text(payload.text("description"))
    if at is None or state is None:
        return None
    return _Status(at, state, tidy_url(link), description)


def _tell(one: _Deployment, statuses: list[_Status]) -> Given:
    if not statuses:
        return {**one.fields, "timestamp": one.made_at}
    # GitHub writes them all alike, in UTC: the order of the text is that of time
    statuses = sorted(statuses, key=lambda status: status.at)
    ends = [status for status in statuses if status.state in _ENDS]
    succeeded = [status for status in ends if status.state == "success"]
    if ends:
        # what went live once did so, whatever was said of it afterwards
        end = succeeded[0] if succeeded else ends[-1]
        return {
            **one.fields,
            "status": _ENDS[end.state],
            "timestamp": end.at,
            "started_at": min(one.made_at or end.at, end.at),
            "url": end.link,
            "description": end.description or one.fields["description"],
        }
    states = {status.state for status in statuses}
    if "inactive" in states:
        # only what was live becomes inactive
        return {**one.fields, "timestamp": one.made_at}
    if states <= _BEFORE:
        return LeftOut(f"it is {statuses[-1].state}: it never began")
    return {**one.fields, "status": "started", "timestamp": statuses[0].at}


def _find_page(address: str | None) -> str | None:
    """The repository's page by its address in the API, of github.com or a server of one's own."""
    api, _, path = (address or "").partition("/repos/")
    return _make_page(api, *path.split("/")[:2])


@lru_cache(maxsize=16)  # a file is of one repository, or of a few
def _make_page(api: str, *names: str) -> str | None:
    if len(names) < 2 or not all(names):
        return None
    try:
        scheme, host, path, *_ = urlsplit(api)
    except ValueError:
        return None
    if scheme not in ("http", "https"):
        return None
    host = "github.com" if host == "api.github.com" and not path else host
    return tidy_url(f"{scheme}://{host}/{'/'.join(names)}")
