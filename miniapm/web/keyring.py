"""All keys in memory, so that checking one costs a hash and a look-up.

The rows are the truth: `refresh` runs several times a second and sees what any process changed.
"""

from hashlib import sha256

from miniapm.clock import MINUTE, Clock
from miniapm.domain.authorization import explain_unknown
from miniapm.domain.keys import Key, hash_secret, looks_like_key
from miniapm.exceptions import Unauthorized
from miniapm.storage import keys
from miniapm.storage.database import Database


class Keyring:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._keys: dict[bytes, Key] = {}
        self._version = (0, 0)
        self._used: dict[int, int] = {}
        self._used_written: dict[int, int] = {}

    async def refresh(self) -> None:
        """Reads the keys again when any was made, revoked or rotated."""
        version = await self._database.read(keys.find_key_version)
        if version != self._version:
            self._keys = await self._database.read(keys.find_keys_by_hash)
            self._version = version

    async def get(self, secret: str | None) -> Key:
        """The valid key with this secret. Unauthorized when unknown, Forbidden when it is over."""
        key = await self.find(secret)
        self.use(key)
        return key

    async def find(self, secret: str | None) -> Key:
        """The key with this secret, valid or not. Unauthorized when there is none."""
        if not secret:
            raise Unauthorized(explain_unknown(""))
        hashed = hash_secret(secret)
        key = self._keys.get(hashed)
        if key is None:
            # it may have been made a moment ago by the command line
            version = self._version
            if looks_like_key(secret):
                key = await self._database.read(keys.find_key_by_hash, hashed)
            if key is None:
                raise Unauthorized(explain_unknown(secret))
            # what a refresh read in the meantime is newer
            if version == self._version:
                self._keys[hashed] = key
        return key

    def find_usable(self, secret: bytes, scope: str, now: int) -> Key | None:
        """The key in memory with this secret, if it is valid at `now` and has `scope`; notes its
        use."""
        key = self._keys.get(sha256(secret).digest())
        if key is None or scope not in key.scopes:
            return None
        if key.has_ended(now):
            return None
        self._used[key.id] = now - now % MINUTE
        return key

    def use(self, key: Key) -> None:
        """Notes that `key` is used now. Forbidden, with the reason, when it is over."""
        now = self._clock()
        key.refuse_unless_valid(now)
        self._used[key.id] = now - now % MINUTE

    async def write_last_used(self) -> None:
        """Keeps when each key was last used, to the minute; writes only what is new."""
        fresh = {k: at for k, at in self._used.items() if self._used_written.get(k) != at}
        if fresh:
            await self._database.write(keys.update_last_used, fresh)
            self._used_written |= fresh
