"""Addresses are judged by what they reach, in whatever form they are written."""

import ipaddress

import pytest

from core.addresses import Reach, is_plain_name, literal, reach

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
EVERYTHING = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))

INTERNAL = {
    "this network": "0.0.0.0",
    "this network, another": "0.1.2.3",
    "loopback": "127.0.0.1",
    "loopback, another": "127.8.8.8",
    "private 10": "10.0.0.1",
    "private 172": "172.31.255.255",
    "private 192": "192.168.1.1",
    "carrier-grade NAT": "100.64.0.1",
    "link-local": "169.254.1.1",
    "metadata": "169.254.169.254",
    "container credentials": "169.254.170.2",
    "Azure host": "168.63.129.16",
    "Alibaba metadata": "100.100.100.200",
    "protocol assignments": "192.0.0.8",
    "benchmarking": "198.18.0.1",
    "documentation": "203.0.113.9",
    "6to4 relay": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "unspecified 6": "::",
    "loopback 6": "::1",
    "mapped": "::ffff:127.0.0.1",
    "mapped metadata in hex": "::ffff:a9fe:a9fe",
    "compatible": "::127.0.0.1",
    "compatible public": "::8.8.8.8",
    "translated (RFC 2765)": "::ffff:0:127.0.0.1",
    "6to4": "2002:7f00:1::",
    "6to4 metadata": "2002:a9fe:a9fe::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "NAT64": "64:ff9b::7f00:1",
    "NAT64 metadata": "64:ff9b::a9fe:a9fe",
    "NAT64 local": "64:ff9b:1::7f00:1",
    "NAT64 local metadata": "64:ff9b:1::a9fe:a9fe",
    "NAT64 local, RFC 6052 layout": "64:ff9b:1:7f00:0:100::",
    "ISATAP": "2001:470::5efe:a00:1",
    "ISATAP, universal": "2001:470::200:5efe:7f00:1",
    "site-local": "fec0::1",
    "unique local": "fd12:3456::1",
    "AWS metadata 6": "fd00:ec2::254",
    "link-local 6": "fe80::1",
    "multicast 6": "ff02::1",
    "discard": "100::1",
    "documentation 6": "2001:db8::1",
    "documentation, newer": "3fff::1",
    "segment routing": "5f00::1",
    "benchmarking 6": "2001:2::1",
}


@pytest.mark.parametrize("address", INTERNAL.values(), ids=INTERNAL.keys())
def test_internal_address_is_refused_in_every_form(address: str) -> None:
    assert reach(ipaddress.ip_address(address)) is Reach.REFUSED


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_address_passes(address: str) -> None:
    assert reach(ipaddress.ip_address(address)) is Reach.PUBLIC


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_address_in_a_named_network_is_allowed(address: str) -> None:
    assert reach(ipaddress.ip_address(address), LOOPBACK) is Reach.ALLOWED


@pytest.mark.parametrize("address", ["10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "::10.0.0.1"])
def test_a_named_network_opens_no_other(address: str) -> None:
    assert reach(ipaddress.ip_address(address), LOOPBACK) is Reach.REFUSED


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::1",
        "fe80::5efe:a9fe:a9fe",
    ],
)
def test_cloud_metadata_cannot_be_allowed(address: str) -> None:
    assert reach(ipaddress.ip_address(address), EVERYTHING) is Reach.REFUSED


@pytest.mark.parametrize(
    "host",
    [
        "",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "127.1",
        "0177.0.0.1",
        "1.2.3.4.5",
        "a..b",
        ".a",
        "a.",
        "a b",
        "a_b",
        "a%2eb",
        "-a",
        "a-",
        "\u2488",
        "ex\u00e4mple",
        "a\n",
        "x" * 64,
        "a." * 130 + "a",
        "1.0x",
        "[::1",
        "fe80::1%eth0",
    ],
)
def test_odd_host_name_is_refused(host: str) -> None:
    assert not is_plain_name(host)


@pytest.mark.parametrize("host", ["localhost", "example.com", "EXAMPLE.com", "a-1.b2.example", "xn--bcher-kva.example"])
def test_plain_host_name_passes(host: str) -> None:
    assert is_plain_name(host)
    assert literal(host) is None


def test_zone_identifier_makes_no_literal() -> None:
    assert literal("fe80::1%eth0") is None
    assert str(literal("[::1]")) == "::1"
