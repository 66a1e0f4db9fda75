"""The Authorization header: the key in it, and what is wrong with one that nobody knows."""

from miniapm.domain.deploys.texts import find_template
from miniapm.domain.keys import PREFIX

KEY_NEEDED = "A key is needed"
"""How every sentence begins that refuses a call without a key."""
_FORM = "`Authorization: Bearer proj_...`"


def read_secret(header: str) -> str:
    """The key in `header`, which has it as `Bearer` or raw; "" where there is none."""
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header.strip()


def explain_unknown(secret: str) -> str:
    """Why no key has this secret, in a sentence that repeats no part of a key."""
    if not secret:
        return f"{KEY_NEEDED}: send it as {_FORM}."
    template = find_template(secret)
    if template is not None and PREFIX not in template:
        return f"The key is {template!r}, which was not filled in before sending."
    # another scheme, or quotes around it
    if PREFIX in secret and not secret.startswith(PREFIX):
        return f"Write it as {_FORM}."
    return "Nobody knows this key; check that it was copied whole."
