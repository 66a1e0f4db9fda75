"""Deploys as the server lists them over its JSON API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from miniapm.client.asking import Asker
from miniapm.exceptions import Unavailable

DEPLOYS = "/api/v1/deploys"
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Deploy:
    """A deploy as the server lists it."""

    id: str
    external_id: str | None
    git_sha: str
    version: str | None
    env: str
    service: str
    status: str
    previous_id: str | None
    page: str | None
    project: str
    is_hidden: bool

    @property
    def is_live(self) -> bool:
        return self.status == "succeeded" and not self.is_hidden

    @property
    def may_go_live(self) -> bool:
        return self.status == "started" and not self.is_hidden

    @property
    def name(self) -> str:
        """What people call it."""
        return self.version or self.git_sha[:12]

    @property
    def place(self) -> tuple[str, str]:
        return self.env, self.service


def get_deploy(asker: Asker, deploy_id: str) -> Deploy:
    """One deploy by its own id; NotFound where there is none."""
    return _parse(asker.get(f"{DEPLOYS}/{deploy_id}"))


def find_previous(asker: Asker, deploy: Deploy) -> Deploy | None:
    """The deploy that was live before, where the server tells."""
    if deploy.previous_id is None:
        return None
    found = asker.find(f"{DEPLOYS}/{deploy.previous_id}")
    return None if found is None else _parse(found)


def list_deploys(asker: Asker, query: Mapping[str, str]) -> list[Deploy]:
    """The newest that `query` finds, a page of them."""
    return get_page(asker, query)[0]


def get_page(asker: Asker, query: Mapping[str, str]) -> tuple[list[Deploy], str | None]:
    """A page of what `query` finds, newest first, and the cursor of the next one."""
    answer = asker.get(DEPLOYS, {**query, "limit": str(_PAGE)})
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(items, list):
        raise Unavailable("The server's answer is no list of deploys.")
    return [_parse(item) for item in items], read_text(answer.get("next_cursor"))


def _parse(value: Any) -> Deploy:
    try:
        return Deploy(
            id=str(int(value["id"])),
            external_id=read_text(value.get("external_id")),
            git_sha=str(value["git_sha"]),
            version=read_text(value.get("version")),
            env=str(value["env"]),
            service=str(value["service"]),
            status=str(value["status"]),
            previous_id=read_text(value.get("previous_id")),
            page=read_text(value.get("page")),
            project=str(value.get("project")),
            is_hidden=value.get("hidden_at") is not None,
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        raise Unavailable("The server's answer is no deploy.") from None


def read_text(value: object) -> str | None:
    """None for what is no text, or empty."""
    return value if isinstance(value, str) and value else None
