"""What the tests of outbound traffic share: quick limits, policies, one request, made-up name servers."""

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

import httpx2
import pytest

from core.outbound import (
    OutboundError,
    OutboundLimits,
    OutboundPolicy,
    Resolver,
    classify,
    outbound_client,
)

LOOPBACK = OutboundPolicy(allow=(ipaddress.ip_network("127.0.0.0/8"),))
NOWHERE = OutboundPolicy()
QUICK = OutboundLimits(
    dns_seconds=0.3,
    connect_seconds=1.0,
    head_seconds=1.0,
    total_seconds=1.5,
    body_bytes=1_000_000,
    idle_seconds=0.5,
    event_bytes=100_000,
    lifetime_seconds=1.5,
)
# Where something else than time is to end it: a machine that stands still for a moment must not.
PATIENT = replace(
    QUICK, dns_seconds=60, connect_seconds=60, head_seconds=60, total_seconds=60, idle_seconds=60, lifetime_seconds=60
)


def get(
    url: str, policy: OutboundPolicy = LOOPBACK, limits: OutboundLimits = PATIENT, resolver: Resolver | None = None
) -> httpx2.Response:
    async def run() -> httpx2.Response:
        async with outbound_client(policy, limits, resolver=resolver) as client:
            return await client.get(url)

    return asyncio.run(run())


def failure(
    url: str, policy: OutboundPolicy = LOOPBACK, limits: OutboundLimits = PATIENT, resolver: Resolver | None = None
) -> OutboundError:
    with pytest.raises((OutboundError, httpx2.HTTPError, httpx2.InvalidURL)) as caught:
        get(url, policy, limits, resolver)
    return classify(caught.value)


def answering(*rounds: Sequence[str]) -> tuple[Resolver, list[str]]:
    """A resolver that gives each answer once, and the names that it was asked for."""
    left, asked = list(rounds), []

    async def resolver(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return left.pop(0) if left else ()

    return resolver, asked
