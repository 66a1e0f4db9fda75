"""Links into a deploy's repository: its page, a commit, what changed between two commits."""

from typing import NamedTuple
from urllib.parse import quote, urlsplit


class Repository(NamedTuple):
    """A repository as people open it in a browser."""

    page: str
    name: str
    forge: str | None

    def commit_link(self, sha: str) -> str | None:
        """None where nobody knows how this host writes such links."""
        if self.forge is None:
            return None
        commit, sha = "commits" if self.forge == "bitbucket" else "commit", quote(sha, safe="")
        return f"{self.page}{_PATHS[self.forge]}/{commit}/{sha}"

    def compare_link(self, old: str, new: str) -> str | None:
        """What `new` has that `old` has not."""
        if self.forge is None or old == new:
            return None
        old, new = quote(old, safe=""), quote(new, safe="")
        if self.forge == "bitbucket":
            return f"{self.page}/branches/compare/{new}%0D{old}"
        range_ = f"{old}...{new}"
        return f"{self.page}{_PATHS[self.forge]}/compare/{range_}"


_PATHS = {
    "github": "",
    "gitlab": "/-",
    "bitbucket": "",
    "codeberg": "",
    "gitea": "",
    "forgejo": "",
}
# only the one in the cloud: those on servers of their own write their addresses otherwise
_BITBUCKET = "bitbucket.org"


def read_repository(address: str | None) -> Repository | None:
    """The repository at `address`, http(s) or git's `git@host:path`; None when it is neither."""
    if not address:
        return None
    if "://" not in address:
        host, colon, path = address.rpartition("@")[2].partition(":")
        if not colon:
            return None
        address = f"https://{host}/{path}"
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    path = quote(parts.path.strip("/").removesuffix(".git"), safe="/%~")
    page = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{path}"
    return Repository(page, path, _forge_of(parts.hostname) if "/" in path else None)


def _forge_of(host: str) -> str | None:
    labels = host.lower().split(".")
    if "bitbucket" in labels:
        return "bitbucket" if host.lower() == _BITBUCKET else None
    return next((forge for forge in _PATHS if forge in labels), None)
