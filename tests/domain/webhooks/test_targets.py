"""Where a webhook may lead."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miniapm.domain.webhooks.targets import Target, check_target, may_reach, parse_target
from miniapm.exceptions import Invalid

# RFC 6052's well-known prefix and IPv4-mapped addresses, before an IPv4 address
EMBEDDING = ("64:ff9b::", "::ffff:")
FORBIDDEN = [
    "0.0.0.0",  # noqa: S104 - refused
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
]
FORBIDDEN_V6 = [
    "::",
    "::1",
    "::7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def mixed(prefix: str, address: str) -> str:
    return str(ipaddress.IPv6Address(f"{prefix}{address}"))


@pytest.mark.parametrize(
    "address",
    [
        *FORBIDDEN,
        *FORBIDDEN_V6,
        *(mixed(prefix, one) for prefix in EMBEDDING for one in FORBIDDEN),
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not may_reach(ipaddress.ip_address(address), allow_private=False)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Invalid, match="leads to"):
        check_target(f"http://{host}/", allow_private=False)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::200e"],
)
def test_what_is_public_may_be_reached(address: str) -> None:
    for allow_private in (True, False):
        assert may_reach(ipaddress.ip_address(address), allow_private=allow_private)
    if "." in address:
        for prefix in EMBEDDING:
            inner = ipaddress.ip_address(mixed(prefix, address))
            assert may_reach(inner, allow_private=False)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("192.168.0.9", True),
        ("100.64.0.1", True),
        ("::1", True),
        ("fd12::1", True),
        ("::ffff:10.0.0.1", True),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - refused
        ("255.255.255.255", False),
    ],
)
def test_private_networks_may_be_allowed_but_never_metadata(address: str, allowed: bool) -> None:
    assert may_reach(ipaddress.ip_address(address), allow_private=True) is allowed


@given(st.ip_addresses())
def test_nothing_is_public_that_the_registry_calls_special(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    special = (
        not address.is_global
        or address.is_multicast
        or address.is_private
        or address.is_reserved
        or address.is_link_local
        or address.is_loopback
        or address.is_unspecified
    )
    if may_reach(address, allow_private=False):
        inner = getattr(address, "ipv4_mapped", None)
        is_nat64 = address in ipaddress.ip_network("64:ff9b::/96")
        assert not special or inner is not None or is_nat64
        assert inner is None or inner.is_global


@given(st.ip_addresses(v=4))
def test_an_embedded_address_counts_as_itself(address: ipaddress.IPv4Address) -> None:
    for allow_private in (True, False):
        expected = may_reach(address, allow_private=allow_private)
        for prefix in EMBEDDING:
            embedded = ipaddress.ip_address(mixed(prefix, str(address)))
            assert may_reach(embedded, allow_private=allow_private) is expected


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", Target("https", "example.com", 443, "/")),
        ("HTTPS://Example.COM/Hook?a=B", Target("https", "example.com", 443, "/Hook?a=B")),
        ("http://example.com.:8080?x", Target("http", "example.com", 8080, "/?x")),
        ("http://[::FFFF:1.2.3.4]:80/", Target("http", "::ffff:102:304", 80, "/")),
        ("http://1.2.3.4/", Target("http", "1.2.3.4", 80, "/")),
        ("https://chat_1.example/a|b", Target("https", "chat_1.example", 443, "/a|b")),
    ],
)
def test_addresses_are_taken_apart(url: str, target: Target) -> None:
    assert parse_target(url) == target
    assert parse_target(target.url) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://user@example.com",
        "http://user:pw@example.com",
        "http://1.1.1.1@127.0.0.1/",
        "http://127.0.0.1\\@1.1.1.1/",
        "http://example.com\\.evil",
        "http://exa mple.com",
        "http://example.com/\r\nHost: x",
        "http://example.com/a b",
        "http://example.com/\x00",
        "http://example.com/#x",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:/",
        "http://example.com:80:80/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://1.2.3.4.5/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[::g]/",
        "http://-a.example/",
        "http://a..example/",
        "http://\N{FULLWIDTH DIGIT ONE}27.0.0.1/",
        "http://ex\N{LATIN SMALL LETTER A WITH DIAERESIS}mple.com/",
        f"http://example.com/{'x' * 2000}",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="The address of a webhook") as caught:
        parse_target(url)
    assert "url" in caught.value.fields


@given(st.text(max_size=60), st.sampled_from(["http://", "https://1.1.1.1", "http://a@", ""]))
def test_whatever_is_taken_is_the_same_when_read_again(text: str, begin: str) -> None:
    try:
        target = parse_target(begin + text)
    except Invalid:
        return
    assert parse_target(target.url) == target
    assert target.path.isascii()
    assert not set(target.url) & set(" \r\n\t\\#@")


@pytest.mark.parametrize(
    ("url", "speaks_slack"),
    [
        ("https://hooks.slack.com/services/T0/B0/abc", True),
        ("https://chat.example.com/hooks/" + "a1" * 13, True),
        ("https://example.com/mm/hooks/" + "a1" * 13, True),
        ("https://discord.com/api/webhooks/1/abc/slack", True),
        ("https://example.com/hooks/deploys", False),
        ("https://example.com/slack", False),
    ],
)
def test_chats_are_known_by_their_addresses(url: str, speaks_slack: bool) -> None:
    assert parse_target(url).speaks_slack is speaks_slack


def test_discord_without_slack_is_refused() -> None:
    with pytest.raises(Invalid, match="must end in /slack"):
        check_target("https://discord.com/api/webhooks/1/abc", allow_private=False)


def test_the_long_parts_of_an_address_are_not_shown() -> None:
    secret = "Xy9" * 8
    shown = parse_target(f"https://hooks.slack.com/services/T0/B0/{secret}?token=z").shown
    assert shown == "https://hooks.slack.com/services/T0/B0/Xy9X…?…"
