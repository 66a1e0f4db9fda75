"""What a client span waited for: a database or another HTTP service."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

Category = Literal["", "database", "http"]
"""The kinds of time that an entry's children are summed by; "" for any other."""


_DATABASE_WORDS = (
    "sql", "psycopg", "asyncpg", "dbapi", "redis", "mongo", "cassandra", "elasticsearch",
    "memcache", "dynamo", "activerecord", "active_record", "jdbc", "hibernate", "knex", "typeorm",
    "prisma", "sequelize", "gorm", "ecto", "pdo", "doctrine", "instrumentation-pg",
)  # fmt: skip
_HTTP_WORDS = (
    "requests", "httpx", "urllib", "aiohttp-client", "aiohttp_client", "instrumentation-http",
    "instrumentation.http", "undici", "fetch", "net::http", "net_http", "faraday", "excon",
    "okhttp", "guzzle", "otelhttp", "axios", "restclient", "http_client", "httpclient",
)  # fmt: skip


@lru_cache(maxsize=1024)
def categorize_scope(name: str) -> Category:
    """What the client spans of an instrumentation are, judged by its name."""
    name = name.lower()
    if any(word in name for word in _DATABASE_WORDS):
        return "database"
    if any(word in name for word in _HTTP_WORDS):
        return "http"
    return ""


def categorize_keys(keys: Iterable[str]) -> Category:
    """What a client span is, judged by the names of its attributes."""
    for key in keys:
        if key.startswith("db."):
            return "database"
        if key.startswith(("http.", "url.")):
            return "http"
    return ""
