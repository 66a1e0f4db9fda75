"""People who sign in, for tests of pages."""

import httpx2

from miniapm.domain.users import Role, User
from miniapm.storage.audit import Act
from miniapm.storage.login_links import make_login_link
from miniapm.storage.passwords import hash_password
from miniapm.storage.projects import get_project
from miniapm.storage.users import get_user, insert_user
from miniapm.web.auth import SESSION_COOKIE
from tests.conftest import Server

PASSWORD = "correct horse battery"


def add_user(
    server: Server,
    name: str = "ada",
    role: Role = "admin",
    *,
    password: str = PASSWORD,
    projects: tuple[str, ...] = ("default",),
) -> User:
    """A user who can sign in with `password`."""
    context = server.running.context
    found = [server.run(context.database.read(get_project, slug)) for slug in projects]
    user = User(context.make_id(), name, role, context.clock(), frozenset(p.id for p in found))
    server.run(context.database.write(insert_user, user, hash_password(password)))
    return user


def make_link(server: Server, name: str | None = None) -> str:
    """The token of a new sign-in link; for None, of the first admin's."""
    context = server.running.context
    user = server.run(context.database.read(get_user, name)) if name is not None else None
    act = Act("command line", context.clock(), context.make_id)
    return server.run(context.database.write(make_login_link, act, user.id if user else None))


def log_in(server: Server, name: str = "ada", password: str = PASSWORD) -> httpx2.Response:
    """What a browser without a session gets for these."""
    with httpx2.Client(base_url=server.url) as browser:
        return browser.post("/login", data={"name": name, "password": password})


def is_signed_in(server: Server, token: str) -> bool:
    """Whether a session with this token opens a page."""
    with httpx2.Client(base_url=server.url, cookies={SESSION_COOKIE: token}) as browser:
        return browser.get("/account").status_code == 200
