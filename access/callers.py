"""What a caller's address counts as. Pure module.

Whose address it is, behind a proxy, the web server has settled already (`TRUSTED_PROXY` in docker-compose.yml).
"""

from ipaddress import IPv6Address, ip_network
from typing import Final

from core.addresses import literal

_SITE: Final = 64  # bits: what one customer of a provider has at least, so what one stranger can change at will


def counted_as(address: str) -> str:
    """What requests from `address` are counted under: an IPv4 address, or the network of an IPv6 one."""
    found = literal(address)
    if not isinstance(found, IPv6Address):
        return str(found or "unknown")
    return str(found.ipv4_mapped or ip_network((int(found), _SITE), strict=False))
