"""Who may read the metrics. Pure module.

With a token: who presents it, under whatever name the network has for this process (a web page that rebinds a name has
no token). Without one: a peer on a loopback address that comes straight to us. Everybody else learns nothing, not even
that there is something.
"""

import hmac
import ipaddress
from typing import Final

from gateway.front import Head

PATH: Final = "/metrics"
_SCHEME: Final = "bearer "
# A proxy on this machine is on loopback too; what it says of whom it speaks for gives it away.
_FORWARDING: Final = frozenset(
    {
        *("cf-connecting-ip", "client-ip", "forwarded", "forwarded-for", "true-client-ip", "via"),
        *("x-client-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-original-forwarded-for", "x-real-ip"),
    }
)


def presents(head: Head, token: str) -> bool:
    """Whether the request carries the token of this installation; never so where there is none."""
    given = head.headers.get("authorization", "")
    if not token or "authorization" in head.repeated or given[: len(_SCHEME)].lower() != _SCHEME:
        return False
    return hmac.compare_digest(given[len(_SCHEME) :].strip().encode("latin-1"), token.encode())


def is_near(head: Head) -> bool:
    """Whether the peer is on a loopback address and speaks for nobody else."""
    names = head.headers.keys()
    if not _FORWARDING.isdisjoint(names) or any(name.startswith("x-forwarded") for name in names):
        return False
    try:
        return ipaddress.ip_address(head.client_ip).is_loopback
    except ValueError:
        return False
