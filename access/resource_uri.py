"""The canonical form of a resource indicator (RFC 8707), by which tokens and endpoints are compared. Pure module."""

import re
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MAX: Final = 2048
# What may stand in a URI at all (RFC 3986, appendix A); urlsplit would quietly drop tabs and newlines.
_URI: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")


def canonical_resource(uri: str) -> str | None:
    """Scheme and host in lower case, default port and trailing slash dropped; None for what is no resource.

    RFC 8707, 2: an absolute URI without fragment. A query, user information and dot segments are refused too,
    because no endpoint of ours has them.
    """
    if len(uri) > _MAX or not _URI.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), parts.hostname
    if scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc or "?" in uri:
        return None
    if any(segment in (".", "..") for segment in parts.path.split("/")):
        return None
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port in (None, _DEFAULT_PORTS[scheme]) else f"{shown}:{port}"
    return f"{scheme}://{netloc}{parts.path.rstrip('/')}"
