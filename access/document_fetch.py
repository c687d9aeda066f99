"""Fetching a client id metadata document: small, quick, JSON, through the guarded client and from nowhere else.

Strangers choose the address. What keeps them out of the internal network is `core.outbound`, which judges every
address that it dials; here are the bounds of this one purpose. Redirects are not followed: the document is at its own
URL, or the client does not own that URL.
"""

import asyncio
import re
import threading
from dataclasses import dataclass
from typing import Final

import httpx2

from core.outbound import OutboundLimits, OutboundPolicy, Resolver, classify, outbound_client, policy_from_settings

BODY_MAX: Final = 64 * 1024  # bytes; published ones have less than two thousand
SECONDS: Final = 5.0  # people wait for it, and clients give the whole of registering ten
_QUEUED: Final = 1.0  # seconds that a fetch waits for the end of another
KEPT_MIN: Final = 300  # seconds that a document counts at least, whatever its headers say
KEPT_MAX: Final = 86_400
KEPT_DEFAULT: Final = 3600
_AT_ONCE: Final = threading.BoundedSemaphore(8)  # fetches of one process; each holds a thread of the site
_GONE: Final = frozenset({404, 410})
_LIMITS: Final = OutboundLimits(
    connect_seconds=SECONDS,
    head_seconds=SECONDS,
    total_seconds=SECONDS,
    body_bytes=BODY_MAX,
    header_bytes=16 * 1024,
    header_count=100,
    connections=1,
)
_JSON: Final = re.compile(r"application/(?:[a-z0-9.-]+\+)?json\s*(?:;|\Z)", re.IGNORECASE)
_AGE: Final = re.compile(r"(?:^|[\s,])(?P<name>s-maxage|max-age)=\"?(?P<seconds>[0-9]{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A document's bytes, and for how many seconds they count."""

    body: bytes
    seconds: int


class DocumentUnavailable(Exception):
    """There is no document to be had; `gone`: its publisher says so. `busy`: we did not even ask."""

    def __init__(self, sentence: str, *, gone: bool = False, busy: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.gone = gone
        self.busy = busy


def fetch_document(
    url: str, *, policy: OutboundPolicy | None = None, resolver: Resolver | None = None
) -> FetchedDocument:
    """The document at `url`. Raises `DocumentUnavailable`. Blocks: call it from a thread that may."""
    if not _AT_ONCE.acquire(timeout=_QUEUED):
        raise DocumentUnavailable("Too many documents are being fetched.", busy=True)
    try:
        return asyncio.run(_fetch(url, policy or policy_from_settings(), resolver))
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
        raise DocumentUnavailable(classify(error).sentence) from error
    finally:
        _AT_ONCE.release()


async def _fetch(url: str, policy: OutboundPolicy, resolver: Resolver | None) -> FetchedDocument:
    async with (
        outbound_client(policy, _LIMITS, resolver=resolver) as client,
        client.stream("GET", url, headers={"accept": "application/json"}) as response,
    ):
        if response.status_code != 200:
            gone = response.status_code in _GONE
            raise DocumentUnavailable(f"The document's address answered {response.status_code}.", gone=gone)
        # Before the body is read: a stream of events, for one, has bounds that are far too wide for this.
        if not _JSON.match(response.headers.get("content-type", "")):
            raise DocumentUnavailable("The document is not served as JSON.")
        return FetchedDocument(await response.aread(), kept_seconds(response.headers.get("cache-control", "")))


def kept_seconds(cache_control: str) -> int:
    """For how long a document counts: as its headers say (RFC 9111), within our bounds."""
    if "no-store" in cache_control.lower() or "no-cache" in cache_control.lower():
        return KEPT_MIN
    said = {match["name"].lower(): int(match["seconds"]) for match in _AGE.finditer(cache_control)}
    return min(max(said.get("s-maxage", said.get("max-age", KEPT_DEFAULT)), KEPT_MIN), KEPT_MAX)
