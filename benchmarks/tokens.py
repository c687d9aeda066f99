"""What checking a caller's token costs, beside a JWT: `.venv/bin/python -m benchmarks.tokens [ROUNDS]`.

Everything in one process and one run, in turn, so that what else the machine does meets all of them alike.

* kept: what the gateway does for each call of a token that it has seen: header, hash, look-up, all of `authenticate`.
* unknown: what is asked of the database for a token that it has not seen, from thread to answer.
* rubbish: what a token costs that we never made: the tag does not fit, and nobody is asked.
* JWT: PyJWT verifies signature, audience, issuer and end, its key read beforehand. Whether the token was revoked, its
  person deactivated or its agent suspended, it does not say.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from benchmarks.product import database
from benchmarks.report import verdict
from controlplane import up

BOUND_US: Final = 20.0
_SLUG: Final = "files"
_ISSUER: Final = "https://issuer.example"
_BATCH_SECONDS: Final = 0.02
Batch = Callable[[int], Awaitable[None]]


def main(rounds: int) -> int:
    """Print the table; 1 where the bound is missed."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        _, environment = database(stack, Path(directory))
        up.set_up_installation(environment)
        os.environ.update(environment)
        import django

        os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
        django.setup(set_prefix=False)
        took = asyncio.run(_measured(_token(), rounds))
    kept = took["kept"]
    print(f"{'one check':<12}{'µs':>10}{'times kept':>12}")
    for name, each in took.items():
        print(f"{name:<12}{each:>10.1f}{each / kept:>12.1f}")
    print(verdict("µs for a token that the gateway has seen", kept, BOUND_US))
    return int(kept > BOUND_US)


def _token() -> str:
    """A token of the token endpoint for a registered server."""
    from django.conf import settings
    from django.test import Client

    from access.services.agents import register_agent
    from core.actor import system_actor
    from core.permissions import Permission
    from servers.services import Registration, register_server

    actor = system_actor("benchmark", *Permission)
    register_server(
        registration=Registration(slug=_SLUG, name="Files", url="https://files.example/mcp", environment="development"),
        actor=actor,
    )
    made = register_agent(name="benchmark", actor=actor)
    form = {
        "grant_type": "client_credentials",
        "client_id": made.agent.client_id,
        "client_secret": made.secret,
        "resource": f"{settings.GATEWAY_URL}/{_SLUG}",
    }
    body = "&".join(f"{name}={value}" for name, value in form.items())
    client = Client(SERVER_NAME="127.0.0.1")
    answer = client.generic("POST", "/oauth/token/", body, "application/x-www-form-urlencoded")
    assert answer.status_code == 200, answer.content
    return str(answer.json()["access_token"])


async def _measured(token: str, rounds: int) -> dict[str, float]:
    """Microseconds by what was done: the median of the rounds."""
    from django.conf import settings

    from access.resource_uri import canonical_resource
    from gateway.site import Site
    from gateway.store import Store

    site = Site(settings.GATEWAY_URL, settings.ISSUER)
    store = Store(resource=lambda slug: canonical_resource(site.resource(slug)) or "", redis_url=settings.REDIS_URL)
    await store.start()
    try:
        return await _in_turn({**_ours(token, store, site), **_jwts()}, rounds)
    finally:
        await store.stop()


async def _in_turn(alternatives: Mapping[str, Batch], rounds: int) -> dict[str, float]:
    counts = {name: max(1, int(_BATCH_SECONDS / await _seconds(batch, 3))) for name, batch in alternatives.items()}
    took: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(rounds):
        for name, batch in alternatives.items():
            took[name].append(await _seconds(batch, counts[name]) * 1e6)
    return {name: statistics.median(times) for name, times in took.items()}


async def _seconds(batch: Batch, count: int) -> float:
    """Of one run, after one that does not count: what is kept was forgotten in the meantime."""
    await batch(1)
    began = time.perf_counter()
    await batch(count)
    return (time.perf_counter() - began) / count


def _ours(token: str, store: Any, site: Any) -> dict[str, Batch]:
    from access.tokens import verify_access_token
    from gateway.auth import authenticate, presented
    from gateway.front import Head

    head = Head("POST", f"/mcp/{_SLUG}", b"", {"authorization": f"Bearer {token}"}, frozenset(), "127.0.0.1")
    strange = token[:-1] + ("0" if token[-1] != "0" else "1")

    async def kept(count: int) -> None:
        for _ in range(count):
            await authenticate(head, presented(head), _SLUG, site=site, tokens=store)

    async def unknown(count: int) -> None:
        for _ in range(count):
            assert await store.run(verify_access_token, token) is not None

    async def rubbish(count: int) -> None:
        for _ in range(count):
            assert verify_access_token(strange) is None

    return {"kept": kept, "unknown": unknown, "rubbish": rubbish}


def _jwts() -> dict[str, Batch]:
    keys: dict[str, Any] = {
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    return {f"JWT {name}": _jwt(name, key) for name, key in keys.items()}


def _jwt(algorithm: str, key: Any) -> Batch:
    now, audience = datetime.now(UTC), f"{_ISSUER}/mcp/{_SLUG}"
    claims = {
        "iss": _ISSUER,
        "aud": audience,
        "sub": "agent",
        "scope": f"mcp:connect mcp:{_SLUG}:read mcp:{_SLUG}:call",
        "jti": "1",
        "iat": now,
        "exp": now + timedelta(minutes=60),
    }
    token, public = jwt.encode(claims, key, algorithm=algorithm), key.public_key()

    async def verified(count: int) -> None:
        for _ in range(count):
            jwt.decode(token, public, algorithms=[algorithm], audience=audience, issuer=_ISSUER)

    return verified


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 51))
