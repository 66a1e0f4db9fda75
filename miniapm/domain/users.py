"""People who sign in, and what each role may do."""

from typing import Literal, get_args

import msgspec

from miniapm.exceptions import Invalid

Role = Literal["viewer", "member", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
MIN_PASSWORD = 10
MAX_PASSWORD = 1000


class User(msgspec.Struct, frozen=True):
    """A person. `project_ids` are the projects given to a member or viewer; an admin has all."""

    id: int
    name: str
    role: Role
    created_at: int
    project_ids: frozenset[int] = frozenset()

    def may_see(self, project_id: int) -> bool:
        return self.role == "admin" or project_id in self.project_ids

    def is_at_least(self, role: Role) -> bool:
        """admin is more than member, member more than viewer."""
        return ROLES.index(self.role) >= ROLES.index(role)


def check_password(password: str) -> str:
    """`password` as it is; Invalid when it is too short or too long: nothing else is asked."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        wrong = f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters"
        raise Invalid(f"The password {wrong}.", {"password": wrong})
    return password
