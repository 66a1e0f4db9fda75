"""Where a webhook may lead: one parser for what is checked and what is connected to.

A name says nothing: it is looked up when a message is sent, and every address that it has must be
one that may be reached (`explain_refusal`).
"""

import ipaddress
import re
from typing import NamedTuple

from miniapm.exceptions import Invalid

LONGEST_URL = 2000
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/[!$-;=@-Z\[\]^_a-z{|}~]*)?(?P<query>\?[!$-;=?@-Z\[\]^_a-z{|}~]*)?"
)
_AUTHORITY = re.compile(r"\A(https?)://([^/?#]*)", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}
_MATTERMOST = re.compile(r"(?:/[^/]+)*/hooks/[a-z0-9]{26}")
_LONG_SEGMENT = 12

_HOW_TO_ALLOW = (
    "webhooks.allow_private in miniapm.toml, or MINIAPM_WEBHOOKS_ALLOW_PRIVATE, allows that once "
    "the server is started again"
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(text: str) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(part) for part in text.split())


# a service of the cloud below the machine: what it answers are credentials
_METADATA = _networks("100.100.100.200/32 168.63.129.16/32 fd00:ec2::254/128 fd20:ce::254/128")
_PRIVATE = _networks(
    "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 127.0.0.0/8 100.64.0.0/10 ::1/128 fc00::/7"
)
_SPECIAL = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 "
    "224.0.0.0/4 240.0.0.0/4 "
    # of what is handed out for everybody (2000::/3): Teredo and its like, examples, 6to4
    "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Target(NamedTuple):
    """An address taken apart. `host` is lower case, without brackets; `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """What may be shown: the addresses of chats are secrets, by their long parts."""
        path, mark, _ = self.path.partition("?")
        parts = [f"{p[:4]}…" if len(p) >= _LONG_SEGMENT else p for p in path.split("/")]
        return f"{self.scheme}://{self.authority}{'/'.join(parts)}{'?…' if mark else ''}"

    @property
    def speaks_slack(self) -> bool:
        """Whether this is an incoming webhook of Slack, Mattermost, or Discord in Slack's way."""
        path = self.path.partition("?")[0]
        if self.host in ("discord.com", "discordapp.com"):
            return path.rstrip("/").endswith("/slack")
        return self.host == "hooks.slack.com" or _MATTERMOST.fullmatch(path) is not None


def parse_target(url: str) -> Target:
    """Invalid says what is wrong with `url`."""
    begin = _AUTHORITY.match(url)
    if begin is None:
        raise _invalid("must begin with https:// or http://")
    if "@" in begin[2]:
        raise _invalid("must not name a user or a password")
    if len(url) > LONGEST_URL or "#" in url or not url.isascii():
        raise _invalid(
            f"must be at most {LONGEST_URL} ASCII characters, without a # part; "
            "names in other scripts are written as xn--"
        )
    rest = url[begin.end() :]
    match = _URL.fullmatch(begin[0].lower() + rest)
    if match is None:
        raise _invalid("must be an address such as https://example.com/hooks/deploys")
    port = int(match["port"]) if match["port"] else _PORTS[match["scheme"]]
    if not 0 < port < 65536:
        raise _invalid("has a port that cannot be")
    return Target(
        match["scheme"],
        _check_host(match["host"]),
        port,
        (match["path"] or "/") + (match["query"] or ""),
    )


def _check_host(host: str) -> str:
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise _invalid("has an IPv6 address that cannot be") from None
    name = host.removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]) is not None:
        # 127.1, 0x7f000001 and 0177.0.0.1 mean an address to some who read them
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise _invalid("has an IPv4 address that is not four plain numbers") from None
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid("has a host name that cannot be")
    return name


def check_target(url: str, *, allow_private: bool) -> Target:
    """As `parse_target`; Invalid too for an address in numbers that may not be reached, and for one
    of Discord that does not take what we send."""
    target = parse_target(url)
    refusal = explain_refusal(target.host, allow_private=allow_private)
    if refusal:
        raise _invalid(refusal)
    if target.host in ("discord.com", "discordapp.com") and not target.speaks_slack:
        raise _invalid("must end in /slack: Discord takes messages of this kind there")
    return target


def explain_refusal(host: str, *, allow_private: bool) -> str:
    """Why the address `host` may not be reached, "" when it may or is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if may_reach(address, allow_private=allow_private):
        return ""
    if may_reach(address, allow_private=True):
        return f"leads to {host}, which is private: {_HOW_TO_ALLOW}"
    return f"leads to {host}, which no webhook may reach"


def may_reach(address: _Address, *, allow_private: bool) -> bool:
    """Whether a message may be posted to `address`: one of the public internet, or with
    `allow_private` one of this machine or its network. Never link-local, multicast or metadata."""
    inner = _find_inner(address)
    if inner is not None:
        return may_reach(inner, allow_private=allow_private)
    if _is_in(address, _METADATA):
        return False
    if allow_private and _is_in(address, _PRIVATE):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not _is_in(address, _SPECIAL)


def _find_inner(address: _Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address) and (address in _MAPPED or address in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_in(address: _Address, networks: tuple[_Network, ...]) -> bool:
    return any(address in network for network in networks)


def _invalid(wrong: str) -> Invalid:
    return Invalid(f"The address of a webhook {wrong}.", {"url": wrong})
