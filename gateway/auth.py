"""Who calls: the bearer token of the header and nothing else, and what a refusal tells the client to do.

Tokens in a query or a body are never read (RFC 6750, 5.3; OAuth 2.1). A 401 names the metadata of the endpoint and
the scopes of ordinary use, a 403 every scope that the operation needs (MCP authorization, step-up).
"""

import re
import time
from collections.abc import Iterable
from typing import Final, Protocol

from access.policy import Denied, Reason
from access.rules import Rule
from core.sampling import Sampler
from core.scopes import baseline_scopes
from gateway.errors import Refused, refuse
from gateway.front import Head
from gateway.kept_tokens import Bearer
from gateway.site import Site
from gateway.snapshot import Token

# What is said of a suspension: which of all that is behind a call is meant, and by whose decision.
_SUSPENDED: Final = {
    Rule.SUSPENDED_EVERYTHING: "Everything is suspended: nothing can be called until a second person lifts that.",
    Rule.SUSPENDED_AGENT: "This agent is suspended until a second person lifts that.",
    Rule.SUSPENDED_PERSON: "The person for whom it acts is suspended until a second person lifts that.",
    Rule.SUSPENDED_TEAM: "A team is suspended, with its people, agents and servers, until a second person lifts that.",
    Rule.SUSPENDED_SERVER: "This server is suspended until a second person lifts that.",
    Rule.SUSPENDED_DEFINITION: "This definition is suspended until a second person lifts that.",
}
# Anybody can send rubbish, and the log cannot be pruned. Without any token, as clients find out where to get one, it
# must not keep what is worse out of the sample.
_STRANGERS: Final = Sampler(limit=30, window=60)
_TOKENLESS: Final = Sampler(limit=30, window=60)
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(?P<token>[A-Za-z0-9._~+/-]{1,4096}=*)")


class Tokens(Protocol):
    """What knows tokens."""

    async def token(self, bearer: Bearer) -> Token | None:
        """The token, or None when it is not valid now."""

    def is_ours(self, bearer: Bearer) -> bool:
        """Whether we issued the token, however long ago."""


def presented(head: Head) -> Bearer | None:
    """The token that the header holds, whosever it is; None where it holds none."""
    match = _BEARER.fullmatch(head.headers.get("authorization", ""))
    return Bearer(match["token"]) if match else None


async def authenticate(head: Head, bearer: Bearer | None, slug: str, *, site: Site, tokens: Tokens) -> Token:
    """The token that was `presented`. Raises `Refused` with 401; whom it is for is judged by policy."""
    if "authorization" not in head.headers:
        sampled = _TOKENLESS.admit(time.monotonic()) is not None
        raise refuse(Reason.INVALID_TOKEN, headers=(challenge(site, slug),), recorded=sampled)
    token = await tokens.token(bearer) if bearer is not None else None
    if token is None:
        raise refuse(
            Reason.INVALID_TOKEN,
            "The access token is not valid.",
            headers=(challenge(site, slug, error="invalid_token", text="The access token is not valid."),),
            # A token of ours that has ended is worth a record each time; of what we never made, a sample.
            recorded=(bearer is not None and tokens.is_ours(bearer)) or is_sampled(),
        )
    return token


def is_sampled() -> bool:
    """Whether what a stranger brought about is recorded; the metrics count it in any case."""
    return _STRANGERS.admit(time.monotonic()) is not None


def refused(denied: Denied, slug: str, *, site: Site) -> Refused:
    """A denial of `decide` with the headers that tell the client what would help."""
    text = str(refuse(denied.reason))
    if denied.reason is Reason.WRONG_AUDIENCE:
        return refuse(denied.reason, headers=(challenge(site, slug, error="invalid_token", text=text),))
    if denied.reason is Reason.INSUFFICIENT_SCOPE:
        header = challenge(site, slug, error="insufficient_scope", text=text, scopes=denied.needed)
        return refuse(denied.reason, headers=(header,))
    return refuse(denied.reason, _SUSPENDED.get(denied.rule, ""))


def challenge(
    site: Site, slug: str, *, error: str = "", text: str = "", scopes: Iterable[str] | None = None
) -> tuple[str, str]:
    """A `WWW-Authenticate` header (RFC 6750, 3; RFC 9728, 5.1). Nothing in it comes from the caller but the slug."""
    wanted = sorted(baseline_scopes(slug) if scopes is None else scopes)
    parts = {
        "error": error,
        "error_description": text,
        "resource_metadata": site.metadata_url(slug),
        "scope": " ".join(wanted),
    }
    return "www-authenticate", "Bearer " + ", ".join(f'{key}="{value}"' for key, value in parts.items() if value)
