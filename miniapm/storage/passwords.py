"""Password hashes: argon2id with 19 MiB, two passes, one lane; about 30 ms of one core.

More memory would be a lever against a 512 MB machine. Slow on purpose: never call it on the event
loop, and few at once.
"""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# of a random password that nobody knows: a sign-in under an unknown name takes as long as any
DUMMY_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$"
    "wG5CFvSmrKgwmOQU+XOZtw$1JSAaKTgjRBNdzeE+1NQ2ZPAVImBwOwG0uz+g/Uk5vw"
)


def hash_password(password: str) -> str:
    """The PHC string to store; its salt is new at each call."""
    return _hasher().hash(_to_bytes(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether `password` made `stored`. None, for a name that nobody has, takes as long."""
    try:
        return _hasher().verify(DUMMY_HASH if stored is None else stored, _to_bytes(password))
    except VerificationError:
        return False
    except InvalidHashError:
        # a user without a password: takes as long as any, too
        verify_password(None, password)
        return False


def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def _to_bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
