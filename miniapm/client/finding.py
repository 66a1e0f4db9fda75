"""Which deploy the gate is about: by commit, by id, or the latest that is live."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from miniapm.client.asking import Asker
from miniapm.client.deploys import Deploy, get_deploy, get_page, list_deploys, read_text
from miniapm.client.git import is_sha, same_revision
from miniapm.exceptions import Invalid, NotFound

_SHORTEST_SHA = 7
_MOST_PAGES = 10
USUAL_ENV = "production"
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """The deploy that is asked for; with neither `sha` nor `id` the latest. `id` is miniapm's own
    or the sender's. None for `env` and `service`: not said.
    """

    sha: str | None = None
    id: str | None = None
    env: str | None = None
    service: str | None = None

    @property
    def place(self) -> dict[str, str]:
        named = {"env": self.env, "service": self.service}
        return {name: value for name, value in named.items() if value}

    def __str__(self) -> str:
        what = f"deploy of {self.sha}" if self.sha else f"deploy {self.id}" if self.id else "deploy"
        of = f" of {self.service}" if self.service else ""
        return f"{what}{of}{f' in {self.env}' if self.env else ''}"


def find_deploy(asker: Asker, wanted: Wanted) -> Deploy | None:
    """The newest deploy that fits: live, or still running or hidden where it was named. None while
    a named commit is not there yet. NotFound where waiting cannot help, Invalid where several
    places fit.
    """
    if wanted.id:
        return _find_by_id(asker, wanted.id, wanted)
    wanted = _fill_from_key(asker, wanted)
    if wanted.sha:
        return _find_by_sha(asker, wanted.sha, wanted)
    found = list_deploys(asker, {**wanted.place, "status": "succeeded"})
    if not found:
        raise NotFound(f"There is no live {wanted} yet.")
    return _newest(found)


def _fill_from_key(asker: Asker, wanted: Wanted) -> Wanted:
    """A key stands for an environment and a service, as it does when it records a deploy."""
    if wanted.env and wanted.service:
        return wanted
    try:
        key = asker.get("/api/v1/key")
    except NotFound:  # an older server
        return wanted
    place = read_key_place(key)
    return replace(
        wanted,
        env=wanted.env or place.get("env"),
        service=wanted.service or place.get("service"),
    )


def read_key_place(key: object) -> dict[str, str]:
    """The `env` and `service` that a key stands for, as `/api/v1/key` answers; what it stands for
    none of is left out."""
    if not isinstance(key, dict):
        return {}
    return {name: text for name in ("env", "service") if (text := read_text(key.get(name)))}


def _find_by_id(asker: Asker, deploy_id: str, wanted: Wanted) -> Deploy:
    if deploy_id.isascii() and deploy_id.isdigit():
        try:
            return get_deploy(asker, deploy_id)
        except NotFound:
            pass  # a run's number, perhaps: the sender's own id
    query, pages = wanted.place, 0
    while pages < _MOST_PAGES:
        found, cursor = get_page(asker, query)
        for deploy in found:
            if deploy.external_id == deploy_id:
                return deploy
        if cursor is None:
            break
        query, pages = {**query, "cursor": cursor}, pages + 1
    raise NotFound(f"There is no {wanted}; the address of a deploy's page ends in its id.")


def _find_by_sha(asker: Asker, sha: str, wanted: Wanted) -> Deploy | None:
    # what was recorded may be shorter than what is asked for
    needle = sha[:_SHORTEST_SHA] if is_sha(sha) else sha
    query = {**wanted.place, "q": needle}
    going = [one for one in _list_of(asker, sha, query) if one.is_live or one.may_go_live]
    # one that is hidden must not leave the word to another place's, nor be waited for
    hidden = _list_of(asker, sha, {**query, "hidden": "1"})
    if not going and not hidden:
        return None
    place = _newest([*going, *hidden]).place
    return next(one for one in (*going, *hidden) if one.place == place)


def _list_of(asker: Asker, sha: str, query: Mapping[str, str]) -> list[Deploy]:
    return [one for one in list_deploys(asker, query) if same_revision(one.git_sha, sha)]


def _newest(found: list[Deploy]) -> Deploy:
    """The newest of the only place that there is, else of the one that `deploy` would take."""
    envs = {deploy.env for deploy in found}
    if len(envs) > 1 and USUAL_ENV in envs:
        found = [deploy for deploy in found if deploy.env == USUAL_ENV]
    services = {deploy.service for deploy in found}
    if len(services) > 1 and len({deploy.env for deploy in found}) == 1:
        found = [deploy for deploy in found if deploy.service == deploy.project] or found
    if len({deploy.place for deploy in found}) > 1:
        raise Invalid(_explain_places(found))
    return found[0]


def _explain_places(found: list[Deploy]) -> str:
    seen = {deploy.place for deploy in found if not deploy.is_hidden}
    pairs = sorted(
        f"{service} in {env}{'' if (env, service) in seen else ', hidden'}"
        for env, service in {deploy.place for deploy in found}
    )
    more = f" and {len(pairs) - _MOST_NAMED} more" if len(pairs) > _MOST_NAMED else ""
    flags = ["--env"] if len({deploy.env for deploy in found}) > 1 else []
    flags += ["--service"] if len({deploy.service for deploy in found}) > 1 else []
    shown = ", ".join(pairs[:_MOST_NAMED])
    return f"Several deploys could be meant ({shown}{more}): give {' and '.join(flags)}."
