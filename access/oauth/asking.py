"""What an authorization request asks for (RFC 6749, 4.1.1; RFC 7636; RFC 8707), judged before anybody sees a page.

Until client and redirect are known to belong together nothing may be sent anywhere: `Refusal`, which becomes a page.
After that an error is the client's to hear: `Declined`.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.conf import settings
from django.http import QueryDict

from access import redirects
from access.models import Agent
from access.oauth.requests import Refusal
from access.resource_uri import canonical_resource
from access.services import resolve_client
from core.scopes import CONNECT, problem, scope_server

SCOPES_MAX: Final = 200
_STATE_MAX: Final = 4096
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_ANSWERED: Final = frozenset({"code", "error", "error_description", "iss", "state"})


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where the answer goes: exactly the redirect that was asked for, with the client's own state."""

    agent: Agent
    redirect_uri: str
    state: str

    def url(self, **answer: str) -> str:
        """The redirect with an answer. `iss` stands in every one (RFC 9207), so that a client knows whose it is."""
        state = {"state": self.state} if self.state else {}
        joint = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{joint}{urlencode({**answer, **state, 'iss': settings.ISSUER})}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"


class Declined(Exception):
    """An error that goes back to the client (RFC 6749, 4.1.2.1)."""

    def __init__(self, way: WayBack, error: str, description: str) -> None:
        super().__init__(error)
        self.way, self.error, self.description = way, error, description


@dataclass(frozen=True, slots=True)
class Asked:
    """A sound request. `scopes` empty: the baseline; `resource` empty: the person chooses."""

    way: WayBack
    code_challenge: str
    scopes: tuple[str, ...]
    resource: str
    prompt: frozenset[str]

    @property
    def servers(self) -> set[str]:
        """The servers that its scopes speak of; a resource must be every one of them."""
        return {slug for scope in self.scopes if (slug := scope_server(scope)) is not None}


def read_asked(query: QueryDict, *, for_person: bool) -> Asked:
    """Judge a request, of somebody who is signed in or not yet. Raises `Refusal` and `Declined`."""
    way = _way_back(query, for_person=for_person)
    for name, values in query.lists():
        if len(values) > 1:
            error = "invalid_target" if name == "resource" else "invalid_request"
            raise Declined(way, error, f"The parameter {name[:40]!a} is repeated.")
    if query.get("response_type") != "code":
        raise Declined(way, "unsupported_response_type", "Offered: code.")
    return Asked(
        way=way,
        code_challenge=_challenge(query, way),
        scopes=_scopes(query, way),
        resource=_resource(query, way),
        prompt=_prompt(query, way),
    )


def find_client(client_id: str, *, for_person: bool) -> Agent | None:
    """The active agent with this client id, if it acts for people. May fetch its document."""
    agent = resolve_client(client_id, for_person=for_person)
    if agent is None or not agent.is_usable(None):
        return None
    return agent if agent.allows_grant_type(Agent.GRANT_AUTHORIZATION_CODE) else None


def registered_redirect(agent: Agent, asked: str) -> str | None:
    """The registered redirect that `asked` is: the same text, but for the port on loopback."""
    return next((uri for uri in agent.redirect_uris.split() if redirects.matches(asked, [uri])), None)


def _way_back(query: QueryDict, *, for_person: bool) -> WayBack:
    client_id, redirect, state = (_once(query, name) for name in ("client_id", "redirect_uri", "state"))
    agent = find_client(client_id, for_person=for_person)
    if agent is None:
        raise Refusal("invalid_client", "No application of this name acts for people here.")
    if not redirect or registered_redirect(agent, redirect) is None:
        raise Refusal("invalid_request", "The application did not register the address that the answer should go to.")
    if _ANSWERED & {name for name, _ in parse_qsl(urlsplit(redirect).query, keep_blank_values=True)}:
        raise Refusal("invalid_request", "The address that the answer should go to holds a part of an answer already.")
    return WayBack(agent, redirect, state)


def _once(query: QueryDict, name: str) -> str:
    values = query.getlist(name)
    if len(values) > 1 or len("".join(values)) > _STATE_MAX:
        raise Refusal("invalid_request", f"The parameter {name} is repeated or too long.")
    return values[0] if values else ""


def _challenge(query: QueryDict, way: WayBack) -> str:
    challenge = query.get("code_challenge") or ""
    # A missing method means `plain` (RFC 7636, 4.3), which protects nothing once the request was seen.
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise Declined(way, "invalid_request", "Send code_challenge with code_challenge_method=S256.")
    return challenge


def _scopes(query: QueryDict, way: WayBack) -> tuple[str, ...]:
    scopes = tuple(dict.fromkeys((query.get("scope") or "").split()))
    fitting = all(scope == CONNECT or (scope_server(scope) and problem(scope) is None) for scope in scopes)
    if not fitting or len(scopes) > SCOPES_MAX:
        raise Declined(way, "invalid_scope", "A scope is mcp:connect or names a server: mcp:files:read.")
    return scopes


def _resource(query: QueryDict, way: WayBack) -> str:
    if "resource" not in query:
        return ""
    resource = canonical_resource(query.get("resource") or "")
    if resource is None:
        raise Declined(way, "invalid_target", "The resource is no endpoint of this gateway that you may use.")
    return resource


def _prompt(query: QueryDict, way: WayBack) -> frozenset[str]:
    prompt = frozenset((query.get("prompt") or "").split())
    if "none" in prompt and len(prompt) > 1:
        raise Declined(way, "invalid_request", "prompt=none stands alone.")
    return prompt
