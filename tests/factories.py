"""Rows and values that tests begin from; what a test cares about is what it names."""

import secrets
import sqlite3
from pathlib import Path
from typing import Any

from miniapm.clock import DAY
from miniapm.domain.deploys.values import Announcement, Deploy
from miniapm.domain.errors.values import Occurrence
from miniapm.domain.keys import Key, check_scopes, display_of, hash_secret, make_secret
from miniapm.domain.retention import Lifetimes
from miniapm.domain.tokens import hash_token, make_token
from miniapm.domain.users import User
from miniapm.storage import keys, projects, sessions, users
from miniapm.storage.connection import Connection, open_connection
from miniapm.storage.migrations import migrate
from miniapm.web.context import Context

START = 1_760_000_000_000_000
KEPT = Lifetimes(spans=7 * DAY, errors=30 * DAY, minutes=16 * DAY, ten_minutes=90 * DAY,
                 hours=400 * DAY)  # fmt: skip


def make_announcement(**fields: Any) -> Announcement:
    """A succeeded deploy of `aaaaaaa1` to production at START, sent without a time."""
    at = fields.setdefault("at", START)
    defaults: dict[str, Any] = {
        "project_id": 1,
        "service": "shop",
        "env": "production",
        "git_sha": "aaaaaaa1",
        "status": "succeeded",
        "at_given": True,
        "received_at": at,
    }
    return Announcement(**{**defaults, **fields})


def make_deploy(**fields: Any) -> Deploy:
    """A live deploy of `aaaaaaa1` to production at START."""
    at = fields.setdefault("deployed_at", START)
    defaults: dict[str, Any] = {
        "id": 1,
        "project_id": 1,
        "service": "shop",
        "env": "production",
        "git_sha": "aaaaaaa1",
        "status": "succeeded",
        "recorded_at": at,
        "updated_at": at,
    }
    return Deploy(**{**defaults, **fields})


def make_occurrence(**fields: Any) -> Occurrence:
    """An `Oops` in production at START; its fingerprint is its class."""
    defaults: dict[str, Any] = {
        "service": "shop",
        "env": "production",
        "version": "",
        "revision": "",
        "happened_at": START,
        "exception_class": "Oops",
        "message": "it broke",
    }
    values = {**defaults, **fields}
    return Occurrence(**{"fingerprint": values["exception_class"], **values})


def make_database(path: Path, *slugs: str) -> Connection:
    """A new database, open, with a project for each of `slugs`: their ids are 1, 2, ..."""
    connection = open_connection(path, create=True)
    migrate(connection, path, START)
    for number, slug in enumerate(slugs, 1):
        projects.insert_project(connection, projects.Project(number, slug, slug.title(), START))
    return connection


def read_rows(path: Path, sql: str, **values: Any) -> list[dict[str, Any]]:
    """What stands in a database file, read as a stranger would."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql, values)]
    finally:
        connection.close()


async def insert_project(context: Context, slug: str) -> projects.Project:
    project = projects.Project(context.make_id(), slug, slug.title(), context.clock())
    await context.database.write(projects.insert_project, project)
    return project


async def insert_key(
    context: Context, scopes: tuple[str, ...], *, project: str = "default", **fields: Any
) -> str:
    """The secret of a new key."""
    found = await context.database.read(projects.get_project, project)
    secret = make_secret()
    key = Key(
        id=context.make_id(),
        project_id=found.id,
        project_slug=found.slug,
        name=fields.pop("name", "test"),
        display=display_of(secret),
        scopes=check_scopes(scopes),
        created_at=context.clock(),
        **fields,
    )
    await context.database.write(keys.insert_key, key, hash_secret(secret))
    return secret


async def insert_session(context: Context, role: str, project_slugs: tuple[str, ...]) -> str:
    """The session token of a new user with `role` in these projects."""
    found = [await context.database.read(projects.get_project, slug) for slug in project_slugs]
    now = context.clock()
    name = f"{role}-{secrets.token_hex(4)}"
    user = User(context.make_id(), name, role, now, frozenset(p.id for p in found))  # type: ignore[arg-type]
    await context.database.write(users.insert_user, user, "no password")
    token = make_token()
    await context.database.write(
        sessions.insert_session, hash_token(token), user.id, now, now + DAY
    )
    return token
