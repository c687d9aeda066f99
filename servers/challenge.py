"""What a server that asks for credentials says about where they come from (RFC 9728), for its card."""

import re
from typing import Any, Final

import anyio
import httpx2

from core import strictjson
from core.outbound import OutboundError

_METADATA_BYTES: Final = 64 * 1024
_METADATA_SECONDS: Final = 5.0
_PARAMETER: Final = re.compile(
    r'\b(resource_metadata|scope)\s*=\s*(?:"([^"\\]{1,2048})"|([^\s",]{1,2048}))', re.IGNORECASE
)


async def authorization(client: httpx2.AsyncClient, url: str, challenge: str | None) -> dict[str, Any]:
    """The card's `authorization`: the challenge's parameters and the metadata they point to, where it can be read."""
    parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall((challenge or "")[:8192])}
    found: dict[str, Any] = {
        "scheme": (challenge or "").partition(" ")[0][:64],
        "scope": parameters.get("scope"),
        "resource_metadata": parameters.get("resource_metadata"),
    }
    found["metadata"] = await _metadata(client, url, parameters.get("resource_metadata"))
    return found


async def _metadata(client: httpx2.AsyncClient, url: str, where: str | None) -> dict[str, Any] | None:
    if where is None or not _same_origin(url, where):
        return None  # a server may speak of its own resource only, and must not choose what else we fetch
    raw = bytearray()
    try:
        with anyio.fail_after(_METADATA_SECONDS):
            async with client.stream("GET", where, headers={"accept": "application/json"}) as response:
                async for chunk in response.aiter_raw():
                    raw += chunk
                    if len(raw) > _METADATA_BYTES:
                        return None
        found = strictjson.loads(bytes(raw)) if response.status_code == 200 else None
    except (OutboundError, strictjson.MalformedJSON, TimeoutError):
        return None
    return found if isinstance(found, dict) else None


def _same_origin(one: str, other: str) -> bool:
    try:
        first, second = httpx2.URL(one), httpx2.URL(other)
    except httpx2.InvalidURL:
        return False
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)
