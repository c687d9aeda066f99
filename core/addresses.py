"""Which addresses outbound traffic may go to, and which host names are plain enough to be looked up. Pure module.

The tables are our own: what Python's `is_global` says of NAT64, site-local or multicast addresses differs
between releases, and a gap there is a way into the internal network. Only 2000::/3 is public IPv6, so everything
not listed (loopback, unique local, link-local, `fec0::/10`, `::a.b.c.d`, multicast) is refused by default.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PUBLIC_PORTS: Final = frozenset({443, 8443})
SYSLOG_PORTS: Final = frozenset({6514})  # RFC 5425: for what speaks TLS and no HTTP

_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host: publicly registered, yet inside every virtual network
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)
# Where clouds hand out credentials. No allow-list opens these.
_METADATA: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",
        "169.254.169.0/24",
        "169.254.170.0/24",
        "100.100.100.200/32",
        "192.0.0.192/32",
        "fd00:ec2::/32",
        "fd00:42::42/128",
        "fd20:ce::254/128",
        "fe80::a9fe:a9fe/128",
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")
_COMPATIBLE: Final = IPv6Network("::/96")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_NUMERIC: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")


class Reach(StrEnum):
    """What an address is to us."""

    PUBLIC = "public"
    ALLOWED = "allowed"  # inside a network that the installation named: http and any port are open
    REFUSED = "refused"


def literal(host: str) -> Address | None:
    """`host` as an IP address when it is one in its usual spelling, otherwise None. No zone identifiers."""
    try:
        return None if "%" in host else ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def is_plain_name(host: str) -> bool:
    """Whether `host` is a host name that no resolver reads as a number (`2130706433`, `0x7f.1`, `127.1`)."""
    labels = host.lower().split(".")
    if not 0 < len(host) <= 253 or _NUMERIC.match(labels[-1]):
        return False
    return all(_LABEL.match(label) for label in labels)


def reach(address: Address, allow: Sequence[Network] = ()) -> Reach:
    """Judge one address together with every IPv4 address that it carries inside."""
    address = _unmapped(address)
    hidden = tuple(_carried(address))
    if any(_within(each, _METADATA) for each in (address, *hidden)):
        return Reach.REFUSED
    if not all(_is_public(each) or _within(each, allow) for each in hidden):
        return Reach.REFUSED
    if _within(address, allow):
        return Reach.ALLOWED
    return Reach.PUBLIC if _is_public(address) or address in _NAT64 else Reach.REFUSED


def _unmapped(address: Address) -> Address:
    # `::ffff:a.b.c.d` is dialled as IPv4 by the kernel, so it is judged as IPv4.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _carried(address: Address) -> Iterator[IPv4Address]:
    """IPv4 addresses that a relay or translator would take out of `address`."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    last = IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or (address in _COMPATIBLE and number > 1):  # `::` and `::1` carry nothing
        yield last
    if address in _NAT64_LOCAL:
        yield last
        # RFC 6052, 2.2: with a prefix of 48 bits the address lies around bits 64 to 71, which are zero.
        yield IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
    if (number >> 32) & 0xFDFFFFFF == 0x00005EFE:  # ISATAP, either value of the universal bit
        yield last


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _within(address, _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not _within(address, _NOT_PUBLIC_6)


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
