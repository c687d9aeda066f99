"""Where this gateway is reached: URLs of its endpoints and of their metadata. Pure module."""

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from core.names import SLUG, SLUG_MAX
from core.scopes import baseline_scopes

METRICS: Final = "/metrics"
WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Site:
    """The installation as agents see it. `gateway_url` ends in the path under which the endpoints live."""

    gateway_url: str
    issuer: str
    _prefix: str = field(init=False)
    _origin: str = field(init=False)
    _endpoint: re.Pattern[str] = field(init=False)
    _metadata: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.gateway_url)
        slug = rf"/(?P<slug>{SLUG.pattern})"
        object.__setattr__(self, "_prefix", parts.path)
        object.__setattr__(self, "_origin", f"{parts.scheme}://{parts.netloc}")
        object.__setattr__(self, "_endpoint", re.compile(re.escape(parts.path) + slug))
        object.__setattr__(self, "_metadata", re.compile(re.escape(WELL_KNOWN + parts.path) + slug))

    def owns(self, path: str) -> bool:
        """Whether a path is the gateway's; everything else is the console's."""
        return path in (self._prefix, METRICS) or path.startswith((f"{self._prefix}/", f"{WELL_KNOWN}{self._prefix}/"))

    def slug_of_endpoint(self, path: str) -> str | None:
        """The server of an endpoint's path. The raw path is matched: nothing encoded or relative is one."""
        match = self._endpoint.fullmatch(path)
        return match["slug"] if match and len(match["slug"]) <= SLUG_MAX else None

    def slug_of_metadata(self, path: str) -> str | None:
        """The server of a metadata document's path (RFC 9728, 3.1)."""
        match = self._metadata.fullmatch(path)
        return match["slug"] if match and len(match["slug"]) <= SLUG_MAX else None

    def resource(self, slug: str) -> str:
        """The resource indicator of a server's endpoint, which tokens are issued for."""
        return f"{self.gateway_url}/{slug}"

    def metadata_url(self, slug: str) -> str:
        """Where the endpoint's metadata is."""
        return f"{self._origin}{WELL_KNOWN}{self._prefix}/{slug}"

    def metadata(self, slug: str, name: str) -> dict[str, Any]:
        """Protected resource metadata (RFC 9728, 2): the scopes of ordinary use, no more."""
        return {
            "resource": self.resource(slug),
            "authorization_servers": [self.issuer],
            "scopes_supported": sorted(baseline_scopes(slug)),
            "bearer_methods_supported": ["header"],
            "resource_name": name,
        }
