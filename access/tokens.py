"""What a presented token is: its row, and what the gateway needs to know of an agent's access token."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils import timezone

from access.keys import token_key
from access.models import AccessToken, AgentState
from access.token_format import TokenKind, checksum, is_genuine

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A genuine, unexpired token; `agent_id` and `person_id` are keys of rows.

    `person_*` are None where an agent acts for itself.

    Whether agent and person are active is said, not judged: `access.policy.decide` does that.
    """

    public_id: uuid.UUID
    client_id: str
    agent_id: int
    agent_name: str
    agent_active: bool
    name_style: str
    person_id: int | None
    person_public_id: uuid.UUID | None
    person_active: bool | None
    person_name: str
    scopes: frozenset[str]
    resource: str
    expires_at: datetime


def issued_as(kind: TokenKind, token: str, rows: QuerySet[M]) -> QuerySet[M]:
    """The one of `rows` that `token` is, alive or not, or none. Rubbish costs no query."""
    return rows.filter(token_checksum=checksum(token)) if is_genuine(token, kind, token_key()) else rows.none()


def verify_access_token(token: str) -> TokenFacts | None:
    """The facts of a token that we issued and that has not ended; None for anything else. Rubbish costs no query."""
    rows = AccessToken.objects.select_related("application", "user").filter(expires__gt=timezone.now())
    row = issued_as(TokenKind.ACCESS, token, rows).first()
    if row is None or row.application is None or len(row.resource) != 1:
        return None
    agent, person = row.application, row.user
    return TokenFacts(
        public_id=row.public_id,
        client_id=agent.client_id,
        agent_id=agent.pk,
        agent_name=agent.name,
        agent_active=agent.state == AgentState.ACTIVE,
        name_style=agent.name_style,
        person_id=person.pk if person else None,
        person_public_id=person.public_id if person else None,
        person_active=person.is_active if person else None,
        person_name=person.username if person else "",
        scopes=frozenset(row.scope.split()),
        resource=row.resource[0],
        expires_at=row.expires,
    )
