"""The caller of a call and the grants that reach it, as plain frozen values. Pure module."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from msgspec import Struct

from access.conditions import Conditions
from core.scopes import CONNECT, scope_server


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """One grant of the principal: the scopes of its role, and where, until when and on what conditions they hold.

    `names` says which grant and role that is (`grant:<public id>`, `role:<name>`), for the record of what it carries;
    `servers` are the slugs that its scopes name.
    """

    scopes: frozenset[str]
    environment: str | None = None
    expires_at: datetime | None = None
    names: tuple[str, ...] = ()
    conditions: Conditions | None = None
    servers: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "servers", _named(self.scopes))

    def holds(self, environment: str, now: datetime, client_ip: str = "") -> bool:
        """Whether it counts in this environment now, for a caller at this address (empty: not known)."""
        if self.environment is not None and self.environment != environment:
            return False
        if self.conditions is not None and not self.conditions.hold(now, client_ip):
            return False
        return self.expires_at is None or self.expires_at > now

    def connects(self, slug: str) -> bool:
        """Whether any of its scopes lets its holder connect to `slug`."""
        return CONNECT in self.scopes or slug in self.servers


@lru_cache(maxsize=256)
def _named(scopes: frozenset[str]) -> frozenset[str]:
    """Read once for all grants of a role, which may have thousands of scopes."""
    return frozenset(slug for scope in scopes if (slug := scope_server(scope)) is not None)


class PrincipalFacts(Struct, frozen=True):
    """The caller. `person_active` is None for an agent that acts for itself.

    `grants` are the person's where there is one. Then `ceiling` are the agent's own, beyond which it never goes for
    anybody; None where it was never given any: the person's rights and what they consented to bound it.
    """

    agent_active: bool
    person_active: bool | None
    grants: tuple[GrantFacts, ...]
    token_scopes: frozenset[str]
    audience: str
    ceiling: tuple[GrantFacts, ...] | None = None

    def standing(self, now: datetime, client_ip: str) -> tuple[bool, ...]:
        """Which of the grants that have conditions hold: what was decided before stays so while this is the same."""
        judged = (grant.conditions for grant in (*self.grants, *(self.ceiling or ())) if grant.conditions)
        return tuple([conditions.hold(now, client_ip) for conditions in judged])
